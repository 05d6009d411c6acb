//! The cost of one image before the model sees it: decode, resize, augment, on one thread.
//!
//! The pictures are drawn here, in the kinds and sizes of public chest CT sets: photographs of a
//! monitor as JPEG, exports as RGBA PNG, slices as grey PNG. Noise stands in for the noise of a
//! scanner, on which a PNG decoder spends most of its time.

#![allow(missing_docs, reason = "criterion_group makes a public function")]

use std::hint::black_box;
use std::io::Cursor;
use std::path::Path;

use config::{Augmentation, Params};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use imaging::{Normalisation, Picture, Preprocessing, View, augment, decode};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

const PREPROCESSING: Preprocessing = Preprocessing::bilinear(224, Normalisation::Imagenet);

/// Width and height of a typical chest CT picture, in pixels.
const SIZE: (u32, u32) = (416, 280);

/// A round grey body with noise, from 0 to 255.
fn grey(x: u32, y: u32, random: &mut ChaCha12Rng) -> u8 {
    let (dx, dy) = (f64::from(x) / 208.0 - 1.0, f64::from(y) / 140.0 - 1.0);
    let inside = f64::from(u8::from(dx * dx + dy * dy < 0.8));
    (inside * (90.0 + 60.0 * (9.0 * dx).sin() * (7.0 * dy).cos()) + 20.0 * random.random::<f64>())
        as u8
}

fn encoded(pixels: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    pixels.write_to(&mut bytes, format).expect("memory takes what is written");
    bytes.into_inner()
}

/// A name and a file for each kind.
fn files() -> [(&'static str, Vec<u8>); 3] {
    let mut random = ChaCha12Rng::seed_from_u64(17);
    let (width, height) = SIZE;
    let rgba = RgbaImage::from_fn(width, height, |x, y| {
        let value = grey(x, y, &mut random);
        Rgba([value, value, value, 255])
    });
    let slice = GrayImage::from_fn(512, 512, |x, y| Luma([grey(x, y, &mut random)]));
    let photograph = RgbImage::from_fn(width, height, |x, y| {
        let value = grey(x, y, &mut random);
        Rgb([value, value, value.saturating_add(4)])
    });
    [
        ("png_rgba_416x280", encoded(&rgba.into(), ImageFormat::Png)),
        ("png_grey_512x512", encoded(&slice.into(), ImageFormat::Png)),
        ("jpeg_rgb_416x280", encoded(&photograph.into(), ImageFormat::Jpeg)),
    ]
}

fn decoded(bytes: &[u8]) -> Picture {
    decode(bytes).expect("the file was just encoded")
}

fn decode_files(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (kind, bytes) in files() {
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(kind, |bencher| bencher.iter(|| decoded(black_box(&bytes))));
    }
    group.finish();
}

fn resize_pictures(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("resize_to_224");
    group.throughput(Throughput::Elements(1));
    for (kind, bytes) in files() {
        let picture = decoded(&bytes);
        group.bench_function(kind, |bencher| {
            bencher.iter(|| PREPROCESSING.resize(black_box(&picture)));
        });
    }
    group.finish();
}

fn augment_planes(criterion: &mut Criterion) {
    let (_, bytes) = &files()[0];
    let planes = PREPROCESSING.resize(&decoded(bytes));
    let view = View { seed: 17, number: 1, image: [7; 32] };
    let params =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/hounsfield/templates/params.yaml");
    let off = Params::load(&params).expect("the profile's parameters").train.augmentation();
    let affine = Augmentation {
        rotation_degrees: 40.0,
        width_shift: 0.2,
        height_shift: 0.2,
        shear_degrees: 0.2,
        zoom: 0.2,
        horizontal_flip: true,
        ..off
    };
    let mut group = criterion.benchmark_group("augment_224");
    group.throughput(Throughput::Elements(1));
    for (changes, augmentation) in [("none", off), ("affine", affine)] {
        group.bench_function(changes, |bencher| {
            bencher.iter(|| augment(black_box(&planes), 224, &augmentation, &view));
        });
    }
    group.finish();
}

fn normalise_planes(criterion: &mut Criterion) {
    let (_, bytes) = &files()[0];
    let mut planes = PREPROCESSING.resize(&decoded(bytes));
    let mut group = criterion.benchmark_group("normalise_224");
    group.throughput(Throughput::Elements(1));
    group.bench_function("imagenet", |bencher| {
        bencher.iter(|| PREPROCESSING.normalise(black_box(&mut planes)));
    });
    group.finish();
}

criterion_group!(pixels, decode_files, resize_pictures, augment_planes, normalise_planes);
criterion_main!(pixels);
