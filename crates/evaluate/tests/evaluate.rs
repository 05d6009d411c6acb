//! The real program on a model whose answer is known: its head's weights are zero, so that it says
//! the same of every image, and its scores can be worked out by hand.

// Always true here; it tells clippy that the helpers are test code too.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use artifact::Digest;
use assert_cmd::Command;
use assert_cmd::assert::Assert;
use classifier::architecture::Architecture;
use classifier::backend::NumberFormat;
use classifier::checkpoint::{CheckpointMetadata, RunId};
use classifier::tensors::{HostTensor, TensorMap};
use classifier::{initialise, model, tensors};
use config::{Freeze, HeadKind, HeadParams, Normalisation};
use dataset::{
    BASELINES_FILE, BaselineKind, BaselinePredictions, ClassIndices, ImageRecord, Manifest, Split,
    ValidatedManifest,
};
use imaging::Preprocessing;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

const HISTORY: &str = "epoch,learning_rate,train_loss,train_accuracy,valid_loss,valid_accuracy\n\
                       1,0.1,0.5,0.75,0.625,0.5\n";

/// The logits of `cancer` and `normal`, for every image: three to one.
const LOGITS: [f32; 2] = [1.098_612_3, 0.0];

/// One image more than a forward pass takes.
const CANCERS: usize = 13;
const NORMALS: usize = 4;

/// Manifest digest that the model says it was trained on.
fn trained_on() -> Digest {
    project_manifest(Path::new("")).digest()
}

fn params() -> config::Params {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../params.yaml");
    config::Params::load(&file).unwrap()
}

/// One model of 59 MB for all tests of this file.
fn shared_model() -> &'static Path {
    static MODEL: OnceLock<TempDir> = OnceLock::new();
    MODEL.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let metadata = CheckpointMetadata {
            format: CheckpointMetadata::FORMAT,
            run: RunId::of_inputs(&Digest::of(b"run")),
            epoch: 1,
            valid_accuracy: 0.5,
            valid_loss: 0.625,
            architecture: Architecture {
                image_size: 32,
                classes: vec!["cancer".into(), "normal".into()],
                freeze: Freeze::All,
                head: HeadParams { kind: HeadKind::GlobalPool, hidden_units: 0, dropout: 0.0 },
            },
            preprocessing: Preprocessing { image_size: 32, normalisation: Normalisation::Unit },
            precision: NumberFormat::Fp32,
            data: trained_on(),
            base: Digest::of(b"base"),
            params: Digest::of(b"params"),
            training: params().train,
        };
        let head = TensorMap::from([
            ("classifier.0.weight".into(), HostTensor::new(&[2, 512], vec![0.0; 1024])),
            ("classifier.0.bias".into(), HostTensor::new(&[2], LOGITS.to_vec())),
        ]);
        let source = ("model_e1_acc0.7500_vacc0.5000.safetensors", Digest::of(b"checkpoint"));
        model::write(folder.path(), initialise::random_base(1), head, &metadata, source).unwrap();
        artifact::write_file(&folder.path().join("history.csv"), HISTORY.as_bytes()).unwrap();
        folder
    });
    MODEL.get().unwrap().path()
}

/// A BMP of one pixel.
fn pixel(grey: u8) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for value in [58_u32, 0, 54, 40, 1, 1] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend([1, 0, 24, 0]);
    bytes.extend([0; 24]);
    bytes.extend([grey, grey, grey, 0]);
    bytes
}

fn image(class: &str, number: usize) -> (String, Vec<u8>) {
    (format!("test/{class}/{number:02}.bmp"), pixel(number as u8))
}

fn project_manifest(folder: &Path) -> Manifest {
    let cancers = (0..CANCERS).map(|number| ("cancer", number));
    let normals = (0..NORMALS).map(|number| ("normal", number));
    let records = cancers.chain(normals).map(|(class, number)| {
        let (path, bytes) = image(class, number);
        record(&path, class, &bytes)
    });
    Manifest::new(folder, records.collect())
}

