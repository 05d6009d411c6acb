//! Small pages.

use std::io::Read;

use reqwest::header::CONTENT_TYPE;
use url::Url;

use crate::client::{read_failure, send};
use crate::retry::{Failure, Retries};
use crate::{Authorization, DownloadError, Downloader, TextReply};

/// The most that is read of a page.
const PAGE_BYTES: u64 = 1 << 20;

impl Downloader {
    /// Reads a page: HTML, JSON or plain text, of 1 MiB at most. Its cookies are sent with the
    /// requests that follow.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses or keeps failing, or the page is too long.
    pub fn fetch_text(
        &self,
        url: &Url,
        authorization: Option<&Authorization>,
    ) -> Result<TextReply, DownloadError> {
        Retries::new(&self.config, url).run(|_| self.attempt_text(url, authorization))
    }

    fn attempt_text(
        &self,
        url: &Url,
        authorization: Option<&Authorization>,
    ) -> Result<TextReply, Failure> {
        let response = send(self.get(url, authorization), url)?;
        let content_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is_text = content_type.starts_with("text/") || content_type.contains("json");
        if !is_text {
            return Ok(TextReply::NotText { content_type });
        }
        let mut page = Vec::new();
        let read = response.take(PAGE_BYTES + 1).read_to_end(&mut page);
        read.map_err(|error| read_failure(&error, url, page.len() as u64, None))?;
        if page.len() as u64 > PAGE_BYTES {
            let too_long =
                DownloadError::PageTooLong { address: url.into(), limit_bytes: PAGE_BYTES };
            return Err(Failure::Final(too_long));
        }
        Ok(TextReply::Text(String::from_utf8_lossy(&page).into_owned()))
    }
}
