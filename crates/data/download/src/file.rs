//! Whole files.

use std::io::Read;
use std::path::Path;

use artifact::Digest;
use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderMap, IF_RANGE, RANGE};
use terminal::Progress;

use crate::client::{read_failure, send};
use crate::content::{DESCRIBED_BYTES, describe, is_zip};
use crate::part::PartialFile;
use crate::range::ContentRange;
use crate::retry::{Failure, Retries};
use crate::{Address, DownloadError, Downloaded, Downloader, Expect, FileRequest};

/// A transfer that received this much before it failed resets the count of failures.
const MOVING_BYTES: u64 = 1 << 20;

const BUFFER_BYTES: usize = 128 << 10;

impl Downloader {
    /// Downloads a file to `target`, which appears completely or not at all.
    ///
    /// The bytes go to `<target>.part`. If a transfer breaks, now or in an earlier run, the rest is
    /// requested by `Range`, provided the file on the server is still the same (`If-Range`). A
    /// server without ranges starts over. A `target` that already has the requested digest is used
    /// as it is.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, keeps failing, or sends another kind of file or
    /// one with another digest; when the file cannot be written.
    pub fn fetch_file(
        &self,
        request: &FileRequest,
        target: &Path,
    ) -> Result<Downloaded, DownloadError> {
        if let Some(there) = already_there(request, target)? {
            return Ok(there);
        }
        let mut part = PartialFile::open(target, &request.url)?;
        let bar = terminal::bytes_bar(0, &request.label);
        Retries::new(&self.config, &request.url).run(|retries| {
            let before = part.bytes();
            let transferred = self.transfer(request, &mut part, &bar);
            if part.bytes() >= before + MOVING_BYTES {
                retries.start_anew();
            }
            transferred
        })?;
        bar.finish_and_clear();
        part.finish(&request.url, request.sha256)
    }

    /// One attempt to transfer the missing bytes.
    fn transfer(
        &self,
        request: &FileRequest,
        part: &mut PartialFile,
        bar: &Progress,
    ) -> Result<(), Failure> {
        let mut get = self.get(&request.url, request.authorization.as_ref());
        if let Some(validator) = part.validator() {
            get = get.header(RANGE, format!("bytes={}-", part.bytes())).header(IF_RANGE, validator);
        }
        let mut response = send(get, &request.url)?;
        let total = match Answer::of(&response, part.bytes()) {
            Answer::Rest { total } => total,
            Answer::NothingLeft => return Ok(()),
            Answer::Whole { total } => {
                part.start_over(response.headers())?;
                check_kind(request, &mut response, part)?;
                total
            }
            Answer::Other => {
                // The next attempt requests the whole file.
                part.start_over(&HeaderMap::new())?;
                let reason = "its answer does not continue what is here".to_owned();
                let address = Address::from(&request.url);
                return Err(Failure::passing(DownloadError::Range { address, reason }));
            }
        };
        bar.set_length(total.unwrap_or_default());
        bar.set_position(part.bytes());
        bar.reset_eta();
        let most = self.most_bytes;
        if total.is_some_and(|total| total > most) {
            return Err(too_long(request, part, most));
        }
        receive(request, &mut response, part, (total, most), bar)?;
        match total {
            Some(expected) if part.bytes() != expected => {
                let (address, got) = (Address::from(&request.url), part.bytes());
                Err(Failure::passing(DownloadError::Truncated { address, expected, got }))
            }
            _ => Ok(()),
        }
    }
}

/// The server's answer to a request for the rest, or for the whole.
enum Answer {
    Rest { total: Option<u64> },
    Whole { total: Option<u64> },
    NothingLeft,
    Other,
}

impl Answer {
    fn of(response: &Response, here: u64) -> Self {
        let range = response.headers().get(CONTENT_RANGE).and_then(ContentRange::parse);
        match (response.status(), range) {
            (StatusCode::PARTIAL_CONTENT, Some(ContentRange::Part { start, total, .. }))
                if start == here =>
            {
                Self::Rest { total }
            }
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(ContentRange::Unsatisfied { total }))
                if total == here =>
            {
                Self::NothingLeft
            }
            (StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE, _) => Self::Other,
            _ => Self::Whole { total: content_length(response.headers()) },
        }
    }
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn already_there(
    request: &FileRequest,
    target: &Path,
) -> Result<Option<Downloaded>, DownloadError> {
    let (Some(expected), Ok(metadata)) = (request.sha256, target.metadata()) else {
        return Ok(None);
    };
    let sha256 = Digest::of_file(target)?;
    let path = target.to_path_buf();
    Ok((sha256 == expected).then_some(Downloaded { path, bytes: metadata.len(), sha256 }))
}

/// Reads the first bytes and stops if they do not belong to the kind of file expected.
fn check_kind(
    request: &FileRequest,
    response: &mut Response,
    part: &mut PartialFile,
) -> Result<(), Failure> {
    if request.expect == Expect::Any {
        return Ok(());
    }
    let mut start = Vec::new();
    response
        .by_ref()
        .take(4)
        .read_to_end(&mut start)
        .map_err(|error| read_failure(&error, &request.url, part.bytes(), None))?;
    if is_zip(&start) {
        part.append(&start)?;
        return Ok(());
    }
    // A page that ends early can still be described.
    let _ = response.by_ref().take(DESCRIBED_BYTES).read_to_end(&mut start);
    part.discard()?;
    let (address, found) = (Address::from(&request.url), describe(&start));
    Err(Failure::Final(DownloadError::Unexpected { address, found }))
}

/// Removes the bytes received: they are of no use, and may fill the disk.
fn too_long(request: &FileRequest, part: &mut PartialFile, most: u64) -> Failure {
    let error = DownloadError::TooLong { address: Address::from(&request.url), most };
    match part.discard() {
        Ok(()) => Failure::Final(error),
        Err(failure) => failure.into(),
    }
}

fn receive(
    request: &FileRequest,
    response: &mut Response,
    part: &mut PartialFile,
    (total, most): (Option<u64>, u64),
    bar: &Progress,
) -> Result<(), Failure> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let count = match response.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(read_failure(&error, &request.url, part.bytes(), total)),
        };
        if part.bytes() + count as u64 > most {
            return Err(too_long(request, part, most));
        }
        part.append(&buffer[..count])?;
        bar.inc(count as u64);
    }
}
