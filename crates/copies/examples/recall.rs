//! How many copies are found among phantoms, how many strangers are mistaken for copies, and what
//! that costs.
//!
//! ```sh
//! cargo run --release -p copies --example recall                    # 10,000 phantoms, minutes
//! cargo run --release -p copies --example recall -- --phantoms 1000 --copies 20
//! ```
//!
//! Phantoms are drawn independently and resized to 224 × 224; of some, copies are made in each way
//! and encoded as files. Decoding is not part of the time that is printed.

use std::collections::HashMap;
use std::io::Cursor;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use copies::{Change, Limits, Relation, Signature, Symmetry, find};
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{self, FilterType};
use image::{GrayImage, ImageFormat};
use ingest::sample::{SampleClass, phantom};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

/// Finds copies among phantoms and counts.
#[derive(Parser)]
struct Arguments {
    /// How many phantoms are drawn.
    #[arg(long, default_value_t = 10_000)]
    phantoms: usize,
    /// How many copies are made in each way.
    #[arg(long, default_value_t = 200)]
    copies: usize,
    /// Width and height of the phantoms in pixels.
    #[arg(long, default_value_t = 224)]
    side: u32,
    /// The seed of phantoms and copies.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// A way to make a copy.
struct Way {
    name: &'static str,
    make: fn(&GrayImage, &mut Draws) -> Result<Vec<u8>>,
    changes: &'static [Change],
}

const WAYS: [Way; 21] = [
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
struct Draws(ChaCha8Rng);

impl Draws {
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

fn png(picture: &GrayImage) -> Result<Vec<u8>> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).context("encode a PNG")?;
    Ok(bytes.into_inner())
}

fn jpeg(picture: &GrayImage, quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode_image(picture)
        .context("encode a JPEG")?;
    Ok(bytes)
}

/// Signatures in the order of pictures, and the time that they took on one thread.
struct Signed {
    signatures: Vec<Signature>,
    signing: Duration,
}

fn sign(files: Vec<Result<Vec<u8>>>) -> Result<Signed> {
    let signed: Vec<(Signature, Duration)> = files
        .into_par_iter()
        .map(|file| {
            let picture = imaging::decode(&file?).context("decode a copy")?;
            let start = Instant::now();
            Ok((Signature::of(&picture), start.elapsed()))
        })
        .collect::<Result<_>>()?;
    let signing = signed.iter().map(|(_, time)| *time).sum();
    Ok(Signed { signatures: signed.into_iter().map(|(signature, _)| signature).collect(), signing })
}

fn draw(arguments: &Arguments, index: usize) -> GrayImage {
    let class = SampleClass::ALL[index % SampleClass::ALL.len()];
    let picture = phantom(arguments.seed, index, class).picture;
    imageops::resize(&picture, arguments.side, arguments.side, FilterType::Triangle)
}

/// Files of phantoms, then of their copies.
fn files(arguments: &Arguments) -> Vec<Result<Vec<u8>>> {
    let total = arguments.phantoms + WAYS.len() * arguments.copies;
    let file = |position: usize| match position.checked_sub(arguments.phantoms) {
        None => png(&draw(arguments, position)),
        Some(copy) => {
            let mut draws = Draws(ChaCha8Rng::seed_from_u64(arguments.seed + position as u64));
            let original = draw(arguments, copy % arguments.phantoms);
            (WAYS[copy / arguments.copies].make)(&original, &mut draws)
        }
    };
    (0..total).into_par_iter().map(file).collect()
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let start = Instant::now();
    let files = files(&arguments);
    println!("drew {} pictures in {:.0?}", files.len(), start.elapsed());
    let Signed { signatures, signing } = sign(files)?;
    let start = Instant::now();
    let pairs = find(&signatures, Limits::default());
    println!(
        "signatures took {signing:.2?} on one thread, the search {:.2?} on {}; peak memory {} MB",
        start.elapsed(),
        rayon::current_num_threads(),
        peak_memory_mb().unwrap_or_default(),
    );

    let origin = |position: usize| match position.checked_sub(arguments.phantoms) {
        None => position,
        Some(copy) => copy % arguments.phantoms,
    };
    let mut found: HashMap<usize, Vec<Change>> = HashMap::new();
    let (mut strangers, mut same_scan) = (Vec::new(), 0);
    for pair in &pairs {
        let (first, second) = (pair.original.min(pair.copy), pair.original.max(pair.copy));
        let are_strangers = origin(first) != origin(second);
        match &pair.relation {
            Relation::SameScan { .. } => same_scan += usize::from(are_strangers),
            _ if are_strangers => strangers.push(pair),
            Relation::SamePixels => {
                found.insert(second, Vec::new());
            }
            Relation::Copy { transformation, .. } if first < arguments.phantoms => {
                found.insert(second, transformation.changes());
            }
            Relation::Copy { .. } => {}
        }
    }
    println!("{:<36} recall  named", "copies");
    for (at, way) in WAYS.iter().enumerate() {
        let first = arguments.phantoms + at * arguments.copies;
        let of_way = first..first + arguments.copies;
        let named: Vec<_> = of_way.filter_map(|position| found.get(&position)).collect();
        let right = named.iter().filter(|changes| changes.as_slice() == way.changes).count();
        let share = |count: usize| count as f64 / arguments.copies.max(1) as f64;
        println!("{:<36} {:>6.3} {:>6.3}", way.name, share(named.len()), share(right));
    }
    println!("{} pairs of strangers were taken for copies", strangers.len());
    for pair in strangers.iter().take(10) {
        println!("  {pair:?}");
    }
    println!("{same_scan} pairs of strangers were taken for slices of one scan");
    Ok(())
}

/// The most memory this process has held so far, where the system says so.
fn peak_memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1000)
}
