//! The ways in which a file can store pixels.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use imaging::decode;

use crate::file::{File, colours, levels};

#[test]
fn every_byte_order_tells_the_same_values() {
    let file = File::ct(3, 2, &[0, 1, 300, 1024, 1174, 2000]);
    let expected = file.grey_levels();
    for syntax in [
        uids::IMPLICIT_VR_LITTLE_ENDIAN,
        // Explicit and big endian, retired.
        "1.2.840.10008.1.2.2",
    ] {
        assert_eq!(file.clone().in_syntax(syntax).grey_levels(), expected, "{syntax}");
    }
    assert_eq!(levels(&decode(&file.deflated_bytes()).unwrap()), expected);
}

#[test]
fn bytes_that_are_written_as_words_keep_their_order() {
    let file = File::grey(4, 1, &[]).with_bits(8, 8).with_words(&[0x3300, 0x00FF]);
    let expected = [0, 13_107, 65_535, 0];
    assert_eq!(file.grey_levels(), expected);
    assert_eq!(file.in_syntax("1.2.840.10008.1.2.2").grey_levels(), expected);
}

/// An RLE frame of segments that are literal runs.
fn rle(segments: &[&[u8]]) -> Vec<u8> {
    let packed: Vec<Vec<u8>> =
        segments.iter().map(|it| [&[it.len() as u8 - 1], *it].concat()).collect();
    let mut numbers = vec![segments.len() as u32];
    let mut at = 64;
    for segment in &packed {
        numbers.push(at);
        at += segment.len() as u32;
    }
    numbers.resize(16, 0);
    let mut frame: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    frame.extend(packed.concat());
    frame.resize(frame.len().next_multiple_of(2), 0);
    frame
}

