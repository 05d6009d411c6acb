//! Pictures for tests: sums of waves, defined between the pixels too.

use std::f32::consts::TAU;

use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use imaging::Picture;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::Frame;
use crate::plane::Plane;
use crate::signature::THUMBNAIL_SIDE;

/// Waves of a texture.
const WAVES: usize = 40;

/// A texture over the unit square, about from 0 to 1.
pub(crate) struct Texture {
    waves: Vec<Wave>,
}

struct Wave {
    across: f32,
    down: f32,
    phase: f32,
}

impl Texture {
    /// A different one for each seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut uniform = || random.next_u32() as f32 / u32::MAX as f32;
        let mut signed = |most: f32| most * (2.0 * uniform() - 1.0);
        let wave = |at: usize| {
            let most = 1.0 + 0.4 * at as f32;
            Wave { across: signed(most), down: signed(most), phase: signed(0.5) }
        };
        Self { waves: (0..WAVES).map(wave).collect() }
    }

    /// The value at a point.
    pub(crate) fn at(&self, x: f32, y: f32) -> f32 {
        let waves = self.waves.iter().enumerate();
        let sum: f32 = waves
            .map(|(at, wave)| {
                let turns = wave.across * x + wave.down * y + wave.phase;
                (TAU * turns).cos() / (2.0 + at as f32 * 0.3)
            })
            .sum();
        (0.5 + 0.15 * sum).clamp(0.0, 1.0)
    }

    /// The content of a frame, as a thumbnail.
    pub(crate) fn plane(&self, frame: Frame) -> Plane {
        let place = |at: usize| (at as f32 + 0.5) / THUMBNAIL_SIDE as f32;
        let cells = 0..THUMBNAIL_SIDE * THUMBNAIL_SIDE;
        let value = |cell: usize| {
            let (x, y) = (place(cell % THUMBNAIL_SIDE), place(cell / THUMBNAIL_SIDE));
            self.at(frame.left + x * frame.width(), frame.top + y * frame.height())
        };
        Plane::new(THUMBNAIL_SIDE, cells.map(value).collect())
    }

    /// The content of a frame, as 8-bit grey.
    pub(crate) fn image(&self, width: u32, height: u32, frame: Frame) -> GrayImage {
        GrayImage::from_fn(width, height, |x, y| {
            let x = (x as f32 + 0.5) / width as f32;
            let y = (y as f32 + 0.5) / height as f32;
            let value = self.at(frame.left + x * frame.width(), frame.top + y * frame.height());
            Luma([(20.0 + 200.0 * value).round() as u8])
        })
    }
}

/// A picture as its file would be decoded.
pub(crate) fn picture(image: impl Into<DynamicImage>) -> Picture {
    let mut file = std::io::Cursor::new(Vec::new());
    image.into().write_to(&mut file, ImageFormat::Png).unwrap();
    imaging::decode(file.get_ref()).unwrap()
}
