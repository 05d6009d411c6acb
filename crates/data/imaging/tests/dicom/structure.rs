//! Files that break rules of how DICOM is written, and are still read, as by pydicom.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use imaging::dicom::{identity, object_without_image};
use imaging::{DecodeError, PictureFormat, decode, looks_like_image};

use crate::file::{File, levels};

const META_AT: usize = 132;
const GROUP_LENGTH_AT: usize = META_AT + 8;

fn slice() -> File {
    File::ct(2, 2, &[0, 300, 1024, 1174])
}

fn expected() -> Vec<u16> {
    slice().grey_levels()
}

#[track_caller]
fn assert_read(bytes: &[u8], what: &str) {
    match decode(bytes) {
        Ok(picture) => assert_eq!(levels(&picture), expected(), "{what}"),
        Err(error) => panic!("{what}: {error}"),
    }
    assert_eq!(identity(bytes).unwrap().patient_id.as_deref(), Some("patient 17"), "{what}");
}

/// The start of the element with these tag bytes.
fn place(bytes: &[u8], tag: [u8; 4]) -> usize {
    bytes.windows(4).position(|it| it == tag).unwrap()
}

/// The start of the data set.
fn data_set_at(bytes: &[u8]) -> usize {
    let length = bytes[GROUP_LENGTH_AT..].first_chunk::<4>().unwrap();
    GROUP_LENGTH_AT + 4 + u32::from_le_bytes(*length) as usize
}

#[test]
fn the_length_of_the_head_is_seen_and_not_believed() {
    for wrong in [0_u32, 1, 1000, u32::MAX] {
        let mut bytes = slice().bytes();
        bytes[GROUP_LENGTH_AT..GROUP_LENGTH_AT + 4].copy_from_slice(&wrong.to_le_bytes());
        assert_read(&bytes, &format!("a length of {wrong}"));
    }
    let mut bytes = slice().bytes();
    bytes.drain(META_AT..META_AT + 12);
    assert_read(&bytes, "no length at all");
}

#[test]
fn a_data_set_is_read_as_it_is_written_and_not_as_its_head_says() {
    let explicit = slice().bytes();
    let implicit = slice().in_syntax(uids::IMPLICIT_VR_LITTLE_ENDIAN).bytes();
    let [of_explicit, of_implicit] = [&explicit, &implicit].map(|bytes| data_set_at(bytes));
    let lying = [&explicit[..of_explicit], &implicit[of_implicit..]].concat();
    assert_read(&lying, "implicit under an explicit head");
    let lying = [&implicit[..of_implicit], &explicit[of_explicit..]].concat();
    assert_read(&lying, "explicit under an implicit head");
}

