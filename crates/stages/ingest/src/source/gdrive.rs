//! A Google Drive file that is shared by link.

use anyhow::Context;
use config::Config;
use download::{Downloader, Expect, FileRequest, TextReply, Url};

use super::archive::Archive;
use super::cache::Slot;

mod link;
mod page;

use link::ShareLink;
use page::Page;

/// A file that Drive does not provide.
#[derive(Debug, thiserror::Error)]
enum DriveError {
    #[error(
        "download Drive file {id}: its download quota is used up; Google lifts that within a day, \
         or copy the file to your own Drive and share the copy"
    )]
    QuotaExceeded { id: String },
    #[error("download Drive file {id}: it asks to sign in; share it with \"anyone with the link\"")]
    NotShared { id: String },
    #[error(
        "download Drive file {id}: a page titled {title:?} came in its place; \
         open the link in a browser to see what it asks for"
    )]
    OtherPage { id: String, title: String },
}

/// Downloads the archive; also returns a name for it.
pub(super) fn fetch(config: &Config, link: &str) -> anyhow::Result<(String, Archive)> {
    let link: ShareLink = link.parse()?;
    let name = format!("Drive file {}", link.id);
    let slot = Slot::of(config, &format!("drive-{}", link.id), &["gdrive", &link.id]);
    let archive = slot.fill(|target, sha256| {
        tracing::info!("downloading {name}");
        let downloader = Downloader::new(&config.download)?;
        let url = confirmed_address(&downloader, &config.endpoints.google_drive, &link)?;
        let (expect, label) = (Expect::Zip, name.clone());
        let request = FileRequest { url, authorization: None, sha256, expect, label };
        Ok(downloader.fetch_file(&request, target)?)
    })?;
    Ok((name, archive))
}

/// The address of the file itself. For a file too large for Google's virus scan the plain address
/// returns a page with a form; the address is the one that its button requests.
fn confirmed_address(
    downloader: &Downloader,
    endpoint: &str,
    link: &ShareLink,
) -> anyhow::Result<Url> {
    let url = link
        .address(endpoint)
        .with_context(|| format!("understand endpoints.google_drive, {endpoint:?}"))?;
    let TextReply::Text(html) = downloader.fetch_text(&url, None)? else { return Ok(url) };
    let id = link.id.clone();
    match page::read(&html, &url) {
        Page::Confirmation(confirmed) => {
            tracing::debug!("Drive file {id} is too large for a virus scan; confirmed");
            Ok(confirmed)
        }
        Page::QuotaExceeded => Err(DriveError::QuotaExceeded { id }.into()),
        Page::SignIn => Err(DriveError::NotShared { id }.into()),
        Page::Other { title } => Err(DriveError::OtherPage { id, title }.into()),
    }
}
