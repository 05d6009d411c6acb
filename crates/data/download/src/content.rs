//! Recognises downloaded content by its first bytes.

use std::fmt;

/// Content that arrived in place of a zip archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnexpectedContent {
    /// Nothing.
    Empty,
    /// A web page: a log-in form, a consent page, an error.
    Page {
        /// Its title, if it has one.
        title: Option<String>,
    },
    /// Something else.
    Other {
        /// Its first bytes, unprintable ones escaped.
        start: String,
    },
}

impl fmt::Display for UnexpectedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("an empty file came in place of a zip file"),
            Self::Page { title: Some(title) } => write!(
                f,
                "a web page titled {title:?} came in place of a zip file; \
                 open the address in a browser to see what it asks for"
            ),
            Self::Page { title: None } => f.write_str(
                "a web page came in place of a zip file; \
                 open the address in a browser to see what it asks for",
            ),
            Self::Other { start } => write!(f, "not a zip file; it starts with \"{start}\""),
        }
    }
}

/// How many bytes are read to describe the content.
pub(crate) const DESCRIBED_BYTES: u64 = 64 << 10;

/// Whether a file that starts like this is a zip archive: a local file header, or the end record
/// of an empty archive.
pub(crate) fn is_zip(start: &[u8]) -> bool {
    start.starts_with(b"PK\x03\x04") || start.starts_with(b"PK\x05\x06")
}

/// Describes content that is not a zip archive.
pub(crate) fn describe(start: &[u8]) -> UnexpectedContent {
    if start.is_empty() {
        return UnexpectedContent::Empty;
    }
    let text = String::from_utf8_lossy(start);
    let lower = text.trim_start_matches('\u{feff}').trim_start().to_ascii_lowercase();
    if ["<!doctype html", "<html", "<head"].iter().any(|mark| lower.starts_with(mark)) {
        return UnexpectedContent::Page { title: title(&text) };
    }
    UnexpectedContent::Other { start: start[..start.len().min(40)].escape_ascii().to_string() }
}

/// The text between `<title>` and `</title>`, blanks joined.
fn title(page: &str) -> Option<String> {
    // Lowering only ASCII letters keeps every byte at its position.
    let lower = page.to_ascii_lowercase();
    let opening = lower.find("<title")?;
    let start = opening + lower[opening..].find('>')? + 1;
    let end = start + lower[start..].find("</title")?;
    let words: Vec<&str> = page[start..end].split_whitespace().collect();
    Some(words.join(" ")).filter(|title| !title.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_its_title() {
        let page =
            b"\xef\xbb\xbf\n<!DOCTYPE html><html><head><TITLE lang=en>Sign in\n - Kaggle</TITLE>";
        assert_eq!(
            describe(page),
            UnexpectedContent::Page { title: Some("Sign in - Kaggle".into()) }
        );
        assert_eq!(describe(b"<html><body>no"), UnexpectedContent::Page { title: None });
    }

    #[test]
    fn other_files_are_described_by_their_first_bytes() {
        let found = describe(b"Rar!\x1a\x07").to_string();
        assert_eq!(found, r#"not a zip file; it starts with "Rar!\x1a\x07""#);
        assert_eq!(describe(b""), UnexpectedContent::Empty);
    }

    #[test]
    fn an_empty_archive_is_a_zip() {
        assert!(is_zip(b"PK\x05\x06\0\0") && is_zip(b"PK\x03\x04") && !is_zip(b"PK"));
    }
}
