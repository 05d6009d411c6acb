//! Recognises DICOM files.

use super::elements::Elements;

/// The mark of a DICOM file follows 128 bytes without meaning.
const PREAMBLE_BYTES: usize = 128;
const MARK: &[u8] = b"DICM";

/// Number of bytes at the start that are needed to recognise a DICOM file: files without a mark are
/// recognised by their first elements.
const HEAD_BYTES: usize = 1024;

/// Whether a file starts like a DICOM file, with its mark or without.
pub(crate) fn is_dicom(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    has_mark(bytes)
        || [false, true]
            .into_iter()
            .any(|big_endian| Elements { bytes: head, big_endian }.look_like_a_data_set())
}

/// The start of the file meta information.
pub(super) fn past_mark(bytes: &[u8]) -> usize {
    if has_mark(bytes) { PREAMBLE_BYTES + MARK.len() } else { 0 }
}

fn has_mark(bytes: &[u8]) -> bool {
    bytes.get(PREAMBLE_BYTES..).is_some_and(|rest| rest.starts_with(MARK))
}
