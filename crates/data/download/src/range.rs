//! Ranges of a file.

use std::io::Read;

use reqwest::StatusCode;
use reqwest::blocking::Response;
use reqwest::header::{CONTENT_RANGE, ETAG, HeaderValue, IF_MATCH, RANGE};
use terminal::Progress;

use crate::client::{read_failure, send};
use crate::retry::{Failure, Retries};
use crate::{Address, DownloadError, Downloader, RangePart, RangeReply, RangeRequest};

impl Downloader {
    /// Downloads a range of a file into memory. A broken transfer is resumed where it broke.
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, keeps failing, or sends another range than
    /// requested; when the file changes on the server meanwhile.
    pub fn fetch_range(&self, request: &RangeRequest) -> Result<RangeReply, DownloadError> {
        let length = request.bytes.end.saturating_sub(request.bytes.start);
        let bar = terminal::bytes_bar(length, &request.label);
        let mut part = RangePart { bytes: Vec::new(), total_bytes: None, etag: None };
        let supported = Retries::new(&self.config, &request.url)
            .run(|_| self.attempt_range(request, &mut part, &bar))?;
        bar.finish_and_clear();
        Ok(if supported { RangeReply::Part(part) } else { RangeReply::Unsupported })
    }

    /// One attempt to transfer the missing bytes; `false` if the server does not support ranges.
    fn attempt_range(
        &self,
        request: &RangeRequest,
        part: &mut RangePart,
        bar: &Progress,
    ) -> Result<bool, Failure> {
        let start = request.bytes.start + part.bytes.len() as u64;
        let last = request.bytes.end.saturating_sub(1);
        let mut get = self
            .get(&request.url, request.authorization.as_ref())
            .header(RANGE, format!("bytes={start}-{last}"));
        if let Some(etag) = &part.etag {
            get = get.header(IF_MATCH, etag);
        }
        let mut response = send(get, &request.url)?;
        if !matches!(
            response.status(),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE
        ) {
            return Ok(false);
        }
        let (end, total) = check_range(request, &response, start)?;
        part.total_bytes = total;
        part.etag = strong_etag(&response);
        receive(request, &mut response, part, end, bar)?;
        Ok(true)
    }
}

/// The end of the received range, and the size of the file. Rejects any range but the requested
/// one, which may be shorter only at the end of the file.
fn check_range(
    request: &RangeRequest,
    response: &Response,
    start: u64,
) -> Result<(u64, Option<u64>), Failure> {
    let refuse = |reason: String| {
        Failure::Final(DownloadError::Range { address: Address::from(&request.url), reason })
    };
    let header = response.headers().get(CONTENT_RANGE);
    match header.and_then(ContentRange::parse) {
        Some(ContentRange::Part { start: got, end, total })
            if got == start && (end == request.bytes.end || Some(end) == total) =>
        {
            Ok((end, total))
        }
        Some(ContentRange::Unsatisfied { total }) => {
            Err(refuse(format!("asked for the bytes from {start}, but the file has only {total}")))
        }
        _ => Err(refuse(format!(
            "asked for bytes {start}-{}, but it sent {header:?}",
            request.bytes.end.saturating_sub(1)
        ))),
    }
}

fn receive(
    request: &RangeRequest,
    response: &mut Response,
    part: &mut RangePart,
    end: u64,
    bar: &Progress,
) -> Result<(), Failure> {
    let expected = end - request.bytes.start;
    let missing = expected - part.bytes.len() as u64;
    let read = bar.wrap_read(response.by_ref().take(missing)).read_to_end(&mut part.bytes);
    let got = part.bytes.len() as u64;
    match read {
        _ if got == expected => Ok(()),
        Ok(_) => {
            let address = Address::from(&request.url);
            Err(Failure::passing(DownloadError::Truncated { address, expected, got }))
        }
        Err(error) => Err(read_failure(&error, &request.url, got, Some(expected))),
    }
}

/// `If-Match` accepts no weak ETag (RFC 9110, 13.1.1).
fn strong_etag(response: &Response) -> Option<String> {
    let etag = response.headers().get(ETAG)?.to_str().ok()?;
    (!etag.starts_with("W/")).then(|| etag.to_owned())
}

/// The header of that name (RFC 9110, 14.4).
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ContentRange {
    /// `bytes 0-99/1000` or `bytes 0-99/*`; `end` is the byte after the last.
    Part { start: u64, end: u64, total: Option<u64> },
    /// `bytes */1000`: the answer to a range outside the file.
    Unsatisfied { total: u64 },
}

impl ContentRange {
    pub(crate) fn parse(header: &HeaderValue) -> Option<Self> {
        let (range, total) = header.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
        if range == "*" {
            return Some(Self::Unsatisfied { total: total.parse().ok()? });
        }
        let (start, last) = range.split_once('-')?;
        let (start, last): (u64, u64) = (start.parse().ok()?, last.parse().ok()?);
        let total = if total == "*" { None } else { Some(total.parse().ok()?) };
        let end = last.checked_add(1)?;
        (start < end && total.is_none_or(|total| end <= total)).then_some(Self::Part {
            start,
            end,
            total,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_is_read_and_nonsense_refused() {
        let parse = |text: &'static str| ContentRange::parse(&HeaderValue::from_static(text));
        let part = |total| Some(ContentRange::Part { start: 2, end: 6, total });
        assert_eq!(parse("bytes 2-5/10"), part(Some(10)));
        assert_eq!(parse("bytes 2-5/*"), part(None));
        assert_eq!(parse("bytes */10"), Some(ContentRange::Unsatisfied { total: 10 }));
        for nonsense in
            ["bytes 5-2/10", "bytes 2-10/10", "bytes 2-5", "items 2-5/10", "bytes a-b/c"]
        {
            assert_eq!(parse(nonsense), None, "{nonsense}");
        }
    }
}
