//! Fits one head, from a JSON description to JSON.
//!
//! ```sh
//! echo '{"kind": "linear", "columns": 8, "classes": 3, "train": {"features": "train.f32",
//!   "labels": "train.u8"}, "test": {"features": "test.f32", "labels": "test.u8"}, "strength": 1,
//!   "seed": 1}' | cargo run --release -p fit --example head
//! ```
//!
//! The description is a file if one is named, or standard input. Features are f32 in the machine's
//! byte order, row by row (`array.tofile` of NumPy), labels are bytes.
//! `tests/reference/test_solvers_crate.py` compares the output with scikit-learn, `bench/heads.py`
//! the time.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use solvers::{Choice, Cut, Fitted, Head, Kind, Labelled, Rows};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    kind: Kind,
    columns: usize,
    classes: usize,
    train: Files,
    /// The images that the head is tested on.
    test: Files,
    strength: f64,
    width: Option<f64>,
    /// First and last column, exclusive, to read; all if there is none.
    read: Option<(usize, usize)>,
    class_weights: Option<Vec<f64>>,
    seed: u64,
    /// Whether the head and the logits of `test` are printed.
    #[serde(default)]
    whole: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    features: PathBuf,
    labels: PathBuf,
}

impl Files {
    fn read(&self) -> Result<(Vec<f32>, Vec<usize>)> {
        let (features, labels) = (&self.features, &self.labels);
        let classes = fs::read(labels).with_context(|| format!("read {}", labels.display()))?;
        let features =
            read_features(features).with_context(|| format!("read {}", features.display()))?;
        Ok((features, classes.into_iter().map(usize::from).collect()))
    }
}

fn main() -> Result<()> {
    let input: Input = match std::env::args_os().nth(1) {
        Some(path) => serde_json::from_slice(&fs::read(path).context("read the description")?),
        None => serde_json::from_reader(io::stdin().lock()),
    }
    .context("understand the description")?;
    let (features, labels) = input.train.read()?;
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
        Kind::Linear => solvers::linear::fit(&data, &cuts, &choice)?,
        Kind::Kernel => solvers::kernel::fit(&data, &cuts, &choice, input.seed)?,
    };
    let seconds = start.elapsed().as_secs_f64();

    let (features, labels) = input.test.read()?;
    let logits = fitted.logits(&Rows::new(&features, input.columns)?)?;
    ensure!(logits.len() == labels.len(), "{} images, {} labels", logits.len(), labels.len());
    let largest = |row: &[f32]| row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let first = |row: &[f32]| row.iter().position(|logit| *logit == largest(row));
    let right = logits.iter().zip(&labels).filter(|(row, label)| first(row) == Some(**label));
    let accuracy = right.count() as f64 / labels.len() as f64;
    let (head, logits) =
        if input.whole { (described(&fitted), json!(logits)) } else { (Value::Null, Value::Null) };
    println!(
        "{}",
        json!({"seconds": seconds, "accuracy": accuracy, "head": head, "logits": logits})
    );
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

/// Reads directly into the numbers: a copy as bytes would double the memory that is measured.
fn read_features(path: &Path) -> io::Result<Vec<f32>> {
    let mut file = File::open(path)?;
    let mut values = vec![0.0; file.metadata()?.len() as usize / size_of::<f32>()];
    file.read_exact(bytemuck::cast_slice_mut(&mut values))?;
    Ok(values)
}
