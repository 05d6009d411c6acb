//! Resumable, verified downloads over HTTP.
//!
//! [`Downloader::fetch_file`] downloads a whole file: into a `.part` file first, resumed after a
//! failure, digested during the transfer, and renamed when it is complete and correct.
//! [`Downloader::fetch_range`] downloads a range of bytes, for formats with an index at their
//! start. [`Downloader::fetch_text`] reads a small page.
//!
//! All three retry, with pauses that double, after errors that may pass (a broken connection, a
//! timeout, 408, 429, 5xx), and stop at once at errors that will not (401, 403, 404).

mod client;
mod content;
mod error;
mod file;
mod part;
mod range;
mod request;
mod retry;
mod text;

pub use client::Downloader;
pub use content::UnexpectedContent;
pub use error::{Address, DownloadError};
pub use request::{
    Authorization, Downloaded, Expect, FileRequest, RangePart, RangeReply, RangeRequest, TextReply,
};
// The type of the requests' addresses.
pub use url::Url;
