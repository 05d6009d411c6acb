//! Fits one head, from a JSON description to JSON.
//!
//! ```sh
//! echo '{"kind": "linear", "columns": 8, "classes": 3, "train": {"features": "train.f32",
//!   "labels": "train.u8"}, "test": "test.f32", "strength": 1, "seed": 1}' |
//!     cargo run --release -p fit --example head
//! ```
//!
//! Features are f32 in the machine's order of bytes, row by row (`array.tofile` of NumPy), labels
//! are bytes. `tests/reference/test_fit_crate.py` holds the output against scikit-learn,
//! `bench/heads.py` the time.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use fit::{Choice, Cut, Fitted, Head, Kind, Labelled, Rows};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    kind: Kind,
    columns: usize,
    classes: usize,
    train: Files,
    /// Features of images whose logits are printed.
    test: PathBuf,
    strength: f64,
    width: Option<f64>,
    /// First and last column, exclusive, of what is read; all where there is none.
    read: Option<(usize, usize)>,
    class_weights: Option<Vec<f64>>,
    seed: u64,
    /// Whether the head itself is printed.
    #[serde(default)]
    print_head: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    features: PathBuf,
    labels: PathBuf,
}

fn main() -> Result<()> {
    let input: Input = serde_json::from_reader(io::stdin().lock()).context("read the input")?;
    let features = read_features(&input.train.features)?;
    let labels: Vec<usize> = read(&input.train.labels)?.into_iter().map(usize::from).collect();
    let test = read_features(&input.test)?;
    let data = Labelled {
        rows: Rows::new(&features, input.columns)?,
        labels: &labels,
        classes: input.classes,
        class_weights: input.class_weights.as_deref(),
    };
    let (first, end) = input.read.unwrap_or((0, input.columns));
    let cuts = [Cut { name: "read".to_owned(), columns: first..end }];
    let choice =
        Choice { cuts: vec!["read".to_owned()], strength: input.strength, width: input.width };
    let start = Instant::now();
    let fitted = match input.kind {
        Kind::Linear => fit::linear::fit(&data, &cuts, &choice)?,
        Kind::Kernel => fit::kernel::fit(&data, &cuts, &choice, input.seed)?,
    };
    let seconds = start.elapsed().as_secs_f64();
    let logits = fitted.logits(&Rows::new(&test, input.columns)?)?;
    let head = if input.print_head { described(&fitted) } else { Value::Null };
    println!("{}", json!({"seconds": seconds, "logits": logits, "head": head}));
    Ok(())
}

fn described(fitted: &Fitted) -> Value {
    let standardisation = &fitted.standardisation;
    let head = match &fitted.head {
        Head::Linear { weights, bias } => json!({"weights": weights, "bias": bias}),
        Head::Kernel { vectors, coefficients, bias, gamma } => json!({
            "vectors": vectors, "coefficients": coefficients, "bias": bias, "gamma": gamma,
        }),
    };
    json!({"mean": standardisation.mean, "scale": standardisation.scale, "of": head})
}

fn read_features(path: &Path) -> Result<Vec<f32>> {
    let bytes = read(path)?;
    Ok(bytes.as_chunks().0.iter().map(|it| f32::from_ne_bytes(*it)).collect())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}