#[test]
fn a_file_without_head_is_known_by_its_first_elements() {
    for syntax in
        [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.2"]
    {
        let bytes = slice().in_syntax(syntax).bytes();
        let bare = &bytes[data_set_at(&bytes)..];
        assert_eq!(looks_like_image(bare), Some(PictureFormat::Dicom), "{syntax}");
        assert_eq!(looks_like_image(&bare[..200]), Some(PictureFormat::Dicom), "{syntax}");
        assert_read(bare, syntax);
        // With the head and without the 132 bytes before it.
        assert_eq!(looks_like_image(&bytes[META_AT..]), Some(PictureFormat::Dicom), "{syntax}");
        assert_read(&bytes[META_AT..], syntax);
    }
    let report = slice().with_text(tags::SOP_CLASS_UID, VR::UI, uids::BASIC_TEXT_SR_STORAGE);
    let bytes = report.bytes();
    let bare = &bytes[data_set_at(&bytes)..];
    assert_eq!(object_without_image(bare), Some("a structured report"));
    for other in
        [&b"\x08\0\x08\0 and some words of text that follow them"[..], &[8; 400], &[0; 400]]
    {
        assert_eq!(looks_like_image(other), None);
    }
}

#[test]
fn a_head_without_transfer_syntax_leaves_it_to_the_data_set() {
    for syntax in [uids::EXPLICIT_VR_LITTLE_ENDIAN, uids::IMPLICIT_VR_LITTLE_ENDIAN] {
        let mut bytes = slice().in_syntax(syntax).bytes();
        let at = place(&bytes, [2, 0, 0x10, 0]);
        let length = usize::from(bytes[at + 6]);
        bytes.drain(at..at + 8 + length);
        assert_read(&bytes, syntax);
    }
}

#[test]
fn a_vr_that_nobody_knows_is_passed_over() {
    let file = slice().with_text(tags::INSTANCE_NUMBER, VR::IS, "7 ");
    let mut bytes = file.bytes();
    let at = place(&bytes, [0x20, 0, 0x13, 0]);
    bytes[at + 4..at + 6].copy_from_slice(b"XX");
    assert_read(&bytes, "a short length");
    // As PS3.5 requires for future VRs: two bytes of zero, and a length of four.
    bytes.splice(at + 6..at + 8, [0, 0, 2, 0, 0, 0]);
    assert_read(&bytes, "a long length");
    // And no VR at all: an implicit element among explicit ones.
    bytes.splice(at + 4..at + 12, [2, 0, 0, 0]);
    assert_read(&bytes, "no VR");
}

/// A sequence of one item with one attribute, in bytes, with the requested delimiters.
fn sequence(ends_item: bool, ends_sequence: bool) -> Vec<u8> {
    let mut bytes = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff".to_vec();
    bytes.extend(b"\xfe\xff\x00\xe0\xff\xff\xff\xff");
    bytes.extend(b"\x08\0\x50\x11UI\x04\x001.2\0");
    if ends_item {
        bytes.extend(b"\xfe\xff\x0d\xe0\0\0\0\0");
    }
    if ends_sequence {
        bytes.extend(b"\xfe\xff\xdd\xe0\0\0\0\0");
    }
    bytes
}

#[test]
fn a_delimiter_may_be_missing_where_it_is_clear_what_ends() {
    for (ends_item, ends_sequence) in [(true, true), (false, true), (true, false)] {
        let mut bytes = slice().bytes();
        let at = place(&bytes, [0x10, 0, 0x20, 0]);
        bytes.splice(at..at, sequence(ends_item, ends_sequence));
        assert_read(&bytes, &format!("item {ends_item}, sequence {ends_sequence}"));
    }
}

#[test]
fn an_unknown_vr_may_hide_a_sequence() {
    // PS3.5 section 6.2.2: without a length it is implicit inside.
    let mut bytes = slice().bytes();
    let mut hidden = b"\x09\0\x01\x10UN\0\0\xff\xff\xff\xff".to_vec();
    hidden.extend(b"\xfe\xff\x00\xe0\xff\xff\xff\xff\x10\0\x20\0\x04\0\0\0else");
    hidden.extend(b"\xfe\xff\x0d\xe0\0\0\0\0\xfe\xff\xdd\xe0\0\0\0\0");
    let at = place(&bytes, [0x10, 0, 0x20, 0]);
    bytes.splice(at..at, hidden);
    assert_read(&bytes, "UN without a length");
}

/// Pixels in one fragment of run lengths: two segments of four bytes.
fn compressed() -> File {
    let mut frame = vec![0_u8; 64];
    frame[0] = 2;
    frame[4] = 64;
    frame[8] = 70;
    frame.extend([3, 0, 1, 4, 4, 0, 3, 0, 44, 0, 150, 0]);
    slice().with_fragments(uids::RLE_LOSSLESS, &[], &[&frame])
}

#[test]
fn fragments_may_lack_their_delimiter_at_the_end_of_the_file() {
    let bytes = compressed().bytes();
    assert_read(&bytes, "whole");
    assert_read(&bytes[..bytes.len() - 8], "without delimiter");
    // If a frame is missing too, the end of the file is missing.
    let two = compressed().with_text(tags::NUMBER_OF_FRAMES, VR::IS, "2").bytes();
    let cut = decode(&two[..two.len() - 8]).unwrap_err();
    assert!(matches!(cut, DecodeError::Truncated(_)), "{cut}");
}

#[test]
fn pixels_that_contradict_the_transfer_syntax_are_not_called_cut() {
    let mut bytes = compressed().bytes();
    let uid = uids::RLE_LOSSLESS.as_bytes();
    let at = bytes.windows(uid.len()).position(|it| it == uid).unwrap();
    let same_length = b"1.2.840.10008.1.2.1\0\0";
    bytes[at..at + uid.len()].copy_from_slice(&same_length[..uid.len()]);
    let message = decode(&bytes).unwrap_err().to_string();
    assert!(message.contains("its transfer syntax") && !message.contains("truncated"), "{message}");
}

#[test]
fn jpeg_is_known_by_its_bytes_under_the_syntax_of_jpeg_2000() {
    let frame = include_bytes!("../pictures/signed.j2k");
    let file =
        |syntax| File::ct(32, 32, &[]).with_bits(16, 12).with_fragments(syntax, &[], &[frame]);
    let named = file(uids::JPEG2000_LOSSLESS).grey_levels();
    assert_eq!(file(uids::JPEG_LOSSLESS_SV1).grey_levels(), named);
    assert_eq!(file(uids::RLE_LOSSLESS).grey_levels(), named);
}

#[test]
fn a_frame_that_ends_early_in_a_whole_file_is_not_called_cut() {
    let jpeg = include_bytes!("../pictures/lossless.jpg");
    let j2k = include_bytes!("../pictures/signed.j2k");
    for (syntax, frame) in [
        (uids::JPEG_LOSSLESS_SV1, &jpeg[..jpeg.len() / 4 * 2]),
        (uids::JPEG2000_LOSSLESS, &j2k[..j2k.len() / 4 * 2]),
        (uids::RLE_LOSSLESS, &[0; 10]),
    ] {
        let file = File::ct(32, 32, &[]).with_bits(16, 12);
        let message = file.with_fragments(syntax, &[], &[frame]).error();
        assert!(message.starts_with("damaged DICOM: "), "{syntax}: {message}");
    }
}

#[test]
fn a_tile_part_of_length_zero_goes_on_to_the_end() {
    let closed = include_bytes!("../pictures/signed.j2k");
    let at = closed.windows(2).position(|it| it == [0xff, 0x90]).unwrap();
    let mut open = closed.to_vec();
    open[at + 6..at + 10].fill(0);
    let file = |frame: &[u8]| {
        let file = File::ct(32, 32, &[]).with_bits(16, 12);
        file.with_fragments(uids::JPEG2000_LOSSLESS, &[], &[frame]).grey_levels()
    };
    let expected = file(closed);
    assert_eq!(file(&open), expected);
    open.push(0);
    assert_eq!(file(&open), expected);
}

#[test]
fn the_extended_table_tells_where_the_second_frame_starts() {
    use dicom_core::{DataElement, PrimitiveValue};
    let whole = compressed().bytes();
    let start = place(&whole, [3, 0, 1, 4]) - 64;
    let frame = &whole[start..start + 76];
    let (first, rest) = frame.split_at(40);
    let offsets = PrimitiveValue::U64([0, 92_u64].into_iter().collect());
    let file = slice()
        .with_text(tags::NUMBER_OF_FRAMES, VR::IS, "2")
        .with(DataElement::new(tags::EXTENDED_OFFSET_TABLE, VR::OV, offsets))
        .with_fragments(uids::RLE_LOSSLESS, &[], &[first, rest, &[0; 76]]);
    assert_eq!(file.grey_levels(), expected());
}
