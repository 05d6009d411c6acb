//! The headers of data elements (DICOM PS3.5 section 7), as they occur in real files and not only
//! in the standard: whatever pydicom reads is read.

use dicom_core::Tag;

/// Reads headers from a given position on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Elements<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) big_endian: bool,
}

/// The part before a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) tag: Tag,
    /// Missing if it is implicit, and in the frames of sequences.
    pub(super) vr: Option<[u8; 2]>,
    /// Bytes of the value; `None` if a delimiter ends it.
    pub(super) length: Option<usize>,
    pub(super) value_at: usize,
}

pub(super) const ITEM: Tag = Tag(0xFFFE, 0xE000);
pub(super) const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
pub(super) const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);

/// For these the length has four bytes, after two of zero. PS3.5 section 7.1.2.
const LONG: [&[u8; 2]; 13] =
    [b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"];
/// For these it has two.
const SHORT: [&[u8; 2]; 21] = [
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN",
    b"SH", b"SL", b"SS", b"ST", b"TM", b"UI", b"UL", b"US",
];

impl Elements<'_> {
    fn word(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk::<2>()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    fn length(&self, at: usize) -> Option<Option<usize>> {
        let bytes = *self.bytes.get(at..)?.first_chunk::<4>()?;
        let length =
            if self.big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) };
        Some((length != u32::MAX).then_some(length as usize))
    }

    fn tag(&self, at: usize) -> Option<Tag> {
        Some(Tag(self.word(at)?, self.word(at + 2)?))
    }

    /// The VR, if two capital letters stand here.
    fn vr(&self, at: usize) -> Option<[u8; 2]> {
        let vr = *self.bytes.get(at + 4..)?.first_chunk::<2>()?;
        vr.iter().all(u8::is_ascii_uppercase).then_some(vr)
    }

    /// Whether a data set that starts here writes VRs, whatever its transfer syntax is.
    pub(super) fn is_explicit(&self, at: usize) -> bool {
        self.vr(at).is_some()
    }

    /// The header that starts here. `None` if the bytes end.
    ///
    /// An element without a VR among others that have one is implicit. An unknown VR has two bytes
    /// of length, as in pydicom, unless they are zero and only four lead to a next element.
    pub(super) fn header(&self, at: usize, implicit: bool) -> Option<Header> {
        let tag = self.tag(at)?;
        let of_four = |vr, length_at| {
            let length = self.length(length_at)?;
            Some(Header { tag, vr, length, value_at: length_at + 4 })
        };
        let vr = if implicit || tag.group() == ITEM.group() { None } else { self.vr(at) };
        let Some(name) = vr else { return of_four(None, at + 4) };
        if LONG.contains(&&name) {
            return of_four(vr, at + 8);
        }
        let length = usize::from(self.word(at + 6)?);
        let next = self.tag(at + 8).is_none_or(|next| next > tag);
        if length == 0 && !SHORT.contains(&&name) && !next {
            return of_four(vr, at + 8);
        }
        Some(Header { tag, vr, length: Some(length), value_at: at + 8 })
    }

    /// Whether some headers in a row, up to five, look like a data set: in order, of the first
    /// possible groups, and with values that fit.
    pub(super) fn look_like_a_data_set(&self) -> bool {
        const ENOUGH: usize = 5;
        /// Attributes of groups 2 and 8 at the start of a file are shorter; this does not apply to
        /// sequences.
        const LONGEST: usize = 4096;
        let implicit = !self.is_explicit(0);
        let (mut at, mut last) = (0, None);
        for number in 0..ENOUGH {
            let Some(header) = self.header(at, implicit) else { return number >= 3 };
            let Header { tag, vr, length, value_at } = header;
            let known = vr.is_none_or(|vr| LONG.contains(&&vr) || SHORT.contains(&&vr));
            let starts = number > 0 || matches!(tag, Tag(0x0002 | 0x0008, 0..=0x18));
            let plausible = starts && known && tag.group() <= 0x0032 && last < Some(tag);
            // The check of the first headers ends at a sequence.
            let is_sequence = vr == Some(*b"SQ") || length.is_none();
            if !plausible || (is_sequence && number < 2) {
                return false;
            }
            let Some(length) = length.filter(|_| !is_sequence) else { return true };
            // In implicit files a long value and a sequence look the same.
            if length % 2 == 1 || (length > LONGEST && number < 3) {
                return false;
            }
            last = Some(tag);
            at = value_at + length;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn little(bytes: &[u8]) -> Elements<'_> {
        Elements { bytes, big_endian: false }
    }

    #[test]
    fn every_way_to_write_a_header_is_read() {
        let short = b"\x28\0\x10\0US\x02\0\x07\0";
        let header = little(short).header(0, false).unwrap();
        assert_eq!((header.length, header.value_at), (Some(2), 8));
        let long = b"\x28\0\x10\0OW\0\0\x02\0\0\0\x07\0";
        let header = little(long).header(0, false).unwrap();
        assert_eq!((header.length, header.value_at), (Some(2), 12));
        let implicit = b"\x28\0\x10\0\x02\0\0\0\x07\0";
        for is_told in [false, true] {
            let header = little(implicit).header(0, is_told).unwrap();
            assert_eq!((header.vr, header.length, header.value_at), (None, Some(2), 8));
        }
        assert_eq!(little(&implicit[..7]).header(0, true), None);
    }

    #[test]
    fn the_length_of_an_unknown_vr_is_the_one_that_leads_on() {
        let short = b"\x20\0\x13\0XX\x02\0\x07\0\x28\0\x02\0US\x02\0\x01\0";
        assert_eq!(little(short).header(0, false).unwrap().length, Some(2));
        let long = b"\x20\0\x13\0XX\0\0\x02\0\0\0\x07\0\x28\0\x02\0US\x02\0\x01\0";
        let header = little(long).header(0, false).unwrap();
        assert_eq!((header.length, header.value_at), (Some(2), 12));
        let empty = b"\x20\0\x13\0XX\0\0\x28\0\x02\0US\x02\0\x01\0";
        assert_eq!(little(empty).header(0, false).unwrap().length, Some(0));
    }
}
