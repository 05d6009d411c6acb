//! A small project in a temporary folder: test images, the output of `validate`, and models whose
//! answers can be computed by hand.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use artifact::Digest;
use assert_cmd::Command;
use assert_cmd::assert::Assert;
use classifier::architecture::Architecture;
use classifier::backend::NumberFormat;
use classifier::checkpoint::{CheckpointMetadata, RunId, ValidationScores};
use classifier::tensors::{HostTensor, TensorMap};
use classifier::{FrozenLayers, bases, initialise, model};
use config::{HeadKind, HeadParams};
use dataset::{
    BASELINES_FILE, BaselineKind, BaselinePredictions, ClassIndices, FittedOn, ImageRecord,
    Manifest, Split, ValidatedManifest,
};
use imaging::{Normalisation, Preprocessing};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const HISTORY: &str = "epoch,learning_rate,train_loss,train_accuracy,valid_loss,valid_accuracy\n\
     1,0.1,0.5,0.75,0.625,0.5\n";

/// Everything that a run writes.
pub(crate) const FILES: [&str; 7] = [
    "scores.json",
    "predictions.csv",
    "confusion_matrix.csv",
    "roc.csv",
    "reliability.csv",
    "history.csv",
    "report.html",
];

/// The logits of `cancer` and `normal` if the head's weights are zero: three to one.
const LOGITS: [f32; 2] = [1.098_612_3, 0.0];

/// One image more than a forward pass takes.
pub(crate) const CANCERS: usize = 13;
pub(crate) const NORMALS: usize = 4;

/// The model's answer to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// `cancer` with 0.75, whatever the image.
    Constant,
    /// `normal`, with a confidence that grows with brightness: the head adds up the features of a
    /// network without biases, which are proportional to the brightness of a plain image.
    Brightness,
}

/// The classes, in index order.
pub(crate) fn classes() -> ClassIndices {
    ClassIndices::of_names(["cancer", "normal"])
}

pub(crate) fn architecture(kind: HeadKind) -> Architecture {
    Architecture {
        base: bases::vgg16(),
        image_size: 32,
        classes: classes().names().to_vec(),
        freeze: FrozenLayers::all(bases::vgg16()),
        head: HeadParams { kind, hidden_units: 0, dropout: 0.0 },
        stochastic_depth: 0.0,
    }
}

/// The metadata of a model.
pub(crate) fn metadata(kind: HeadKind, data: Digest, base: Digest) -> CheckpointMetadata {
    CheckpointMetadata {
        format: CheckpointMetadata::FORMAT,
        run: RunId::of_inputs(&Digest::of(b"run")),
        epoch: 1,
        valid_accuracy: 0.5,
        valid_loss: 0.625,
        validation: ValidationScores::default(),
        solved: None,
        epochs: None,
        architecture: architecture(kind),
        preprocessing: Preprocessing::bilinear(32, Normalisation::Unit),
        precision: NumberFormat::Fp32,
        data,
        base,
        params: Digest::of(b"params"),
        training: params().train,
    }
}

pub(crate) fn params() -> config::Params {
    config::Params::load(&root_file("tests/params/by-epochs.yaml")).unwrap()
}

fn root_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").join(name)
}

/// Writes a model folder with the history that `select` puts beside it.
pub(crate) fn write_model(
    folder: &Path,
    base: TensorMap,
    head: TensorMap,
    metadata: &CheckpointMetadata,
) {
    let source = ("model_e1_acc0.7500_vacc0.5000.safetensors", Digest::of(b"checkpoint"));
    model::write(folder, base, head, metadata, source).unwrap();
    artifact::write_file(&folder.join("history.csv"), HISTORY.as_bytes()).unwrap();
}

/// One model of 59 MB of each kind for all tests of a process.
fn shared_model(answer: Answer) -> &'static Path {
    static CONSTANT: OnceLock<TempDir> = OnceLock::new();
    static BRIGHTNESS: OnceLock<TempDir> = OnceLock::new();
    let (model, weights) = match answer {
        Answer::Constant => (&CONSTANT, [0.0, 0.0]),
        Answer::Brightness => (&BRIGHTNESS, [0.0, 0.02]),
    };
    let folder = model.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let rows = weights.map(|weight: f32| [weight; 512]).concat();
        let bias = if answer == Answer::Constant { LOGITS } else { [0.0, 0.0] };
        let head = TensorMap::from([
            ("classifier.0.weight".into(), HostTensor::new(&[2, 512], rows)),
            ("classifier.0.bias".into(), HostTensor::new(&[2], bias.to_vec())),
        ]);
        let data = Project::manifest(Path::new(""), &usual_images()).digest();
        let metadata = metadata(HeadKind::GlobalPool, data, Digest::of(b"base"));
        write_model(folder.path(), initialise::random_base(bases::vgg16(), 1), head, &metadata);
        folder
    });
    folder.path()
}

/// A BMP of one pixel.
pub(crate) fn pixel(grey: u8) -> Vec<u8> {
    bitmap(1, |_, _| grey)
}

