//! Pictures that the tests encode, of every common kind, and bytes that are not pictures.

use std::io::Cursor;

use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{
    DynamicImage, Frame, GrayAlphaImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb,
    RgbImage, Rgba, RgbaImage,
};
use imaging::{
    ColourMode, DecodeError, DecodeOptions, MAX_PIXELS, Normalisation, Picture, PictureFormat,
    Preprocessing, decode, decode_with, looks_like_image,
};

const SIDE: u32 = 8;
const ALL_FORMATS: [(ImageFormat, PictureFormat); 6] = [
    (ImageFormat::Bmp, PictureFormat::Bmp),
    (ImageFormat::Gif, PictureFormat::Gif),
    (ImageFormat::Jpeg, PictureFormat::Jpeg),
    (ImageFormat::Png, PictureFormat::Png),
    (ImageFormat::Tiff, PictureFormat::Tiff),
    (ImageFormat::WebP, PictureFormat::WebP),
];

fn encode(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut target = Cursor::new(&mut bytes);
    picture.into().write_to(&mut target, format).expect("the encoder takes this kind of picture");
    bytes
}

fn gradient() -> RgbImage {
    ImageBuffer::from_fn(SIDE, SIDE, |x, y| Rgb([(x * 20) as u8, (y * 30) as u8, 90]))
}

/// The three values in [0, 1] of the pixel in column `x` and row `y` of a square picture.
fn pixel(picture: &Picture, x: usize, y: usize) -> [f32; 3] {
    let side = picture.width();
    assert_eq!(side, picture.height());
    let preprocessing = Preprocessing::bilinear(side, Normalisation::Unit);
    let planes = preprocessing.resize(picture);
    let side = side as usize;
    [0, 1, 2].map(|channel| planes[(channel * side + y) * side + x])
}

fn of_bytes(rgb: [u8; 3]) -> [f32; 3] {
    rgb.map(|sample| f32::from(sample) / 255.0)
}

fn error(bytes: &[u8]) -> String {
    decode(bytes).expect_err("this is no picture").to_string()
}

#[test]
fn every_format_is_known_by_its_content_and_decoded() {
    for (encoder, format) in ALL_FORMATS {
        let bytes = encode(gradient(), encoder);
        assert_eq!(looks_like_image(&bytes), Some(format));
        let picture = decode(&bytes).unwrap();
        assert_eq!(picture.format(), format);
        assert_eq!((picture.width(), picture.height()), (SIDE, SIDE), "{format}");
        // JPEG and the colour table of GIF are not exact.
        for (decoded, drawn) in pixel(&picture, 5, 3).into_iter().zip(of_bytes([100, 90, 90])) {
            assert!((decoded - drawn).abs() < 0.05, "{format}: {decoded} for {drawn}");
        }
    }
}

#[test]
fn a_lossless_picture_comes_back_to_the_last_bit() {
    for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
        let picture = decode(&encode(gradient(), format)).unwrap();
        assert_eq!(pixel(&picture, 7, 2), of_bytes([140, 60, 90]), "{format:?}");
    }
}

#[test]
fn alpha_is_dropped_and_not_blended() {
    for alpha in [0, 1, 127, 255] {
        let rgba = RgbaImage::from_pixel(SIDE, SIDE, Rgba([200, 100, 50, alpha]));
        let picture = decode(&encode(rgba, ImageFormat::Png)).unwrap();
        assert_eq!(picture.colour_mode(), ColourMode::Rgba);
        assert_eq!(pixel(&picture, 0, 0), of_bytes([200, 100, 50]));

        let grey = GrayAlphaImage::from_pixel(SIDE, SIDE, LumaA([77, alpha]));
        let picture = decode(&encode(grey, ImageFormat::Png)).unwrap();
        assert_eq!(picture.colour_mode(), ColourMode::GreyAlpha);
        assert_eq!(pixel(&picture, 0, 0), of_bytes([77; 3]));
    }
}

#[test]
fn colours_behind_transparency_are_not_weighted_by_it_when_resizing() {
    // White and opaque beside black and transparent: the mean is grey.
    let half = RgbaImage::from_fn(2, 2, |x, _| if x == 0 { Rgba([255; 4]) } else { Rgba([0; 4]) });
    let picture = decode(&encode(half, ImageFormat::Png)).unwrap();
    let preprocessing = Preprocessing::bilinear(1, Normalisation::Unit);
    assert_eq!(preprocessing.resize(&picture), of_bytes([128; 3]));
}

#[test]
fn grey_is_expanded_to_three_equal_channels() {
    let grey = GrayImage::from_fn(SIDE, SIDE, |x, y| Luma([(x * 10 + y) as u8]));
    for (format, mode) in [
        (ImageFormat::Png, ColourMode::Grey),
        (ImageFormat::Tiff, ColourMode::Grey),
        (ImageFormat::Bmp, ColourMode::Palette),
    ] {
        let picture = decode(&encode(grey.clone(), format)).unwrap();
        assert_eq!(picture.colour_mode(), mode, "{format:?}");
        assert_eq!(pixel(&picture, 4, 3), of_bytes([43; 3]), "{format:?}");
    }
}

