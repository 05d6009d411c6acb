//! How well drawn marks are found: recall on phantoms with marks, false alarms on phantoms without.
//! `cargo nextest run --release -p picture-checks --no-capture recall` prints the figures that the
//! documentation of `marks` quotes.
#![cfg(test)]

use std::io::Cursor;
use std::sync::LazyLock;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use ingest::sample::{SampleClass, phantom};
use picture_checks::{Facts, MarkKind};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

/// Phantoms with no marks, of all classes in turn. Drawing one takes longer than looking at it.
static PHANTOMS: LazyLock<Vec<RgbImage>> = LazyLock::new(|| {
    let drawn = |index: usize| {
        let class = SampleClass::ALL[index % SampleClass::ALL.len()];
        DynamicImage::from(phantom(41, index, class).picture).to_rgb8()
    };
    (0..100).into_par_iter().map(drawn).collect()
});

/// How a line is drawn.
#[derive(Debug, Clone, Copy)]
enum Edge {
    /// As with a paint program's pencil: a pixel is ink or not.
    Hard,
    /// As with a brush: pixels at the edge are part ink.
    Smooth,
}

/// What is drawn into a phantom.
#[derive(Debug, Clone, Copy)]
enum Drawing {
    Stroke { ink: u8, edge: Edge },
    ColouredStroke,
    Text { pixels_per_dot: u32 },
}

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Png,
    Jpeg90,
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn new(index: usize) -> Self {
        Self(ChaCha8Rng::seed_from_u64(index as u64))
    }

    fn below(&mut self, end: u32) -> u32 {
        self.0.next_u32() % end
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }
}

fn facts(pixels: RgbImage, encoding: Encoding) -> Facts {
    let mut file = Cursor::new(Vec::new());
    let pixels = DynamicImage::from(pixels);
    match encoding {
        Encoding::Png => pixels.write_to(&mut file, ImageFormat::Png).unwrap(),
        Encoding::Jpeg90 => {
            pixels.write_with_encoder(JpegEncoder::new_with_quality(&mut file, 90)).unwrap();
        }
    }
    Facts::of(&imaging::decode(file.get_ref()).unwrap(), file.get_ref().len() as u64)
}

/// A straight line, 2 to 4 pixels wide and 20 % to 60 % of the height long, anywhere.
fn draw_stroke(picture: &mut RgbImage, ink: [u8; 3], edge: Edge, dice: &mut Dice) {
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    let thickness = dice.between(2.0, 4.0);
    let length = dice.between(0.2, 0.6) * height;
    let angle = dice.between(0.0, std::f64::consts::PI);
    let along = (angle.cos() * length, angle.sin() * length);
    let from = (
        dice.between((-along.0).max(0.0), (width - along.0).min(width)),
        dice.between((-along.1).max(0.0), (height - along.1).min(height)),
    );
    for (x, y, pixel) in picture.enumerate_pixels_mut() {
        let (right, down) = (f64::from(x) - from.0, f64::from(y) - from.1);
        let at = ((right * along.0 + down * along.1) / (length * length)).clamp(0.0, 1.0);
        let distance = (right - at * along.0).hypot(down - at * along.1);
        let cover = match edge {
            Edge::Hard => f64::from(u8::from(distance <= thickness / 2.0)),
            Edge::Smooth => (thickness / 2.0 + 0.5 - distance).clamp(0.0, 1.0),
        };
        let mixed =
            |of: u8, ink: u8| (f64::from(of) * (1.0 - cover) + f64::from(ink) * cover) as u8;
        *pixel = Rgb([0, 1, 2].map(|channel| mixed(pixel.0[channel], ink[channel])));
    }
}

/// Characters of 5 × 7 dots, as old consoles draw them.
const FONT: [(char, [&str; 7]); 8] = [
    ('0', [".###.", "#...#", "#..##", "#.#.#", "##..#", "#...#", ".###."]),
    ('1', ["..#..", ".##..", "..#..", "..#..", "..#..", "..#..", ".###."]),
    ('4', ["...#.", "..##.", ".#.#.", "#..#.", "#####", "...#.", "...#."]),
    ('E', ["#####", "#....", "#....", "####.", "#....", "#....", "#####"]),
    ('L', ["#....", "#....", "#....", "#....", "#....", "#....", "#####"]),
    ('M', ["#...#", "##.##", "#.#.#", "#.#.#", "#...#", "#...#", "#...#"]),
    ('R', ["####.", "#...#", "#...#", "####.", "#.#..", "#..#.", "#...#"]),
    ('S', [".####", "#....", "#....", ".###.", "....#", "....#", "####."]),
];

