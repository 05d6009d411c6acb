//! Looks for text, pen strokes and coloured marks in every picture below a folder:
//!
//! ```text
//! cargo run --release -p picture-checks --example marks -- data/test
//! ```
//!
//! Prints the path and the marks of each picture that has some, then their number, and the time
//! that measuring the facts of a picture took, without decoding.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use picture_checks::Facts;
use rayon::prelude::*;
use walkdir::WalkDir;

struct Looked {
    line: Option<String>,
    took: Duration,
}

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).context("name a folder of pictures")?;
    let files = WalkDir::new(&folder)
        .sort_by_file_name()
        .into_iter()
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| format!("failed to list {folder}"))?;
    let looked: Vec<Looked> = files
        .par_iter()
        .filter(|file| file.file_type().is_file())
        .map(|file| look(file.path()))
        .collect::<Result<_, _>>()?;
    let marked = looked.iter().filter_map(|picture| picture.line.as_deref());
    marked.clone().for_each(|line| println!("{line}"));
    let took: Duration = looked.iter().map(|picture| picture.took).sum();
    let each = took / looked.len().max(1) as u32;
    println!("{} of {} pictures are marked; {each:?} a picture", marked.count(), looked.len());
    Ok(())
}

fn look(path: &Path) -> anyhow::Result<Looked> {
    let bytes = artifact::read_bytes(path)?;
    let picture =
        imaging::decode(&bytes).with_context(|| format!("failed to decode {}", path.display()))?;
    let started = Instant::now();
    let facts = Facts::of(&picture, bytes.len() as u64);
    let took = started.elapsed();
    let marks: Vec<String> = facts
        .marks
        .iter()
        .map(|mark| {
            let at = mark.region;
            format!("{} {}×{} at {}, {}", mark.kind, at.width, at.height, at.left, at.top)
        })
        .collect();
    let line = (!marks.is_empty()).then(|| format!("{}: {}", path.display(), marks.join("; ")));
    Ok(Looked { line, took })
}
