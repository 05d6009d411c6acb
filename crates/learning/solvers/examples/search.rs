//! Chooses a head by cross-validation, from a JSON description to JSON, and reports how long it
//! took.
//!
//! ```sh
//! echo '{"kind": "kernel", "columns": 8, "classes": 3, "features": "train.f32", "labels":
//!   "train.u8", "groups": "train.u32", "cuts": {"near": [0, 4], "far": [4, 8]}, "space": {"folds":
//!   5, "seed": 1, "strengths": [1, 10], "widths": [1, 2], "cuts": [["near"], ["near", "far"]]}}' |
//!     cargo run --release -p fit --example search
//! ```
//!
//! Files are as for the example `head`; groups are u32.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{fs, io};

use anyhow::{Context, Result};
use dataset::GroupNumber;
use serde::Deserialize;
use serde_json::json;
use solvers::{Cut, Kind, Labelled, Rows, SearchSpace};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    kind: Kind,
    columns: usize,
    classes: usize,
    features: PathBuf,
    labels: PathBuf,
    groups: PathBuf,
    cuts: BTreeMap<String, (usize, usize)>,
    space: Space,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Space {
    folds: usize,
    seed: u64,
    strengths: Vec<f64>,
    #[serde(default)]
    widths: Vec<f64>,
    cuts: Vec<Vec<String>>,
}

fn main() -> Result<()> {
    let input: Input = serde_json::from_reader(io::stdin().lock()).context("read the input")?;
    let features = read(&input.features)?;
    let features: Vec<f32> =
        features.as_chunks().0.iter().map(|it| f32::from_ne_bytes(*it)).collect();
    let labels: Vec<usize> = read(&input.labels)?.into_iter().map(usize::from).collect();
    let groups = read(&input.groups)?;
    let groups: Vec<GroupNumber> =
        groups.as_chunks().0.iter().map(|it| GroupNumber(u32::from_ne_bytes(*it))).collect();
    let cut = |(name, (first, end)): (&String, &(usize, usize))| Cut {
        name: name.clone(),
        columns: *first..*end,
    };
    let cuts: Vec<Cut> = input.cuts.iter().map(cut).collect();
    let Space { folds, seed, strengths, widths, cuts: sets } = input.space;
    let space = SearchSpace { folds, seed, strengths, widths, cuts: sets };
    let data = Labelled {
        rows: Rows::new(&features, input.columns)?,
        labels: &labels,
        classes: input.classes,
        class_weights: None,
    };
    let start = Instant::now();
    let found = solvers::search(input.kind, &data, &groups, &cuts, &space, &|_, _| {})?;
    eprintln!("{:.3} s", start.elapsed().as_secs_f64());
    let folds = found.folds.of_images();
    println!("{}", json!({"search": found.search, "folds": folds, "logits": found.logits}));
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}