#[test]
fn a_palette_is_expanded_to_its_colours() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 2, 2);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(vec![10, 20, 30, 200, 210, 220]);
    encoder.set_trns(vec![0, 255]);
    encoder.write_header().unwrap().write_image_data(&[0, 1, 1, 0]).unwrap();

    let picture = decode(&bytes).unwrap();
    assert_eq!(picture.colour_mode(), ColourMode::Palette);
    assert_eq!(pixel(&picture, 0, 0), of_bytes([10, 20, 30]));
    assert_eq!(pixel(&picture, 1, 0), of_bytes([200, 210, 220]));
}

#[test]
fn bits_below_eight_span_the_whole_range() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 2, 2);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Two);
    encoder.write_header().unwrap().write_image_data(&[0b0001_0000, 0b1011_0000]).unwrap();

    let picture = decode(&bytes).unwrap();
    assert_eq!(picture.colour_mode(), ColourMode::Grey);
    assert_eq!(pixel(&picture, 0, 0), of_bytes([0; 3]));
    assert_eq!(pixel(&picture, 1, 0), of_bytes([85; 3]));
    assert_eq!(pixel(&picture, 1, 1), of_bytes([255; 3]));
}

#[test]
fn sixteen_bits_are_kept_and_divided_by_65535() {
    let grey: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_pixel(2, 2, Luma([12_345]));
    let rgba: ImageBuffer<Rgba<u16>, _> = ImageBuffer::from_pixel(2, 2, Rgba([1, 300, 65_535, 9]));
    let unit = |sample: u16| f32::from(sample) / 65535.0;
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let picture = decode(&encode(grey.clone(), format)).unwrap();
        assert_eq!(picture.colour_mode(), ColourMode::Grey16, "{format:?}");
        assert_eq!(pixel(&picture, 1, 1), [unit(12_345); 3], "{format:?}");

        let picture = decode(&encode(rgba.clone(), format)).unwrap();
        assert_eq!(picture.colour_mode(), ColourMode::Rgba16, "{format:?}");
        assert_eq!(pixel(&picture, 1, 1), [unit(1), unit(300), 1.0], "{format:?}");
    }
}

#[test]
fn floating_point_samples_are_refused() {
    let float: ImageBuffer<Rgb<f32>, _> = ImageBuffer::from_pixel(2, 2, Rgb([0.5; 3]));
    let message = error(&encode(float, ImageFormat::Tiff));
    assert!(message.contains("save it as an 8 or 16-bit PNG"), "{message}");
}

#[test]
fn of_an_animation_the_first_frame_is_taken() {
    let mut bytes = Vec::new();
    let frame = |grey| Frame::new(RgbaImage::from_pixel(SIDE, SIDE, Rgba([grey, grey, grey, 255])));
    GifEncoder::new(&mut bytes).encode_frames([frame(10), frame(240)]).unwrap();

    let picture = decode(&bytes).unwrap();
    assert_eq!(picture.colour_mode(), ColourMode::Palette);
    assert_eq!(pixel(&picture, 3, 3), of_bytes([10; 3]));
}

#[test]
fn a_cmyk_jpeg_becomes_rgb() {
    let picture = decode(include_bytes!("pictures/cmyk.jpg")).unwrap();
    assert_eq!(picture.colour_mode(), ColourMode::Cmyk);
    let [red, green, blue] = pixel(&picture, 3, 3);
    assert!(red > 0.97 && green < 0.03 && blue < 0.03, "{red} {green} {blue}");
}

#[test]
fn a_progressive_jpeg_is_decoded() {
    let picture = decode(include_bytes!("pictures/progressive.jpg")).unwrap();
    assert_eq!(picture.colour_mode(), ColourMode::Grey);
    assert!((pixel(&picture, 5, 3)[0] - 64.0 / 255.0).abs() < 0.02);
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let noise = RgbImage::from_fn(17, 13, |x, y| {
        Rgb([(x * 97 + y * 31) as u8, (x * y * 57) as u8, (x * x + y * 91) as u8])
    });
    let mut files: Vec<Vec<u8>> =
        ALL_FORMATS.iter().map(|(format, _)| encode(noise.clone(), *format)).collect();
    files.push(include_bytes!("pictures/progressive.jpg").to_vec());
    for file in files {
        let format = looks_like_image(&file).unwrap();
        // The last byte of a GIF only states that no other frame follows.
        let trailer = usize::from(format == PictureFormat::Gif);
        let end = file.len() - trailer;
        for cut in 0..end {
            let decoded = decode(&file[..cut]);
            assert!(decoded.is_err(), "{format} of {end} bytes, cut at {cut}: {decoded:?}");
        }
        let half = decode(&file[..file.len() / 2]).unwrap_err();
        assert!(matches!(half, DecodeError::Truncated(_)), "{format}: {half}");
        assert!(half.to_string().starts_with("truncated"), "{half}");
    }
}

