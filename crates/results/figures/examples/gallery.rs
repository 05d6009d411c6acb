//! Draws every kind of picture with made-up content, to look at after a change:
//! `cargo run --release -p figures --example gallery -- FOLDER [SCAN…]`.

use std::error::Error;
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::time::Instant;

use dataset::{ClassIndex, ClassIndices};
use figures::{Confusion, Curves, Epoch, Sheet, SheetImage};
use image::{GrayImage, ImageFormat, Luma};
use imaging::Picture;
use metrics::ConfusionMatrix;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const TWO: &[&str] = &["adenocarcinoma", "normal"];
const FOUR: &[&str] =
    &["adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma"];
const TWELVE: &[&str] = &[
    "adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib",
    "adenocarcinoma_left.lower.lobe_T3_N1_M0_IIIa",
    "carcinome à petites cellules",
    "glioma_tumor",
    "large.cell.carcinoma",
    "meningioma",
    "no tumour",
    "Plattenepithelkarzinom (übrige)",
    "pituitary",
    "squamous_cell_carcinoma",
    "плоскоклеточный рак",
    "肺癌",
];

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().ok_or("name a folder")?;
    std::fs::create_dir_all(&folder)?;
    let mut scans = Vec::new();
    for file in arguments {
        scans.push(imaging::decode(&std::fs::read(file)?)?);
    }
    if scans.is_empty() {
        for size in [[300, 220], [40, 600], [700, 30], [16, 16], [1, 1], [512, 512]] {
            scans.push(scan(size)?);
        }
    }
    for (name, count, noise) in
        [("1", 1, 0.0), ("5", 5, 0.05), ("40", 40, 0.05), ("200", 200, 0.08), ("flat", 30, -1.0)]
    {
        let epochs: Vec<Epoch> = (1..=count).map(|number| epoch(number, count, noise)).collect();
        let best = Some((count * 3).div_ceil(4));
        keep(&folder, &format!("curves-{name}"), || Curves { epochs: &epochs, best }.png())?;
    }
    for (name, classes) in [("1", &TWO[..1]), ("2", TWO), ("4", FOUR), ("12", TWELVE)] {
        let classes = ClassIndices::of_names(classes.iter().copied());
        let matrix = matrix(classes.len());
        keep(&folder, &format!("confusion-{name}"), || {
            Confusion { matrix: &matrix, classes: &classes }.png()
        })?;
    }
    for (name, classes, count, are_right) in
        [("2", TWO, 3, true), ("4", FOUR, 12, false), ("12", TWELVE, 12, true), ("0", TWO, 0, true)]
    {
        let classes = ClassIndices::of_names(classes.iter().copied());
        let probabilities: Vec<_> =
            (0..count).map(|place| probabilities(place, classes.len())).collect();
        let images: Vec<_> = probabilities
            .iter()
            .enumerate()
            .map(|(place, probabilities)| SheetImage {
                name: "test/squamous_cell_carcinoma/squamous_cell_carcinoma-000123 (4).png",
                scan: &scans[place % scans.len()],
                actual: ClassIndex((place + usize::from(!are_right)) % classes.len()),
                predicted: ClassIndex(place % classes.len()),
                probabilities,
            })
            .collect();
        let title = if are_right { "Predictions that are right" } else { "The surest mistakes" };
        let subtitle = "87 of 259 test images are classified wrongly; sheet 1 of 2";
        keep(&folder, &format!("sheet-{name}"), || {
            Sheet { title, subtitle, classes: &classes, images: &images }.png()
        })?;
    }
    Ok(())
}

fn keep(
    folder: &Path,
    name: &str,
    draw: impl Fn() -> std::result::Result<Vec<u8>, figures::FigureError>,
) -> Result<()> {
    let begun = Instant::now();
    let bytes = draw()?;
    println!("{name:14} {:4} ms {:8} bytes", begun.elapsed().as_millis(), bytes.len());
    std::fs::write(folder.join(format!("{name}.png")), bytes)?;
    Ok(())
}

fn epoch(number: u32, of: u32, noise: f64) -> Epoch {
    let way = f64::from(number) / f64::from(of);
    let wobble = |factor: f64| noise * (f64::from(number) * factor).sin();
    if noise < 0.0 {
        let (loss, accuracy) = (1.386, 0.25);
        return Epoch {
            number,
            train_loss: loss,
            train_accuracy: accuracy,
            valid_loss: loss,
            valid_accuracy: accuracy,
        };
    }
    Epoch {
        number,
        train_loss: 1.4 * (-3.0 * way).exp() + 0.1 + wobble(5.1).abs(),
        train_accuracy: 0.95 - 0.6 * (-4.0 * way).exp() + wobble(7.3) * 0.4,
        valid_loss: 1.2 * (-4.0 * way).exp() + 0.35 + 0.2 * way + wobble(3.7).abs(),
        valid_accuracy: 0.82 - 0.4 * (-4.0 * way).exp() + wobble(2.9) * 0.5,
    }
}

fn matrix(classes: usize) -> ConfusionMatrix {
    let count = |actual: usize, predicted: usize| match (actual, predicted) {
        // A class without images.
        (7, _) => 0,
        (a, b) if a == b => 21 + 17 * (a % 4),
        (a, b) => (a * 7 + b * 5) % 11 / 2 * (usize::from(a + b != 3) * 2 + 1),
    };
    let pairs = (0..classes * classes).flat_map(|place| {
        let (actual, predicted) = (place / classes, place % classes);
        std::iter::repeat_n((ClassIndex(actual), ClassIndex(predicted)), count(actual, predicted))
    });
    ConfusionMatrix::of(classes, pairs)
}

fn probabilities(place: usize, classes: usize) -> Vec<f64> {
    let confidence = [0.9997, 1.0, 0.93, 0.61, 0.997][place % 5];
    let rest = (1.0 - confidence) / (classes - 1) as f64;
    let mut probabilities = vec![rest; classes];
    probabilities[place % classes] = confidence;
    probabilities
}

fn scan([width, height]: [u32; 2]) -> Result<Picture> {
    let grey = GrayImage::from_fn(width, height, |x, y| {
        let [x, y] = [2 * x.abs_diff(width / 2), 2 * y.abs_diff(height / 2)];
        let far = (x * 255 / width).max(y * 255 / height).min(255);
        Luma([255 - far as u8])
    });
    let mut file = Cursor::new(Vec::new());
    grey.write_to(&mut file, ImageFormat::Png)?;
    Ok(imaging::decode(file.get_ref())?)
}
