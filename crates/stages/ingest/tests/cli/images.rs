//! Images and labelled folders for tests.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::{GrayImage, ImageFormat, Luma};

/// A small grey image that differs for every `number`.
pub(crate) fn picture(number: u32, format: ImageFormat) -> Vec<u8> {
    let width = 8 + number % 5;
    let image = GrayImage::from_fn(width, 6, |x, y| {
        Luma([(number.wrapping_mul(37) + x * 11 + y * 29).to_le_bytes()[0]])
    });
    // The image's number again, in full, so that all images differ.
    let mut image = image;
    for (x, byte) in number.to_le_bytes().into_iter().enumerate() {
        image.put_pixel(x as u32, 0, Luma([byte]));
    }
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn png(number: u32) -> Vec<u8> {
    picture(number, ImageFormat::Png)
}

/// Writes `count` PNGs named `0.png`, `1.png`, …, drawn from `first` on.
pub(crate) fn write_class(folder: &Path, count: u32, first: u32) {
    fs::create_dir_all(folder).unwrap();
    for i in 0..count {
        fs::write(folder.join(format!("{i}.png")), png(first + i)).unwrap();
    }
}
