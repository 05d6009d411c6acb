//! How a DICOM file is recognised.

use super::elements::Elements;

/// The mark of a DICOM file follows 128 bytes that mean nothing.
const PREAMBLE_BYTES: usize = 128;
const MARK: &[u8] = b"DICM";

/// Of how many bytes at the start it can be told whether a file is DICOM: those that have no mark
/// are known by their first elements.
const HEAD_BYTES: usize = 1024;

/// Whether a file's first bytes are those of a DICOM file, with its mark or without.
pub(crate) fn is_dicom(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(HEAD_BYTES)];
    has_mark(bytes)
        || [false, true]
            .into_iter()
            .any(|big_endian| Elements { bytes: head, big_endian }.look_like_a_data_set())
}

/// Where the file meta information starts.
pub(super) fn past_mark(bytes: &[u8]) -> usize {
    if has_mark(bytes) { PREAMBLE_BYTES + MARK.len() } else { 0 }
}

fn has_mark(bytes: &[u8]) -> bool {
    bytes.get(PREAMBLE_BYTES..).is_some_and(|rest| rest.starts_with(MARK))
}
