//! Ways in which people make a copy of a picture, knowingly or not.

use std::io::Cursor;

use anyhow::{Context, Result};
use copies::{Change, Symmetry};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{GrayImage, ImageFormat};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A way to make a copy.
pub(crate) struct Way {
    /// Its name for people.
    pub(crate) name: &'static str,
    /// Makes the file of a copy.
    pub(crate) make: fn(&GrayImage, &mut Draws) -> Result<Vec<u8>>,
    /// The changes that should be reported.
    pub(crate) changes: &'static [Change],
}

/// All of them.
pub(crate) const WAYS: [Way; 21] = [
    way("turned 90°", |p, _| png(&imageops::rotate90(p)), &[Change::Turned(Symmetry::Rotated90)]),
    way(
        "turned 180°",
        |p, _| png(&imageops::rotate180(p)),
        &[Change::Turned(Symmetry::Rotated180)],
    ),
    way(
        "turned 270°",
        |p, _| png(&imageops::rotate270(p)),
        &[Change::Turned(Symmetry::Rotated270)],
    ),
    way(
        "mirrored left to right",
        |p, _| png(&imageops::flip_horizontal(p)),
        &[Change::Turned(Symmetry::MirroredLeftRight)],
    ),
    way(
        "mirrored top to bottom",
        |p, _| png(&imageops::flip_vertical(p)),
        &[Change::Turned(Symmetry::MirroredTopBottom)],
    ),
    way(
        "transposed",
        |p, _| png(&imageops::rotate270(&imageops::flip_horizontal(p))),
        &[Change::Turned(Symmetry::Transposed)],
    ),
    way(
        "transposed the other way",
        |p, _| png(&imageops::rotate90(&imageops::flip_horizontal(p))),
        &[Change::Turned(Symmetry::AntiTransposed)],
    ),
    way("cropped 0-5 % a side", |p, d| png(&d.cropped(p)), &[Change::Cropped]),
    way("cropped 5 % all sides", |p, _| png(&crop(p, [0.05; 4])), &[Change::Cropped]),
    way("halved", |p, _| png(&resized(p, [0.5; 2])), &[Change::Resized]),
    way("doubled", |p, _| png(&resized(p, [2.0; 2])), &[Change::Resized]),
    way("resized unevenly", |p, _| png(&resized(p, [1.4, 0.7])), &[Change::Resized]),
    way("JPEG 40", |p, _| jpeg(p, 40), &[Change::Recompressed]),
    way("JPEG 75", |p, _| jpeg(p, 75), &[Change::Recompressed]),
    way("brighter 15-40", |p, d| png(&toned(p, 1.0, d.between(15.0, 40.0))), &[Change::Toned]),
    way("darker 15-40", |p, d| png(&toned(p, 1.0, -d.between(15.0, 40.0))), &[Change::Toned]),
    way("contrast 80-120 %", |p, d| png(&toned(p, d.between(0.8, 1.2), 0.0)), &[Change::Toned]),
    way("halved, JPEG 40", |p, _| jpeg(&resized(p, [0.5; 2]), 40), &[Change::Resized]),
    way("cropped, JPEG 40", |p, d| jpeg(&d.cropped(p), 40), &[Change::Cropped]),
    way(
        "cropped, turned 90°",
        |p, d| png(&imageops::rotate90(&d.cropped(p))),
        &[Change::Turned(Symmetry::Rotated90), Change::Cropped],
    ),
    way(
        "cropped, brighter, halved, JPEG 40",
        |p, d| jpeg(&resized(&toned(&d.cropped(p), d.between(0.9, 1.1), 20.0), [0.5; 2]), 40),
        &[Change::Cropped, Change::Resized, Change::Toned],
    ),
];

const fn way(
    name: &'static str,
    make: fn(&GrayImage, &mut Draws) -> Result<Vec<u8>>,
    changes: &'static [Change],
) -> Way {
    Way { name, make, changes }
}

/// Random numbers for one copy.
pub(crate) struct Draws(ChaCha8Rng);

impl Draws {
    /// Numbers that depend on the seed alone.
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * (self.0.next_u32() as f32 / u32::MAX as f32)
    }

    fn cropped(&mut self, picture: &GrayImage) -> GrayImage {
        crop(picture, std::array::from_fn(|_| self.between(0.0, 0.05)))
    }
}

/// Cuts shares of the sides off at the left, top, right and bottom.
fn crop(picture: &GrayImage, [left, top, right, bottom]: [f32; 4]) -> GrayImage {
    let (width, height) = picture.dimensions();
    let pixels = |share: f32, side: u32| (share * side as f32).round() as u32;
    let (x, y) = (pixels(left, width), pixels(top, height));
    let across = width - x - pixels(right, width);
    let down = height - y - pixels(bottom, height);
    imageops::crop_imm(picture, x, y, across, down).to_image()
}

fn resized(picture: &GrayImage, [across, down]: [f32; 2]) -> GrayImage {
    let (width, height) = picture.dimensions();
    let scaled = |side: u32, scale: f32| (side as f32 * scale).round() as u32;
    let (width, height) = (scaled(width, across), scaled(height, down));
    imageops::resize(picture, width, height, FilterType::CatmullRom)
}

fn toned(picture: &GrayImage, contrast: f32, brightness: f32) -> GrayImage {
    let mut toned = picture.clone();
    for pixel in toned.pixels_mut() {
        let level = f32::from(pixel.0[0]) * contrast + brightness;
        pixel.0[0] = level.round().clamp(0.0, 255.0) as u8;
    }
    toned
}

/// Encodes a PNG.
pub(crate) fn png(picture: &GrayImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).context("encode a PNG")?;
    Ok(bytes.into_inner())
}

/// Encodes a JPEG.
pub(crate) fn jpeg(picture: &GrayImage, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .context("encode a JPEG")?;
    Ok(bytes)
}