/// White or light grey text in one of the four corners.
fn draw_text(picture: &mut RgbImage, pixels_per_dot: u32, dice: &mut Dice) {
    const TEXTS: [&str; 4] = ["SE 104", "L 14 MM", "R", "LL 10 RM 4"];
    let text = TEXTS[[0, 1, 3][dice.below(3) as usize]];
    let ink = [255, 220, 190][dice.below(3) as usize];
    let width = text.len() as u32 * 6 * pixels_per_dot;
    let height = 7 * pixels_per_dot;
    let left = [3, picture.width().saturating_sub(width + 3)][dice.below(2) as usize];
    let top = [3, picture.height() - height - 3][dice.below(2) as usize];
    for (position, letter) in text.chars().enumerate() {
        let Some((_, rows)) = FONT.iter().find(|(of, _)| *of == letter) else { continue };
        for (row, dots) in rows.iter().enumerate() {
            for (column, _) in dots.chars().enumerate().filter(|(_, dot)| *dot == '#') {
                let x = left + (position as u32 * 6 + column as u32) * pixels_per_dot;
                let y = top + row as u32 * pixels_per_dot;
                for at in 0..pixels_per_dot * pixels_per_dot {
                    let (x, y) = (x + at % pixels_per_dot, y + at / pixels_per_dot);
                    if let Some(pixel) = picture.get_pixel_mut_checked(x, y) {
                        *pixel = Rgb([ink; 3]);
                    }
                }
            }
        }
    }
}

/// The share of phantoms in which a drawing is found with its correct kind.
fn recall(drawing: Drawing, encoding: Encoding) -> f64 {
    let is_found = |(index, phantom): &(usize, &RgbImage)| {
        let mut picture = (*phantom).clone();
        let mut dice = Dice::new(*index);
        let kind = match drawing {
            Drawing::Stroke { ink, edge } => {
                draw_stroke(&mut picture, [ink; 3], edge, &mut dice);
                MarkKind::PenStroke
            }
            Drawing::ColouredStroke => {
                draw_stroke(&mut picture, [220, 30, 30], Edge::Smooth, &mut dice);
                MarkKind::Coloured
            }
            Drawing::Text { pixels_per_dot } => {
                draw_text(&mut picture, pixels_per_dot, &mut dice);
                MarkKind::Text
            }
        };
        facts(picture, encoding).marks.iter().any(|mark| mark.kind == kind)
    };
    let found = PHANTOMS.par_iter().enumerate().filter(is_found).count();
    found as f64 / PHANTOMS.len() as f64
}

#[test]
fn recall_of_drawn_marks_is_what_the_documentation_says() {
    let white = |edge| Drawing::Stroke { ink: 255, edge };
    let black = |edge| Drawing::Stroke { ink: 0, edge };
    for (drawing, encoding, least) in [
        (white(Edge::Hard), Encoding::Png, 0.75),
        (white(Edge::Hard), Encoding::Jpeg90, 0.75),
        (white(Edge::Smooth), Encoding::Png, 0.0),
        (black(Edge::Hard), Encoding::Png, 0.70),
        (black(Edge::Hard), Encoding::Jpeg90, 0.70),
        (black(Edge::Smooth), Encoding::Png, 0.0),
        (Drawing::ColouredStroke, Encoding::Png, 0.98),
        (Drawing::ColouredStroke, Encoding::Jpeg90, 0.98),
        (Drawing::Text { pixels_per_dot: 1 }, Encoding::Png, 0.65),
        (Drawing::Text { pixels_per_dot: 1 }, Encoding::Jpeg90, 0.65),
        (Drawing::Text { pixels_per_dot: 2 }, Encoding::Png, 0.20),
    ] {
        let recall = recall(drawing, encoding);
        println!("{drawing:?} {encoding:?}: {recall}");
        assert!(recall >= least, "{drawing:?} in {encoding:?}: found in {recall}");
    }
}

#[test]
fn clean_phantoms_raise_no_alarm() {
    for encoding in [Encoding::Png, Encoding::Jpeg90] {
        let alarms: Vec<_> = PHANTOMS
            .par_iter()
            .map(|phantom| facts(phantom.clone(), encoding).marks)
            .enumerate()
            .filter(|(_, marks)| !marks.is_empty())
            .collect();
        assert!(alarms.len() <= 1, "{encoding:?}: {alarms:?}");
    }
}