fn record(path: &str, class: &str, bytes: &[u8]) -> ImageRecord {
    ImageRecord {
        path: path.into(),
        split: Split::Test,
        class: class.into(),
        sha256: Digest::of(bytes),
        width: 1,
        height: 1,
    }
}

/// A folder with 13 test images of `cancer` and 4 of `normal`.
struct Project(TempDir);

impl Project {
    fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        let config = "data: {source: {kind: sample}, classes: {cancer: [a], normal: [b]}}\n";
        artifact::write_file(&project.path("config.yaml"), config.as_bytes()).unwrap();
        let params = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../params.yaml");
        std::fs::copy(params, project.path("params.yaml")).unwrap();
        for (class, count) in [("cancer", CANCERS), ("normal", NORMALS)] {
            for (path, bytes) in (0..count).map(|number| image(class, number)) {
                artifact::write_file(&project.data().join(path), &bytes).unwrap();
            }
        }
        project.write(&project_manifest(&project.data()));
        project
    }

    fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(relative)
    }

    fn data(&self) -> PathBuf {
        self.path("artifacts/data_ingestion")
    }

    fn output(&self, file: &str) -> String {
        artifact::read_text(&self.path("artifacts/evaluation").join(file)).unwrap()
    }

    /// Adds a test image to the manifest.
    fn add(&self, path: &str, class: &str, bytes: &[u8]) {
        artifact::write_file(&self.data().join(path), bytes).unwrap();
        let read = ValidatedManifest::read(&self.validation(), &self.data()).unwrap();
        let mut records = read.included().records().to_vec();
        records.push(record(path, class, bytes));
        self.write(&Manifest::new(self.data(), records));
    }

    fn validation(&self) -> PathBuf {
        self.path("artifacts/data_validation")
    }

    /// Writes what `validate` writes: the manifest, and a baseline that always says `cancer`.
    fn write(&self, manifest: &Manifest) {
        let validated = ValidatedManifest::unexamined(manifest, self.data());
        validated.write(&self.validation()).unwrap();
        let images = manifest.records().iter().map(|it| (it.path.clone(), vec![1.0, 0.0]));
        let majority = BaselinePredictions {
            name: "majority_class".into(),
            kind: BaselineKind::Majority,
            images: images.collect(),
        };
        let classes = ClassIndices::of_names(["cancer", "normal"]);
        let file = self.validation().join(BASELINES_FILE);
        dataset::write_baselines(&file, &classes, &[majority]).unwrap();
    }

    fn evaluate(&self, arguments: &[&str]) -> Assert {
        let mut command = Command::new(env!("CARGO_BIN_EXE_evaluate"));
        command.current_dir(&self.0).arg("--model").arg(shared_model());
        command.args(["--device", "cpu"]).args(arguments).assert()
    }
}

#[test]
fn scores_are_those_worked_out_by_hand() {
    let project = Project::new();
    project.evaluate(&[]).success();
    let scores: Value = serde_json::from_str(&project.output("scores.json")).unwrap();
    let close = |key: &str, expected: f64| {
        let found = scores.pointer(key).unwrap().as_f64().unwrap();
        assert!((found - expected).abs() < 1e-6, "{key}: found {found}, expected {expected}");
    };
    let (cancers, normals) = (CANCERS as f64, NORMALS as f64);
    let images = cancers + normals;
    close("/images", images);
    close("/accuracy", cancers / images);
    close("/loss", -(cancers * 0.75_f64.ln() + normals * 0.25_f64.ln()) / images);
    close("/classes/cancer/precision", cancers / images);
    close("/classes/cancer/recall", 1.0);
    close("/classes/normal/precision", 0.0);
    close("/classes/normal/support", normals);
    close("/macro/recall", 0.5);
    close("/weighted/recall", cancers / images);
}

#[test]
fn the_table_and_the_notice_go_to_standard_output() {
    Project::new()
        .evaluate(&[])
        .success()
        .stdout(contains("normal               0.0000  0.0000  0.0000  0.5000       4  too few"))
        .stdout(contains("accuracy 0.7647"))
        .stdout(contains("Research use only. Not a medical device."))
        .stderr(contains("normal has 4 test images").and(contains("other data").not()));
}

