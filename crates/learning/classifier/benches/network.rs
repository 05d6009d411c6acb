//! The cost of one batch: the forward pass of the whole model in each number format, and one step
//! of the optimizer on cached activations.
//!
//! `make bench` compares the forward pass with the rate of a bf16 matrix product on the same
//! machine.

#![allow(missing_docs, reason = "criterion_group makes a public function")]

use std::hint::black_box;
use std::path::Path;
use std::time::Duration;

use artifact::Digest;
use classifier::architecture::Architecture;
use classifier::backend::{Backend, FORWARD_BATCH};
use classifier::checkpoint::{CheckpointMetadata, RunId, ValidationScores};
use classifier::learner::{Batch, Learner};
use classifier::model::{self, BatchSize, Input, Model};
use classifier::tensors::TensorMap;
use classifier::{bases, initialise};
use config::{DescentParams, DeviceChoice, HeadKind, Params, Precision};
use criterion::{Criterion, SamplingMode, Throughput, criterion_group, criterion_main};
use dataset::ClassIndices;
use imaging::{Normalisation, Preprocessing};

const CLASSES: [&str; 4] =
    ["adenocarcinoma", "large_cell_carcinoma", "normal", "squamous_cell_carcinoma"];

/// The parameters of real scans: 224 pixels, everything frozen, the kernel head.
fn params() -> Params {
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tools/hounsfield/templates/params.yaml");
    Params::load(&file).expect("the profile's parameters are accepted")
}

fn architecture(params: &Params) -> Architecture {
    Architecture::new(&params.prepare_base, &ClassIndices::of_names(CLASSES))
        .expect("the profile freezes layers that exist")
}

/// A model in `folder`, with random weights and in the number format `precision`.
fn model(folder: &Path, params: &Params, precision: Precision) -> Model {
    let architecture = architecture(params);
    let backend = Backend::choose(DeviceChoice::Cpu, precision).expect("there is a CPU");
    let digest = Digest::of(b"benchmark");
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
        training: params.train.clone(),
        architecture: architecture.clone(),
    };
    let head = initialise::fresh_head(&architecture, 18);
    model::write(
        folder,
        initialise::random_base(bases::vgg16(), 17),
        head,
        &metadata,
        ("benchmark", digest),
    )
    .expect("a temporary folder can be written");
    Model::load(folder, DeviceChoice::Cpu).expect("the model was just written")
}

/// `FORWARD_BATCH` images in which no two pixels share a pattern.
fn images(image_size: u32) -> Vec<Vec<f32>> {
    let values = bases::INPUT_CHANNELS * (image_size * image_size) as usize;
    (0..FORWARD_BATCH)
        .map(|image| (0..values).map(|at| ((at * (image + 3)) as f32 * 0.37).sin()).collect())
        .collect()
}

fn forward(criterion: &mut Criterion) {
    let params = params();
    let images = images(params.prepare_base.image_size);
    let mut group = criterion.benchmark_group("forward_224");
    group.throughput(Throughput::Elements(FORWARD_BATCH as u64));
    // Seconds a batch: a few samples of one batch each.
    group.sampling_mode(SamplingMode::Flat).sample_size(10);
    group.warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(10));
    for (name, precision) in [("fp32", Precision::Fp32), ("bf16", Precision::Bf16)] {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let model = model(folder.path(), &params, precision);
        group.bench_function(name, |bencher| {
            let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
            bencher.iter(|| {
                let input = Input::Images(black_box(&images));
                model.output(input, BatchSize::Fixed).expect("the images fit the model")
            });
        });
    }
    group.finish();
}

/// A step of a head that learns by epochs: dense layers on the last block's maps.
fn head_step(criterion: &mut Criterion) {
    let mut params = params();
    params.prepare_base.head.kind = HeadKind::Flatten;
    let architecture = architecture(&params);
    let descent = DescentParams::default();
    let mut weights: TensorMap = initialise::random_base(bases::vgg16(), 17);
    weights.extend(initialise::fresh_head(&architecture, 18));
    let backend = Backend::choose(DeviceChoice::Cpu, Precision::Auto).expect("there is a CPU");
    let mut learner = Learner::new(&architecture, &weights, backend, &descent, None, "benchmark")
        .expect("the weights fit the network");
    let batch_size = descent.batch_size as usize;
    let activations: Vec<f32> =
        (0..batch_size * learner.activation_length()).map(|at| (at as f32 * 0.37).sin()).collect();
    let labels: Vec<i64> = (0..batch_size).map(|at| (at % CLASSES.len()) as i64).collect();
    let batch = Batch { activations: &activations, labels: &labels };
    let dropout_key = Digest::of(b"benchmark");

    let mut group = criterion.benchmark_group("head_step");
    group.throughput(Throughput::Elements(batch_size as u64));
    group.bench_function(format!("batch_of_{batch_size}"), |bencher| {
        bencher.iter(|| {
            learner
                .step(black_box(batch), descent.learning_rate, &dropout_key)
                .expect("the batch fits the network");
        });
    });
    group.finish();
}

criterion_group!(network, head_step, forward);
criterion_main!(network);
