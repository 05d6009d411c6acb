//! Resumable, verified downloads over HTTP.
//!
//! [`Downloader::fetch_file`] brings a whole file: into a `.part` file first, taken up again where
//! it broke off, digested on the way, renamed when it is whole and right.
//! [`Downloader::fetch_range`] brings a stretch of bytes, for formats that say in their head where
//! everything lies. [`Downloader::fetch_text`] reads a small page.
//!
//! All three try again, with pauses that double, after what may pass (a broken connection, a
//! timeout, 408, 429, 5xx), and stop at once at what will not (401, 403, 404).

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
// What the requests are made of.
pub use url::Url;
