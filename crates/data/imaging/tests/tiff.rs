//! TIFF tags that change the picture: each is applied, or the file is refused with the tag's name.
#![cfg(test)]

mod write_tiff;

use imaging::{DecodeError, decode};

use crate::write_tiff::Tiff;

const SHORT: u16 = 3;
const LONG: u16 = 4;

fn rgb(tiff: &Tiff) -> Vec<u8> {
    let mut rows = Vec::new();
    decode(&tiff.bytes()).unwrap().for_each_rgb_row(|row| rows.extend_from_slice(row));
    rows
}

fn grey(tiff: &Tiff) -> Vec<u8> {
    rgb(tiff).chunks(3).map(|pixel| pixel[0]).collect()
}

#[test]
fn white_may_be_zero() {
    let tiff = Tiff::grey(3, &[0, 55, 255]).with(262, SHORT, &[0]);
    assert_eq!(grey(&tiff), [255, 200, 0]);
    // Bits: 1010 0000, from white.
    let bits = Tiff::grey(4, &[0xA0; 4]).with(257, LONG, &[1]).with(258, SHORT, &[1]);
    assert_eq!(grey(&bits), [255, 0, 255, 0]);
    assert_eq!(grey(&bits.with(262, SHORT, &[0])), [0, 255, 0, 255]);
}

#[test]
fn bits_may_lie_the_other_way_round() {
    let reversed: Vec<u8> = [1_u8, 2, 200].iter().map(|byte| byte.reverse_bits()).collect();
    assert_eq!(grey(&Tiff::grey(3, &reversed).with(266, SHORT, &[2])), [1, 2, 200]);
    let bits = Tiff::grey(4, &[0x05; 4]).with(257, LONG, &[1]).with(258, SHORT, &[1]);
    assert_eq!(grey(&bits.with(266, SHORT, &[2])), [255, 0, 255, 0]);
}

#[test]
fn strips_that_share_bytes_are_not_turned_round_twice() {
    let tiff = Tiff::grey(2, &[1, 2, 3, 4]).with(278, LONG, &[1]).with(266, SHORT, &[2]);
    // The same strip twice is one row twice.
    let twice = tiff.clone().with(273, LONG, &[8, 8]).with(279, LONG, &[2, 2]);
    let reversed = [1_u8.reverse_bits(), 2_u8.reverse_bits()];
    assert_eq!(grey(&twice), [reversed, reversed].concat());
    let shared = tiff.with(273, LONG, &[8, 9]).with(279, LONG, &[2, 2]);
    let message = decode(&shared.bytes()).unwrap_err().to_string();
    assert!(message.contains("FillOrder 2"), "{message}");
}

