//! A picture is turned upright, by the tag of EXIF and of TIFF, as browsers do.
#![cfg(test)]

mod write_tiff;

use imaging::{Picture, decode};

use crate::write_tiff::Tiff;

/// 3 × 2 pixels whose values show their upright position.
const UPRIGHT: [u8; 6] = [10, 20, 30, 40, 50, 60];

/// How a file stores the upright picture for each orientation: width, and rows. EXIF 2.32 and TIFF
/// 6.0 define which side of the stored rows and columns is up; Pillow's `exif_transpose` reverses
/// it.
const STORED: [(u16, u32, [u8; 6]); 8] = [
    (1, 3, [10, 20, 30, 40, 50, 60]),
    (2, 3, [30, 20, 10, 60, 50, 40]),
    (3, 3, [60, 50, 40, 30, 20, 10]),
    (4, 3, [40, 50, 60, 10, 20, 30]),
    (5, 2, [10, 40, 20, 50, 30, 60]),
    (6, 2, [30, 60, 20, 50, 10, 40]),
    (7, 2, [60, 30, 50, 20, 40, 10]),
    (8, 2, [40, 10, 50, 20, 60, 30]),
];

#[track_caller]
fn assert_upright(picture: &Picture, what: &str) {
    assert_eq!((picture.width(), picture.height()), (3, 2), "{what}");
    let grey: Vec<u16> = UPRIGHT.iter().map(|grey| u16::from(*grey) * 257).collect();
    assert_eq!(picture.grey16(3, 2), grey, "{what}");
}

/// EXIF with nothing but an orientation.
fn exif(orientation: u16) -> Vec<u8> {
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend(orientation.to_le_bytes());
    exif.extend([0; 6]);
    exif
}

fn png(width: u32, rows: &[u8; 6], exif: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, 6 / width);
    encoder.set_color(png::ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::eXIf, exif).unwrap();
    writer.write_image_data(rows).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn exif_of_a_png_turns_it_upright() {
    for (orientation, width, rows) in STORED {
        let picture = decode(&png(width, &rows, &exif(orientation))).unwrap();
        assert_upright(&picture, &format!("orientation {orientation}"));
    }
}

#[test]
fn exif_of_a_webp_turns_it_upright_with_or_without_a_mark() {
    for (orientation, width, rows) in STORED {
        for mark in [&b""[..], b"Exif\0\0"] {
            let grey = image::GrayImage::from_raw(width, 6 / width, rows.to_vec()).unwrap();
            let exif = [mark, &exif(orientation)].concat();
            let mut bytes = Vec::new();
            let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
            image::ImageEncoder::set_exif_metadata(&mut encoder, exif).unwrap();
            encoder.encode(&grey, width, 6 / width, image::ExtendedColorType::L8).unwrap();
            assert_upright(&decode(&bytes).unwrap(), &format!("orientation {orientation}"));
        }
    }
}

#[test]
fn the_orientation_of_a_tiff_turns_it_upright() {
    for (orientation, width, rows) in STORED {
        let tiff = Tiff::grey(width, &rows).with(274, 3, &[u32::from(orientation)]);
        assert_upright(&decode(&tiff.bytes()).unwrap(), &format!("orientation {orientation}"));
    }
}

#[test]
fn exif_of_a_jpeg_turns_it_upright() {
    // Eight by sixteen pixels, the upper half black: turned right, the right half is black.
    let mut jpeg = Vec::new();
    let half = image::GrayImage::from_fn(8, 16, |_, y| image::Luma([if y < 8 { 0 } else { 255 }]));
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg).encode_image(&half).unwrap();
    let content = [b"Exif\0\0".as_slice(), &exif(6)].concat();
    let length = u16::try_from(content.len() + 2).unwrap().to_be_bytes();
    jpeg.splice(2..2, [&[0xff, 0xe1], length.as_slice(), &content].concat());
    let picture = decode(&jpeg).unwrap();
    assert_eq!((picture.width(), picture.height()), (16, 8));
    let grey = picture.grey16(2, 1);
    assert!(grey[0] > 50_000 && grey[1] < 15_000, "{grey:?}");
}

#[test]
fn damaged_exif_says_nothing_of_the_picture() {
    for exif in [&b"II*\0\xff\xff\xff\xff"[..], b"", b"nothing of the kind"] {
        assert_upright(&decode(&png(3, &UPRIGHT, exif)).unwrap(), "damaged EXIF");
    }
    assert_upright(&decode(&png(3, &UPRIGHT, &exif(9))).unwrap(), "orientation 9");
}
