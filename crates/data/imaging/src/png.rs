//! Separates the parts of a PNG that make its picture from those that only describe it.

use std::borrow::Cow;

/// Bytes of a chunk around its content: length, name, checksum.
const FRAME: usize = 12;
const SIGNATURE: usize = 8;

/// Removes chunks that do not affect the picture as it is read here: profiles and texts, which may
/// be deflated and inflate to any size, and whatever programs add.
pub(crate) fn essential(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !chunks(bytes).any(|chunk| !is_essential(chunk)) {
        return bytes.into();
    }
    let mut essential = bytes[..SIGNATURE].to_vec();
    for chunk in chunks(bytes).filter(|chunk| is_essential(chunk)) {
        essential.extend_from_slice(chunk);
    }
    essential.into()
}

/// Chunks with their frames; the last may be cut.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes.get(SIGNATURE..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = u32::from_be_bytes(*rest.first_chunk::<4>()?) as usize;
        let (chunk, next) = rest.split_at(length.saturating_add(FRAME).min(rest.len()));
        rest = next;
        Some(chunk)
    })
}

/// Chunks whose name starts with a capital must not be skipped. Transparency is kept because it is
/// part of the colour mode, and EXIF for its orientation.
fn is_essential(chunk: &[u8]) -> bool {
    let name = chunk.get(4..8).unwrap_or_default();
    name.first().is_none_or(u8::is_ascii_uppercase) || matches!(name, b"tRNS" | b"eXIf")
}
