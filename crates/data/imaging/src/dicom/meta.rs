//! The head of a DICOM file: its kind of object, and how it is written.

use std::borrow::Cow;

use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};

use super::elements::Elements;
use super::mark::{is_dicom, past_mark};
use super::refusal::truncated;
use crate::DecodeError;

/// Retired in 2007, but old files still exist.
pub(super) const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// The file meta information of DICOM PS3.10 section 7.1, and the part that follows it.
pub(super) struct Meta<'a> {
    pub(super) transfer_syntax: Cow<'a, str>,
    pub(super) data_set: &'a [u8],
    sop_class: Option<&'a str>,
}

impl<'a> Meta<'a> {
    /// Reads all elements of group 2. The end of the group is found from the elements, since some
    /// files state a wrong length, or none. A file without the group is written as its first
    /// element is.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        const GROUP: u16 = 2;
        let start = past_mark(bytes);
        let elements = Elements { bytes, big_endian: false };
        let implicit = !elements.is_explicit(start);
        let (mut transfer_syntax, mut sop_class) = (None, None);
        let mut at = start;
        while let Some(header) = elements.header(at, implicit) {
            if header.tag.group() != GROUP {
                break;
            }
            let end = header.length.and_then(|length| header.value_at.checked_add(length));
            let value = end.and_then(|end| bytes.get(header.value_at..end));
            let Some(value) = value else { return Err(truncated()) };
            match header.tag {
                tags::TRANSFER_SYNTAX_UID => transfer_syntax = uid(value),
                tags::MEDIA_STORAGE_SOP_CLASS_UID => sop_class = uid(value),
                _ => {}
            }
            at = header.value_at + value.len();
        }
        let data_set = bytes.get(at..).unwrap_or_default();
        let guessed = || guess(data_set).into();
        Ok(Self {
            transfer_syntax: transfer_syntax.map_or_else(guessed, Cow::Borrowed),
            data_set,
            sop_class,
        })
    }

    /// The kind of object, from the head or from the start of the data set.
    fn sop_class(&self) -> Option<&'a str> {
        if self.sop_class.is_some() {
            return self.sop_class;
        }
        let big_endian = self.transfer_syntax == EXPLICIT_VR_BIG_ENDIAN;
        let elements = Elements { bytes: self.data_set, big_endian };
        let implicit = !elements.is_explicit(0);
        let mut at = 0;
        loop {
            let header = elements.header(at, implicit)?;
            if header.tag > tags::SOP_CLASS_UID {
                return None;
            }
            let end = header.value_at.checked_add(header.length?)?;
            if header.tag == tags::SOP_CLASS_UID {
                return uid(self.data_set.get(header.value_at..end)?);
            }
            at = end;
        }
    }
}

/// The transfer syntax of a data set that does not name it, guessed as pydicom does.
fn guess(data_set: &[u8]) -> &'static str {
    /// No data set starts with so high a group number, unless it is read in the wrong byte order.
    const IMPROBABLE_GROUP: u16 = 0x0400;
    let elements = Elements { bytes: data_set, big_endian: false };
    if !elements.is_explicit(0) {
        return uids::IMPLICIT_VR_LITTLE_ENDIAN;
    }
    match elements.header(0, false).map(|header| header.tag) {
        Some(Tag(IMPROBABLE_GROUP.., _)) => EXPLICIT_VR_BIG_ENDIAN,
        _ => uids::EXPLICIT_VR_LITTLE_ENDIAN,
    }
}

/// The kind of a DICOM file whose first bytes show that it has no image: a directory, a report, a
/// plan. A kilobyte is enough. `None` does not promise an image.
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
        // Masks have pixels, but no picture.
        ("1.2.840.10008.5.1.4.1.1.66.", "a registration or segmentation"),
        (uids::RAW_DATA_STORAGE, "raw data"),
    ];
    if !is_dicom(head) {
        return None;
    }
    let class = Meta::read(head).ok()?.sop_class()?;
    let is_of = |(start, _): &&(&str, &str)| {
        if start.ends_with('.') { class.starts_with(start) } else { class == *start }
    };
    WITHOUT_IMAGE.iter().find(is_of).map(|(_, words)| *words)
}

fn uid(value: &[u8]) -> Option<&str> {
    Some(str::from_utf8(value).ok()?.trim_matches(['\0', ' '])).filter(|uid| !uid.is_empty())
}