#[test]
fn run_lengths_of_words_and_of_colours_are_undone() {
    // 0x0001 and 0x0101 are 1 and 257 of a range from 1 to 257.
    let words = File::grey(3, 1, &[]).with_fragments(
        uids::RLE_LOSSLESS,
        &[],
        &[&rle(&[&[0, 1, 0], &[1, 1, 129]])],
    );
    assert_eq!(words.grey_levels(), [0, 65_535, 32_768]);
    let rgb = File::colour(2, 1, "RGB", &[]).with_fragments(
        uids::RLE_LOSSLESS,
        &[],
        &[&rle(&[&[1, 4], &[2, 5], &[3, 6]])],
    );
    assert_eq!(colours(&rgb.picture()), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn of_several_compressed_frames_the_first_is_taken() {
    let first = rle(&[&[10, 20]]);
    let second = rle(&[&[20, 10]]);
    let file = |offsets: &[u32]| {
        File::grey(2, 1, &[])
            .with_bits(8, 8)
            .with_text(tags::NUMBER_OF_FRAMES, VR::IS, "2")
            .with_fragments(uids::RLE_LOSSLESS, offsets, &[&first, &second])
    };
    let end = first.len() as u32 + 8;
    assert_eq!(file(&[0, end]).grey_levels(), [0, 65_535]);
    assert_eq!(file(&[]).grey_levels(), [0, 65_535]);
}

fn jpeg(pixels: &[u8], width: u32, colour: ExtendedColorType) -> Vec<u8> {
    let mut bytes = Vec::new();
    let height = pixels.len() as u32 / width / (u32::from(colour.bits_per_pixel()) / 8);
    JpegEncoder::new_with_quality(&mut bytes, 100)
        .write_image(pixels, width, height, colour)
        .unwrap();
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

#[test]
fn jpeg_is_decoded_from_one_fragment_or_many() {
    let frame = jpeg(&[100; 64], 8, ExtendedColorType::L8);
    let (start, end) = frame.split_at(frame.len() / 4 * 2);
    for fragments in [vec![frame.as_slice()], vec![start, end]] {
        let file = File::grey(8, 8, &[])
            .with_bits(8, 8)
            .with_text(tags::WINDOW_CENTER, VR::DS, "128")
            .with_text(tags::WINDOW_WIDTH, VR::DS, "256")
            .with_fragments(uids::JPEG_BASELINE8_BIT, &[], &fragments);
        assert_eq!(file.grey_levels(), [25_700; 64]);
    }
}

#[test]
fn jpeg_colours_become_rgb() {
    let pixels: Vec<u8> = [200, 40, 90].repeat(64);
    let frame = jpeg(&pixels, 8, ExtendedColorType::Rgb8);
    for named in ["YBR_FULL_422", "YBR_FULL"] {
        let file =
            File::colour(8, 8, named, &[]).with_fragments(uids::JPEG_BASELINE8_BIT, &[], &[&frame]);
        for (decoded, drawn) in colours(&file.picture()).into_iter().zip(&pixels) {
            assert!(decoded.abs_diff(*drawn) <= 2, "{decoded} for {drawn}");
        }
    }
}

#[test]
fn a_compressed_picture_of_another_size_is_refused_before_it_is_decoded() {
    let frame = jpeg(&[100; 64], 8, ExtendedColorType::L8);
    let file = |columns| {
        File::grey(columns, 8, &[]).with_bits(8, 8).with_fragments(
            uids::JPEG_BASELINE8_BIT,
            &[],
            &[&frame],
        )
    };
    assert!(
        file(4).error().contains("JPEG of 8×8 with 1 samples where 4×8"),
        "{}",
        file(4).error()
    );
}

/// The values drawn into the pictures of 32 × 32: 12 bits.
fn drawn(x: u16, y: u16) -> u16 {
    (x * 97 + y * 57) % 4096
}

#[test]
fn lossless_jpeg_comes_back_to_the_last_bit() {
    let frame = include_bytes!("../pictures/lossless.jpg");
    let file = |words: &[u16]| File::grey(32, 32, words).with_bits(16, 12);
    let words: Vec<u16> = (0..1024).map(|at| drawn(at % 32, at / 32)).collect();
    let plain = file(&words).grey_levels();
    assert!(plain.contains(&0) && plain.contains(&u16::MAX));
    for syntax in [uids::JPEG_LOSSLESS_SV1, uids::JPEG_LOSSLESS] {
        assert_eq!(file(&[]).with_fragments(syntax, &[], &[frame]).grey_levels(), plain);
    }
}

#[test]
fn signed_jpeg_2000_comes_back_to_the_last_bit() {
    let frame = include_bytes!("../pictures/signed.j2k");
    let file = |values: &[i16]| File::ct(32, 32, values).with_bits(16, 12);
    let values: Vec<i16> = (0..1024).map(|at| drawn(at % 32, at / 32) as i16 - 2048).collect();
    let plain = file(&values).grey_levels_through("-1024,4096");
    assert!(plain.contains(&0) && plain.iter().any(|level| *level > 65_000));
    let coded = file(&[]).with_fragments(uids::JPEG2000_LOSSLESS, &[], &[frame]);
    assert_eq!(coded.grey_levels_through("-1024,4096"), plain);
}

/// A JPEG of one colour, with its JFIF marker or without, and with an Adobe marker of this
/// transform.
fn marked(pixel: [u8; 3], has_jfif: bool, adobe: Option<u8>) -> Vec<u8> {
    let mut bytes = jpeg(&pixel.repeat(64), 8, ExtendedColorType::Rgb8);
    let jfif = bytes.windows(4).position(|it| it == b"JFIF").unwrap() - 4;
    let length = 2 + usize::from(bytes[jfif + 3]);
    let mut markers = if has_jfif { bytes[jfif..jfif + length].to_vec() } else { Vec::new() };
    if let Some(transform) = adobe {
        markers.extend(b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0");
        markers.push(transform);
    }
    bytes.splice(jfif..jfif + length, markers);
    bytes.resize(bytes.len().next_multiple_of(2), 0);
    bytes
}

#[test]
fn the_markers_of_a_jpeg_say_what_its_colours_are_and_the_tag_where_they_are_silent() {
    let pixel = [200, 40, 90];
    // Luminance and chrominance of the pixel, by JFIF: what is stored.
    let stored = [93, 126, 204];
    let seen = |named, has_jfif, adobe| {
        let frame = marked(pixel, has_jfif, adobe);
        let file =
            File::colour(8, 8, named, &[]).with_fragments(uids::JPEG_BASELINE8_BIT, &[], &[&frame]);
        <[u8; 3]>::try_from(&colours(&file.picture())[..3]).unwrap()
    };
    for (named, has_jfif, adobe, expected) in [
        ("RGB", true, None, pixel),
        ("YBR_FULL_422", true, None, pixel),
        ("YBR_FULL_422", false, Some(0), stored),
        ("RGB", false, Some(0), stored),
        ("RGB", false, Some(1), pixel),
        ("YBR_FULL", false, None, pixel),
        ("RGB", false, None, stored),
    ] {
        for (found, expected) in seen(named, has_jfif, adobe).into_iter().zip(expected) {
            assert!(found.abs_diff(expected) <= 2, "{named} {has_jfif} {adobe:?}: {found}");
        }
    }
}

#[test]
fn what_a_frame_announces_is_refused_before_it_is_decoded() {
    // 7000 × 7000 in tiles of 1 × 1.
    let mut tiles = include_bytes!("../pictures/signed.j2k").to_vec();
    let sizes = [7000_u32, 7000, 0, 0, 1, 1];
    for (number, size) in sizes.iter().enumerate() {
        tiles[8 + 4 * number..12 + 4 * number].copy_from_slice(&size.to_be_bytes());
    }
    let file = File::grey(7000, 7000, &[]).with_bits(16, 12);
    let message = file.with_fragments(uids::JPEG2000_LOSSLESS, &[], &[&tiles]).error();
    assert!(message.contains("a JPEG 2000 of 49000000 tiles"), "{message}");

    let jpeg = include_bytes!("../pictures/progressive.jpg");
    let scan = jpeg.windows(2).rposition(|pair| pair == [0xff, 0xda]).unwrap();
    let end = jpeg.len() - 2;
    let frame = [&jpeg[..end], &jpeg[scan..end].repeat(400), &jpeg[end..]].concat();
    let file = File::grey(16, 16, &[]).with_bits(8, 8);
    let message = file.with_fragments(uids::JPEG_BASELINE8_BIT, &[], &[&frame]).error();
    assert!(message.contains("scans; more than 100 are refused"), "{message}");
}

#[test]
fn fragments_without_number_are_refused() {
    let mut bytes = File::grey(1, 1, &[]).with_fragments(uids::RLE_LOSSLESS, &[], &[]).bytes();
    let end = bytes.len() - 8;
    bytes.truncate(end);
    bytes.extend(b"\xfe\xff\x00\xe0\0\0\0\0".repeat((1 << 20) + 1));
    let message = decode(&bytes).unwrap_err().to_string();
    assert!(message.contains("more than 1048576 fragments"), "{message}");
}
