//! Prints the pairs among the pictures of a zip or a folder, and shows them side by side.
//!
//! ```sh
//! cargo run --release -p copies --example pairs -- data.zip
//! cargo run --release -p copies --example pairs -- data.zip --copy 0.3 --sheets /tmp/sheets
//! ```
//!
//! Each line is a relation, its distance and the two names; if sheets are written, the sheet's
//! number and the row come first. A sheet has six pairs, the closest first: the original on the
//! left, the copy on the right, as their files show them.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Parser;
use copies::{Limits, Pair, Relation, Signature, find};
use image::RgbImage;
use image::imageops;
use imaging::Thumbnail;
use rayon::prelude::*;
use zip::ZipArchive;

/// Pairs on one sheet.
const ROWS: u32 = 6;

/// Pixels to a side of a picture on a sheet.
const CELL: u32 = 300;

/// Prints the pairs among pictures.
#[derive(Parser)]
struct Arguments {
    /// A zip or a folder with pictures; what is no picture is left out.
    source: PathBuf,
    /// The largest distance of copies.
    #[arg(long, default_value_t = Limits::default().copy)]
    copy: f32,
    /// The largest distance of slices of one scan.
    #[arg(long, default_value_t = Limits::default().same_scan)]
    same_scan: f32,
    /// Prints only pairs that are at least so far apart.
    #[arg(long, default_value_t = 0.0)]
    from: f32,
    /// Prints only pairs taken for slices of one scan.
    #[arg(long)]
    scans_only: bool,
    /// Where to write pictures of the printed pairs.
    #[arg(long)]
    sheets: Option<PathBuf>,
}

/// A picture to compare, and to show.
struct Shown {
    name: String,
    signature: Signature,
    thumbnail: Thumbnail,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let shown: Vec<Shown> = read(&arguments.source)?
        .into_par_iter()
        .filter_map(|(name, bytes)| {
            let picture = imaging::decode(&bytes).ok()?;
            let signature = Signature::of(&picture);
            Some(Shown { name, signature, thumbnail: Thumbnail::of(&picture, CELL) })
        })
        .collect();
    let signatures: Vec<Signature> = shown.iter().map(|shown| shown.signature.clone()).collect();
    let limits = Limits { copy: arguments.copy, same_scan: arguments.same_scan };
    let mut pairs = find(&signatures, limits);
    let counts = [0, 1, 2].map(|rank| pairs.iter().filter(|pair| order(pair).0 == rank).count());
    pairs.retain(|pair| {
        let (rank, distance) = order(pair);
        distance >= arguments.from && (rank == 2 || !arguments.scans_only)
    });
    pairs.sort_by(|a, b| {
        let ((a_rank, a_distance), (b_rank, b_distance)) = (order(a), order(b));
        a_rank.cmp(&b_rank).then(a_distance.total_cmp(&b_distance))
    });
    for (at, pair) in pairs.iter().enumerate() {
        if arguments.sheets.is_some() {
            print!("{:03}/{} ", at / ROWS as usize, at % ROWS as usize + 1);
        }
        let names = [pair.original, pair.copy].map(|picture| shown[picture].name.as_str());
        println!("{} | {}", words(pair), names.join(" | "));
    }
    let [same, copies, scans] = counts;
    println!(
        "{} pictures: {same} tied to one with the same pixels, {copies} pairs of copies, {scans} of slices",
        shown.len()
    );
    if let Some(folder) = &arguments.sheets {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        for (number, pairs) in pairs.chunks(ROWS as usize).enumerate() {
            let path = folder.join(format!("{number:03}.png"));
            sheet(pairs, &shown)
                .save(&path)
                .with_context(|| format!("write {}", path.display()))?;
        }
    }
    Ok(())
}

/// Names and bytes of all files, sorted by name.
fn read(source: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    if source.is_dir() {
        collect(source, &mut files)?;
    } else {
        let file = File::open(source).with_context(|| format!("open {}", source.display()))?;
        let mut archive = ZipArchive::new(file).context("read the zip")?;
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).context("read the zip")?;
            let name = entry.name().context("read the zip")?.into_owned();
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).with_context(|| format!("inflate {name}"))?;
            files.push((name, bytes));
        }
    }
    files.sort();
    Ok(files)
}

fn collect(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("list {}", folder.display()))? {
        let path = entry.with_context(|| format!("list {}", folder.display()))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
            files.push((path.display().to_string(), bytes));
        }
    }
    Ok(())
}

/// The kind of relation, the most certain first, and the distance.
fn order(pair: &Pair) -> (u8, f32) {
    match pair.relation {
        Relation::SamePixels => (0, 0.0),
        Relation::Copy { distance, .. } => (1, distance),
        Relation::SameScan { distance } => (2, distance),
    }
}

fn words(pair: &Pair) -> String {
    match &pair.relation {
        Relation::SamePixels => "same pixels 0.000".into(),
        Relation::Copy { transformation, distance } => {
            format!("copy {distance:.3} {transformation}")
        }
        Relation::SameScan { distance } => format!("same scan {distance:.3}"),
    }
}

fn sheet(pairs: &[Pair], shown: &[Shown]) -> RgbImage {
    let mut sheet = RgbImage::from_pixel(2 * CELL, ROWS * CELL, image::Rgb([60, 60, 90]));
    for (row, pair) in (0..).zip(pairs) {
        for (column, picture) in [(0, pair.original), (1, pair.copy)] {
            let Thumbnail { width, height, rgb } = shown[picture].thumbnail.clone();
            if let Some(picture) = RgbImage::from_raw(width, height, rgb) {
                imageops::overlay(
                    &mut sheet,
                    &picture,
                    column * i64::from(CELL),
                    row * i64::from(CELL),
                );
            }
        }
    }
    sheet
}