#[test]
fn damage_inside_a_png_is_refused() {
    let mut bytes = encode(gradient(), ImageFormat::Png);
    let data = bytes.windows(4).position(|name| name == b"IDAT").unwrap();
    bytes[data + 8] ^= 0x55;
    assert!(matches!(decode(&bytes), Err(DecodeError::Damaged { .. })), "{:?}", decode(&bytes));
}

#[test]
fn damage_inside_a_jpeg_is_refused_and_not_filled_with_grey() {
    let noise = RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 97 + y * 31) as u8, (x * y) as u8, 0]));
    let mut bytes = encode(noise, ImageFormat::Jpeg);
    let middle = bytes.len() / 2;
    // Only ones: no Huffman code has so many.
    for pair in bytes[middle..middle + 16].chunks_mut(2) {
        pair.copy_from_slice(&[0xff, 0]);
    }
    assert!(matches!(decode(&bytes), Err(DecodeError::Damaged { .. })), "{:?}", decode(&bytes));
}

#[test]
fn transparent_pixels_of_a_gif_have_their_colour() {
    let mut bytes = encode(gradient(), ImageFormat::Gif);
    let plain = decode(&bytes).unwrap();
    // A control extension before the first frame that makes one colour transparent.
    let colours = 3 * (2 << (bytes[10] & 7)) * usize::from(bytes[10] >> 7);
    let frame = 13 + colours;
    if bytes[frame] == 0x21 {
        bytes[frame + 3] |= 1;
    } else {
        bytes.splice(frame..frame, [0x21, 0xf9, 4, 1, 0, 0, 0, 0]);
    }
    let transparent = decode(&bytes).unwrap();
    assert_eq!(transparent.grey16(SIDE, SIDE), plain.grey16(SIDE, SIDE));
}

#[test]
fn bytes_after_the_end_of_a_picture_do_no_harm() {
    for format in [ImageFormat::Png, ImageFormat::Jpeg] {
        let mut bytes = encode(gradient(), format);
        bytes.extend_from_slice(b"\0\0trailing");
        assert!(decode(&bytes).is_ok(), "{format:?}");
    }
}

#[test]
fn an_error_page_is_told_from_an_image() {
    let message = error(b"<!DOCTYPE html><html>Not found</html>");
    assert!(message.starts_with("not an image: starts with \"<!DOCTYPE html>"), "{message}");
    assert!(error(&[0, 1, 2, 250]).contains("starts with the bytes 00 01 02 fa"));
    assert_eq!(error(b""), "the file is empty");
    assert!(error(b"BMW and other words of this kind").starts_with("not an image"));
}

/// A PNG of a few bytes that announces any size.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    png::Encoder::new(&mut bytes, 1, 1)
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&[0]))
        .expect("memory takes one pixel");
    bytes[16..20].copy_from_slice(&width.to_be_bytes());
    bytes[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32fast::hash(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

#[test]
fn a_giant_is_refused_before_it_gets_memory() {
    let giant = decode(&png_header(100_000, 100_000)).unwrap_err();
    assert!(matches!(giant, DecodeError::TooLarge { width: 100_000, height: 100_000, .. }));
    assert!(giant.to_string().contains("more than 100 megapixels"), "{giant}");
    let limit = u32::try_from(MAX_PIXELS).unwrap();
    assert!(matches!(decode(&png_header(limit + 1, 1)), Err(DecodeError::TooLarge { .. })));

    let options = DecodeOptions { max_pixels: 5_000, ..DecodeOptions::default() };
    let fewer = decode_with(&png_header(5_001, 1), &options).unwrap_err();
    assert!(fewer.to_string().contains("more than 5000 are refused"), "{fewer}");

    let mut gif = encode(gradient(), ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0xff; 4]);
    assert!(matches!(decode(&gif), Err(DecodeError::TooLarge { .. })));
}

#[test]
fn a_picture_without_pixels_is_refused() {
    assert!(decode(&png_header(0, 5)).is_err());
    let mut gif = encode(gradient(), ImageFormat::Gif);
    gif[6..8].copy_from_slice(&[0, 0]);
    assert!(decode(&gif).is_err());
}

#[test]
fn a_baseline_jpeg_of_grey_is_grey() {
    let mut bytes = Vec::new();
    let grey = GrayImage::from_pixel(SIDE, SIDE, Luma([128]));
    JpegEncoder::new(&mut bytes).encode_image(&grey).unwrap();
    assert_eq!(decode(&bytes).unwrap().colour_mode(), ColourMode::Grey);
}