#[test]
fn planes_become_pixels() {
    let tiff = Tiff::colour(2, 1, 3, &[]).with(284, SHORT, &[2]);
    let tiff = tiff.with_strips(&[&[1, 4], &[2, 5], &[3, 6]]);
    assert_eq!(rgb(&tiff), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn colours_are_divided_by_the_alpha_they_were_multiplied_with() {
    let pixels = [100, 50, 0, 255, 100, 50, 0, 128, 9, 9, 9, 0];
    let tiff = Tiff::colour(3, 1, 4, &pixels);
    let associated = tiff.clone().with(338, SHORT, &[1]);
    // Pillow's RGBA of the same file: 255 · 100 / 128 = 199, 255 · 50 / 128 = 99.
    assert_eq!(rgb(&associated), [100, 50, 0, 199, 99, 0, 0, 0, 0]);
    let unassociated = tiff.with(338, SHORT, &[2]);
    assert_eq!(rgb(&unassociated), [100, 50, 0, 100, 50, 0, 9, 9, 9]);
}

#[test]
fn a_tiff_of_eight_byte_offsets_is_read() {
    let entry = |tag: u16, kind: u16, number: u64| {
        let mut entry = tag.to_le_bytes().to_vec();
        entry.extend(kind.to_le_bytes());
        entry.extend(1_u64.to_le_bytes());
        entry.extend(number.to_le_bytes());
        entry
    };
    let mut bytes = b"II\x2b\0\x08\0\0\0\x18\0\0\0\0\0\0\0".to_vec();
    bytes.extend([7, 77, 177, 255, 0, 0, 0, 0]);
    let entries = [
        (256, 4, 2),
        (257, 4, 2),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 0),
        (273, 16, 16),
        (277, 3, 1),
        (278, 4, 2),
        (279, 16, 4),
    ];
    bytes.extend((entries.len() as u64).to_le_bytes());
    entries.iter().for_each(|(tag, kind, number)| bytes.extend(entry(*tag, *kind, *number)));
    bytes.extend([0; 8]);
    let picture = decode(&bytes).unwrap();
    assert_eq!(picture.grey16(2, 2), [248, 178, 78, 0].map(|grey| grey * 257));
}

#[test]
fn kinds_that_are_not_read_are_named() {
    let rgb = Tiff::colour(16, 16, 3, &[0; 768]);
    let grey = Tiff::grey(4, &[0; 16]);
    for (tiff, reason) in [
        (grey.clone().with(339, SHORT, &[2]), "signed samples (SampleFormat 2)"),
        (grey.clone().with(339, SHORT, &[3]), "floating-point samples"),
        (grey.clone().with(258, SHORT, &[4]), "4 bits a sample"),
        (grey.clone().with(258, SHORT, &[12]), "12 bits a sample"),
        (grey.clone().with(262, SHORT, &[3]), "a palette (PhotometricInterpretation 3)"),
        (grey.clone().with(262, SHORT, &[4]), "a transparency mask"),
        (grey.with(258, SHORT, &[8, 8]).with(277, SHORT, &[2]), "grey with 1 more samples"),
        (rgb.clone().with(262, SHORT, &[6]), "luminance and chrominance"),
        (rgb.clone().with(262, SHORT, &[8]), "CIE L*a*b* colours"),
        (
            Tiff::colour(2, 1, 4, &[0; 8]).with(262, SHORT, &[5]).with(332, SHORT, &[2]),
            "inks that are not",
        ),
        (
            rgb.with(284, SHORT, &[2])
                .with(322, SHORT, &[16])
                .with(323, SHORT, &[16])
                .with_strips(&[&[0; 256], &[0; 256], &[0; 256]]),
            "tiles of one colour each (PlanarConfiguration 2)",
        ),
    ] {
        let error = decode(&tiff.bytes()).unwrap_err();
        assert!(matches!(error, DecodeError::Unsupported { .. }), "{reason}: {error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn more_tiles_than_any_picture_has_are_refused() {
    let tiles = vec![8; 10_000];
    let tiff = Tiff::grey(100, &[0; 10_000])
        .with(322, SHORT, &[1])
        .with(323, SHORT, &[1])
        .with(324, LONG, &tiles)
        .with(325, LONG, &vec![1; 10_000]);
    let error = decode(&tiff.bytes()).unwrap_err();
    assert!(matches!(error, DecodeError::TooCostly { .. }), "{error}");
    assert!(error.to_string().contains("10000 strips or tiles"), "{error}");
}

#[test]
fn a_jpeg_in_a_strip_is_no_larger_than_the_strip() {
    let mut jpeg = Vec::new();
    let large = image::GrayImage::new(64, 64);
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg).encode_image(&large).unwrap();
    let tiff = Tiff::grey(8, &[0; 64]).with(259, SHORT, &[7]).with_strips(&[&jpeg]);
    let message = decode(&tiff.bytes()).unwrap_err().to_string();
    assert!(message.contains("a JPEG of 64×64 pixels in a strip"), "{message}");
    let right = Tiff::grey(64, &[0; 4096]).with(259, SHORT, &[7]).with_strips(&[&jpeg]);
    assert!(decode(&right.bytes()).is_ok());
}