#[test]
fn every_test_image_has_a_row_in_manifest_order() {
    let project = Project::new();
    project.evaluate(&[]).success();
    let predictions = project.output("predictions.csv");
    let rows: Vec<&str> = predictions.lines().collect();
    assert_eq!(rows.len(), 1 + CANCERS + NORMALS);
    assert_eq!(rows[0], "path,actual,predicted,correct,confidence,prob_cancer,prob_normal");
    assert!(rows[1].starts_with("test/cancer/00.bmp,cancer,cancer,true,0.75"), "{}", rows[1]);
    assert!(rows[CANCERS + NORMALS].starts_with("test/normal/03.bmp,normal,cancer,false,0.75"));
    let expected = "actual,predicted,count\n\
                    cancer,cancer,13\ncancer,normal,0\nnormal,cancer,4\nnormal,normal,0\n";
    assert_eq!(project.output("confusion_matrix.csv"), expected);
    assert_eq!(project.output("history.csv"), HISTORY);
}

#[test]
fn the_same_model_and_images_give_the_same_bytes() {
    let project = Project::new();
    project.evaluate(&[]).success();
    project.evaluate(&["--output", "again"]).success();
    for file in ["scores.json", "predictions.csv", "confusion_matrix.csv", "history.csv"] {
        let again = artifact::read_text(&project.path("again").join(file)).unwrap();
        assert_eq!(project.output(file), again, "{file}");
    }
}

#[test]
fn an_image_that_changed_since_ingest_stops_it_and_the_old_scores_stay() {
    let project = Project::new();
    project.evaluate(&[]).success();
    let before = project.output("scores.json");
    artifact::write_file(&project.data().join("test/normal/02.bmp"), &pixel(200)).unwrap();
    project.evaluate(&[]).code(1).stderr(contains("test/normal/02.bmp: its content changed"));
    assert_eq!(project.output("scores.json"), before);
}

#[test]
fn a_test_image_that_is_no_picture_is_named() {
    let project = Project::new();
    project.add("test/normal/broken.png", "normal", b"no picture");
    project.evaluate(&[]).code(1).stderr(contains("test/normal/broken.png: not an image"));
    assert!(!project.path("artifacts/evaluation").exists());
}

#[test]
fn a_class_that_the_model_does_not_know_is_named() {
    let project = Project::new();
    project.add("test/cyst/1.bmp", "cyst", &pixel(1));
    project.evaluate(&[]).code(1).stderr(contains("\"cyst\" is not one of"));
}

#[test]
fn images_of_another_data_set_are_scored_with_a_warning() {
    let project = Project::new();
    project.add("test/normal/new.bmp", "normal", &pixel(9));
    project.evaluate(&[]).success().stderr(contains("trained on other data"));
}

#[test]
fn an_empty_test_split_says_so() {
    let project = Project::new();
    project.write(&Manifest::new(project.data(), Vec::new()));
    project.evaluate(&[]).code(1).stderr(contains("lists no test images"));
}

#[test]
fn dumped_inputs_are_what_the_model_sees() {
    let project = Project::new();
    project.evaluate(&["--dump-inputs", "inputs.safetensors", "--limit", "3"]).success();
    let dumped = tensors::read_foreign(&project.path("inputs.safetensors")).unwrap();
    assert_eq!(dumped["images"].shape(), [3, 3, 32, 32]);
    assert_eq!(dumped["images"].values()[..3 * 32 * 32], [0.0; 3 * 32 * 32]);
    assert_eq!(dumped["images"].values()[3 * 32 * 32], 1.0 / 255.0);
    assert_eq!(dumped["probabilities"].shape(), [3, 2]);
    assert!((dumped["probabilities"].values()[0] - 0.75).abs() < 1e-6);
    assert!(!project.path("artifacts/evaluation").exists());
}

#[test]
fn a_limit_without_a_dump_is_refused() {
    Project::new().evaluate(&["--limit", "3"]).code(2).stderr(contains("--dump-inputs"));
}

#[test]
fn a_missing_model_names_the_file() {
    let project = Project::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_evaluate"));
    command.current_dir(&project.0).assert().code(1).stderr(contains("model/model.json"));
}
