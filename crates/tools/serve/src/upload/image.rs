//! One image of a request, and the limits on a request.

use axum::body::Bytes;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{Engine, alphabet};

use crate::error::{Code, Failure};

/// One image, as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// The file's name, if it was given; without any folder.
    pub(crate) file: Option<String>,
    pub(crate) bytes: Bytes,
}

/// Limits on a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UploadLimits {
    pub(crate) body_bytes: usize,
    pub(crate) images: usize,
}

/// Padding at the end may be missing: many clients cut it off.
const ANY_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);

/// The request holds more than `limit` images.
pub(super) fn too_many(limit: usize) -> Failure {
    let message = format!("the request holds more than {limit} images (serve.limits.images)");
    Failure::new(Code::TooLarge, message)
}

/// An image as base64, with or without a `data:` prefix; white space is ignored.
///
/// # Errors
/// When it is empty or not base64.
pub(crate) fn decode_base64(text: &str) -> Result<Bytes, Failure> {
    let refuse = |why: String| Failure::new(Code::BadRequest, format!("the image is {why}"));
    let content = match text.trim_start().strip_prefix("data:") {
        Some(data) => match data.split_once(',') {
            Some((kind, content)) if kind.ends_with(";base64") => content,
            _ => return Err(refuse("a data URL without base64".into())),
        },
        None => text,
    };
    let compact: Vec<u8> = content.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if compact.is_empty() {
        return Err(refuse("empty".into()));
    }
    let url_safe = compact.iter().any(|byte| matches!(byte, b'-' | b'_'));
    let decoded = if url_safe { URL_SAFE.decode(&compact) } else { BASE64.decode(&compact) };
    decoded.map(Bytes::from).map_err(|error| refuse(format!("not base64: {error}")))
}

/// A name without folders and control characters, and of limited length: it is stored and
/// displayed.
pub(super) fn plain_name(name: Option<String>) -> Option<String> {
    const LONGEST: usize = 200;
    let name = name?;
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let plain: String = last.chars().filter(|it| !it.is_control()).take(LONGEST).collect();
    (!plain.trim().is_empty()).then(|| plain.trim().to_owned())
}
