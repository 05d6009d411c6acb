//! Excessive work that a few bytes announce is refused before a decoder starts on it.
#![cfg(test)]

use std::time::{Duration, Instant};

use image::{DynamicImage, ImageFormat};
use imaging::{DecodeError, DecodeOptions, decode, decode_with};

/// Repeats the last scan of a progressive JPEG.
fn with_scans(jpeg: &[u8], times: usize) -> Vec<u8> {
    let scan = jpeg.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap();
    let end = jpeg.len() - 2;
    let mut bytes = jpeg[..end].to_vec();
    bytes.extend(jpeg[scan..end].repeat(times));
    bytes.extend([0xff, 0xd9]);
    bytes
}

#[test]
fn a_jpeg_of_more_scans_than_encoders_write_is_refused() {
    let jpeg = include_bytes!("pictures/progressive.jpg");
    assert!(decode(jpeg).is_ok());
    // Refining bits twice is damage, which the decoder reports.
    let few = decode(&with_scans(jpeg, 10));
    assert!(!matches!(few, Err(DecodeError::TooCostly { .. })), "{few:?}");
    let error = decode(&with_scans(jpeg, 400)).unwrap_err();
    assert!(matches!(error, DecodeError::TooCostly { .. }), "{error}");
    assert!(error.to_string().contains("scans; more than 100 are refused"), "{error}");
}

#[test]
fn scans_of_a_large_jpeg_count_by_its_pixels() {
    let jpeg = with_scans(include_bytes!("pictures/progressive.jpg"), 30);
    let options = |max_pixels| DecodeOptions { max_pixels, ..DecodeOptions::default() };
    // 16 × 16 pixels, some 36 scans: fewer than 20 pictures of 1,000 pixels.
    let few = decode_with(&jpeg, &options(1000));
    assert!(!matches!(few, Err(DecodeError::TooCostly { .. })), "{few:?}");
    let error = decode_with(&jpeg, &options(256)).unwrap_err();
    assert!(error.to_string().contains("20 pictures of the largest size allowed"), "{error}");
}

/// A PNG with more chunks before its pixels.
fn png_with(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    const AFTER_HEADER: usize = 33;
    let mut bytes = std::io::Cursor::new(Vec::new());
    let picture = image::GrayImage::from_fn(4, 4, |x, y| image::Luma([(x * 4 + y) as u8]));
    DynamicImage::from(picture).write_to(&mut bytes, ImageFormat::Png).unwrap();
    let mut bytes = bytes.into_inner();
    let mut inserted = Vec::new();
    for (name, content) in chunks {
        inserted.extend((content.len() as u32).to_be_bytes());
        inserted.extend(*name);
        inserted.extend(content);
        let checked = [name.as_slice(), content].concat();
        inserted.extend(crc32fast::hash(&checked).to_be_bytes());
    }
    bytes.splice(AFTER_HEADER..AFTER_HEADER, inserted);
    bytes
}

#[test]
fn a_profile_that_inflates_without_end_is_not_inflated() {
    // A quarter of a gigabyte of zeros, in a megabyte as deflate can pack it.
    let zeros = miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 256 << 20], 1);
    let profile = [b"ICC\0\0".as_slice(), &zeros].concat();
    let text = [b"Comment\0\0".as_slice(), &zeros].concat();
    let plain = decode(&png_with(&[])).unwrap();
    let started = Instant::now();
    let decoded = decode(&png_with(&[(b"iCCP", profile), (b"zTXt", text)])).unwrap();
    assert_eq!(decoded.grey16(4, 4), plain.grey16(4, 4));
    assert!(started.elapsed() < Duration::from_millis(200), "{:?}", started.elapsed());
}
