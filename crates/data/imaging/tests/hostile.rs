//! Pictures from others: whatever the bytes are, decoding ends with a picture or an error. Those of
//! DICOM are in `dicom/hostile.rs`.
#![cfg(test)]

mod mutate;
mod write_tiff;

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use imaging::{DecodeOptions, decode_with};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use crate::mutate::{count_read, mutate, mutations};
use crate::write_tiff::Tiff;

/// The longest signature of a format; without it nothing would be decoded.
const SIGNATURE: usize = 12;

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// One file of each kind with its own way of being decoded.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let rgb = image::RgbImage::from_fn(24, 20, |x, y| {
        image::Rgb([(x * 9) as u8, (y * 11) as u8, (x * y) as u8])
    });
    let rgb = DynamicImage::from(rgb);
    let grey = rgb.to_luma8();
    vec![
        ("PNG", encoded(&rgb, ImageFormat::Png)),
        ("PNG, grey", encoded(&grey.into(), ImageFormat::Png)),
        ("PNG, 16 bits", encoded(&rgb.to_rgb16().into(), ImageFormat::Png)),
        ("JPEG", encoded(&rgb, ImageFormat::Jpeg)),
        ("JPEG, progressive", include_bytes!("pictures/progressive.jpg").to_vec()),
        ("JPEG, CMYK", include_bytes!("pictures/cmyk.jpg").to_vec()),
        ("GIF", encoded(&rgb.to_rgba8().into(), ImageFormat::Gif)),
        ("BMP", encoded(&rgb, ImageFormat::Bmp)),
        ("TIFF", encoded(&rgb, ImageFormat::Tiff)),
        ("TIFF, bits reversed", Tiff::grey(8, &[0x5a; 64]).with(266, 3, &[2]).bytes()),
        ("TIFF, premultiplied", Tiff::colour(4, 4, 4, &[99; 64]).with(338, 3, &[1]).bytes()),
        ("WebP", encoded(&rgb, ImageFormat::WebP)),
    ]
}

#[test]
fn no_mutation_of_a_picture_ends_in_a_panic() {
    let options = DecodeOptions { max_pixels: 1 << 16, ..DecodeOptions::default() };
    let mutations = mutations();
    for (name, file) in files() {
        decode_with(&file, &options).unwrap();
        let mutated = |seed| {
            let mut bytes = file.clone();
            mutate(&mut bytes, SIGNATURE, &mut ChaCha8Rng::seed_from_u64(seed));
            bytes
        };
        let read = count_read(name, mutated, |bytes| decode_with(bytes, &options).is_ok());
        // The changes reach the content.
        assert!(read < mutations, "{name}: all of {mutations} were read");
    }
}