/// A square BMP, written out: 14 bytes of file header, 40 of picture header, rows from the bottom
/// up, each padded to a multiple of four bytes.
pub(crate) fn bitmap(side: u8, grey: impl Fn(u8, u8) -> u8) -> Vec<u8> {
    let row = (u32::from(side) * 3).next_multiple_of(4);
    let mut bytes = b"BM".to_vec();
    for value in [54 + row * u32::from(side), 0, 54, 40, side.into(), side.into()] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    for y in (0..side).rev() {
        let pixels = (0..side).flat_map(|x| [grey(x, y); 3]);
        let padding = std::iter::repeat_n(0, (row - u32::from(side) * 3) as usize);
        bytes.extend(pixels.chain(padding));
    }
    bytes
}

/// Class and grey level of each test image.
type Images = [(&'static str, u8)];

fn usual_images() -> Vec<(&'static str, u8)> {
    let cancers = (0..CANCERS as u8).map(|grey| ("cancer", grey));
    cancers.chain((0..NORMALS as u8).map(|grey| ("normal", grey))).collect()
}

fn image_path(class: &str, grey: u8) -> String {
    format!("test/{class}/{grey:02}.bmp")
}

pub(crate) fn record(path: &str, split: Split, class: &str, bytes: &[u8]) -> ImageRecord {
    let (path, class, sha256) = (path.into(), class.into(), Digest::of(bytes));
    ImageRecord { path, split, class, sha256, width: 1, height: 1 }
}

/// The folder that the program runs in.
pub(crate) struct Project {
    folder: TempDir,
    model: PathBuf,
}

impl Project {
    /// 13 test images of `cancer`, 4 of `normal`, and the model with the constant answer.
    pub(crate) fn new() -> Self {
        Self::with_images(&usual_images())
    }

    /// Plain test images, and the model with the constant answer.
    pub(crate) fn with_images(images: &Images) -> Self {
        let project = Self::empty(shared_model(Answer::Constant).into());
        for (class, grey) in images {
            let file = project.data().join(image_path(class, *grey));
            artifact::write_file(&file, &pixel(*grey)).unwrap();
        }
        project.write(&Self::manifest(&project.data(), images));
        project
    }

    /// The same project with a model that gives another answer.
    pub(crate) fn answering(self, answer: Answer) -> Self {
        Self { model: shared_model(answer).into(), ..self }
    }

    /// Both configuration files and nothing else.
    pub(crate) fn empty(model: PathBuf) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap(), model };
        let config = "data: {source: {kind: sample}, classes: {cancer: [a], normal: [b]}}\n";
        artifact::write_file(&project.path("config.yaml"), config.as_bytes()).unwrap();
        std::fs::copy(root_file("tests/params/by-epochs.yaml"), project.path("params.yaml"))
            .unwrap();
        project
    }

    pub(crate) fn manifest(folder: &Path, images: &Images) -> Manifest {
        let record = |(class, grey): &(&str, u8)| {
            record(&image_path(class, *grey), Split::Test, class, &pixel(*grey))
        };
        Manifest::new(folder, images.iter().map(record).collect())
    }

    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.path("artifacts/data_ingestion")
    }

    pub(crate) fn validation(&self) -> PathBuf {
        self.path("artifacts/data_validation")
    }

    /// A file that the last run wrote.
    pub(crate) fn output(&self, file: &str) -> String {
        artifact::read_text(&self.path("artifacts/evaluation").join(file)).unwrap()
    }

    pub(crate) fn scores(&self) -> Value {
        serde_json::from_str(&self.output("scores.json")).unwrap()
    }

    /// Adds a test image to the manifest.
    pub(crate) fn add(&self, path: &str, class: &str, bytes: &[u8]) {
        artifact::write_file(&self.data().join(path), bytes).unwrap();
        let read = ValidatedManifest::read(&self.validation(), &self.data()).unwrap();
        let mut records = read.included().records().to_vec();
        records.push(record(path, Split::Test, class, bytes));
        self.write(&Manifest::new(self.data(), records));
    }

    /// Writes the output of `validate`: the manifest, and a baseline that always predicts `cancer`.
    pub(crate) fn write(&self, manifest: &Manifest) {
        self.write_validated(&ValidatedManifest::unexamined(manifest, self.data()));
    }

    pub(crate) fn write_validated(&self, validated: &ValidatedManifest) {
        validated.write(&self.validation()).unwrap();
        let included = validated.included();
        let images = included.records().iter().map(|it| (it.path.clone(), vec![1.0, 0.0]));
        let majority = BaselinePredictions {
            name: "majority_class".into(),
            kind: BaselineKind::Majority,
            fitted_on: FittedOn::all(included.split(Split::Train).count()),
            images: images.collect(),
        };
        let file = self.validation().join(BASELINES_FILE);
        dataset::write_baselines(&file, &classes(), &[majority]).unwrap();
    }

    pub(crate) fn evaluate(&self, arguments: &[&str]) -> Assert {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evaluate"));
        command.env_remove("MLFLOW_TRACKING_URI");
        command.current_dir(&self.folder).arg("--model").arg(&self.model);
        command.args(["--device", "cpu"]).args(arguments).assert()
    }

    /// The program without its own model.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evaluate"));
        command.current_dir(&self.folder);
        command
    }
}

/// Checks a number in JSON.
#[track_caller]
pub(crate) fn close(json: &Value, key: &str, expected: f64) {
    let found = json.pointer(key).and_then(Value::as_f64);
    let found = found.unwrap_or_else(|| panic!("{key} is no number"));
    assert!((found - expected).abs() < 1e-6, "{key}: found {found}, expected {expected}");
}
