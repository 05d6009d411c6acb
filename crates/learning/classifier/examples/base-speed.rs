//! How many images a second a frozen base turns into features, for `bench/bases.py`:
//!
//! ```text
//! base-speed NAME SIDE IMAGES
//! ```
//!
//! The weights are drawn, the pictures too, and the number format is fp32. After one batch that does
//! not count, a line of standard input starts a round, and the seconds that it took are printed.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::Context;
use artifact::Digest;
use classifier::architecture::Architecture;
use classifier::backend::Backend;
use classifier::checkpoint::{CheckpointMetadata, RunId, ValidationScores};
use classifier::model::{self, BatchSize, Input, Model};
use classifier::{FrozenLayers, bases, initialise};
use config::{DeviceChoice, Freeze, HeadKind, HeadParams, Precision};
use imaging::{Normalisation, Preprocessing};

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("see the usage above");
    let base = bases::named(&next()?)?;
    let side: u32 = next()?.parse()?;
    let count: usize = next()?.parse()?;
    let architecture = Architecture {
        base,
        image_size: side,
        classes: vec!["0".into(), "1".into()],
        freeze: FrozenLayers::of(base, Freeze::All)?,
        head: HeadParams { kind: HeadKind::Linear, hidden_units: 0, dropout: 0.0 },
        stochastic_depth: 0.0,
    };
    let model = model(architecture)?;
    let values = bases::INPUT_CHANNELS * (side * side) as usize;
    let image =
        |number: usize| (0..values).map(|at| ((at * (number + 3)) as f32 * 0.37).sin()).collect();
    let images: Vec<Vec<f32>> = (0..count).map(image).collect();
    let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
    model.output(Input::Images(&images[..count.min(16)]), BatchSize::Fixed)?;
    for line in std::io::stdin().lock().lines() {
        line?;
        let began = Instant::now();
        model.output(Input::Images(&images), BatchSize::Fixed)?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{}", began.elapsed().as_secs_f64())?;
        out.flush()?;
    }
    Ok(())
}

/// A model with drawn weights.
fn model(architecture: Architecture) -> anyhow::Result<Model> {
    let digest = Digest::of(b"speed");
    let backend = Backend::choose(DeviceChoice::Cpu, Precision::Fp32)?;
    let training = serde_json::from_str(TRAINING)?;
    let head = initialise::fresh_head(&architecture, 18);
    let base = initialise::random_base(architecture.base, 17);
    let metadata = CheckpointMetadata {
        format: CheckpointMetadata::FORMAT,
        run: RunId::of_inputs(&digest),
        epoch: 1,
        valid_accuracy: 0.0,
        valid_loss: 0.0,
        validation: ValidationScores::default(),
        solved: None,
        epochs: None,
        preprocessing: Preprocessing::bilinear(architecture.image_size, Normalisation::Imagenet),
        precision: backend.format(),
        data: digest,
        base: digest,
        params: digest,
        training,
        architecture,
    };
    let folder = tempfile::tempdir()?;
    model::write(folder.path(), base, head, &metadata, ("speed", digest))?;
    Ok(Model::load(folder.path(), DeviceChoice::Cpu)?)
}

/// A section `train`, which no speed depends on.
const TRAINING: &str = r#"{"seed": 1, "solve": null, "descent": null, "class_weights": "none",
    "precision": "fp32", "device": "cpu", "normalisation": "auto", "permute_labels": false}"#;
