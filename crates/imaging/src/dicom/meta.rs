//! The head of a DICOM file: what kind of object it is, and how it is written.

use dicom_dictionary_std::uids;

use super::{damaged, truncated};
use crate::DecodeError;

/// The mark of a DICOM file follows 128 bytes that mean nothing.
const PREAMBLE_BYTES: usize = 128;
const MARK: &[u8] = b"DICM";

/// The file meta information of DICOM PS3.10 section 7.1, always explicit and little endian.
pub(super) struct Meta<'a> {
    pub(super) transfer_syntax: &'a str,
    pub(super) data_set: &'a [u8],
}

impl<'a> Meta<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let length = group_length(bytes)?;
        let rest = bytes.get(ELEMENTS_AT..).ok_or_else(truncated)?;
        let (group, data_set) = rest.split_at_checked(length).ok_or_else(truncated)?;
        let transfer_syntax = uid(group, TRANSFER_SYNTAX_UID)
            .ok_or_else(|| damaged("its transfer syntax is missing"))?;
        Ok(Self { transfer_syntax, data_set })
    }
}

/// Whether a file's first bytes are those of a DICOM file.
pub(crate) fn is_dicom(bytes: &[u8]) -> bool {
    bytes.get(PREAMBLE_BYTES..).is_some_and(|rest| rest.starts_with(MARK))
}

/// What a DICOM file is, where its first bytes say that it is no image: a directory, a report, a
/// plan. A kilobyte is enough to tell. `None` promises nothing.
pub fn object_without_image(head: &[u8]) -> Option<&'static str> {
    /// Starts of SOP classes, from DICOM PS3.6 annex A.
    const WITHOUT_IMAGE: [(&str, &str); 9] = [
        (uids::MEDIA_STORAGE_DIRECTORY_STORAGE, "a directory of DICOM files"),
        ("1.2.840.10008.5.1.4.1.1.88.", "a structured report"),
        ("1.2.840.10008.5.1.4.1.1.11.", "a presentation state"),
        ("1.2.840.10008.5.1.4.1.1.9.", "a waveform"),
        ("1.2.840.10008.5.1.4.1.1.104.", "an encapsulated document"),
        (uids::RT_STRUCTURE_SET_STORAGE, "a radiotherapy structure set"),
        (uids::RT_PLAN_STORAGE, "a radiotherapy plan"),
        // Masks have pixels, but show nothing.
        ("1.2.840.10008.5.1.4.1.1.66.", "a registration or segmentation"),
        (uids::RAW_DATA_STORAGE, "raw data"),
    ];
    if !is_dicom(head) {
        return None;
    }
    let length = group_length(head).ok()?;
    let group = head.get(ELEMENTS_AT..)?;
    let class = uid(&group[..group.len().min(length)], MEDIA_STORAGE_SOP_CLASS_UID)?;
    let is_of = |(start, _): &&(&str, &str)| {
        if start.ends_with('.') { class.starts_with(start) } else { class == *start }
    };
    WITHOUT_IMAGE.iter().find(is_of).map(|(_, words)| *words)
}

const MEDIA_STORAGE_SOP_CLASS_UID: [u8; 4] = [2, 0, 2, 0];
const TRANSFER_SYNTAX_UID: [u8; 4] = [2, 0, 0x10, 0];

/// The group starts with an element of 12 bytes that says how long the others are.
const GROUP_AT: usize = PREAMBLE_BYTES + MARK.len();
const ELEMENTS_AT: usize = GROUP_AT + 12;

fn group_length(bytes: &[u8]) -> Result<usize, DecodeError> {
    let first = bytes.get(GROUP_AT..ELEMENTS_AT).ok_or_else(truncated)?;
    let (head, length) = first.split_last_chunk::<4>().ok_or_else(truncated)?;
    if head != [2, 0, 0, 0, b'U', b'L', 4, 0] {
        return Err(damaged("its file meta information does not say how long it is"));
    }
    Ok(u32::from_le_bytes(*length) as usize)
}

/// The value of an element with a UID: number, `UI`, length in two bytes, text.
fn uid(mut group: &[u8], wanted: [u8; 4]) -> Option<&str> {
    /// Of these the length has four bytes, after two of zero. PS3.5 section 7.1.2.
    const LONG: [&[u8; 2]; 3] = [b"OB", b"UN", b"UT"];
    loop {
        let (number, rest) = group.split_first_chunk::<4>()?;
        let (kind, rest) = rest.split_first_chunk::<2>()?;
        let (length, rest) = if LONG.contains(&kind) {
            let (length, rest) = rest.get(2..)?.split_first_chunk::<4>()?;
            (u32::from_le_bytes(*length) as usize, rest)
        } else {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        };
        let (value, next) = rest.split_at_checked(length)?;
        if *number == wanted {
            return Some(str::from_utf8(value).ok()?.trim_matches(['\0', ' ']));
        }
        group = next;
    }
}
