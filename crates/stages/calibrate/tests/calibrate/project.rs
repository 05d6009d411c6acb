//! A small project in a temporary folder: plain images, a base, and a model whose answers can be
//! computed by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use artifact::Digest;
use classifier::BaseWeights;
use classifier::architecture::{Architecture, BaseDescription};
use classifier::backend::NumberFormat;
use classifier::bases;
use classifier::checkpoint::{CheckpointMetadata, RunId, ValidationScores};
use classifier::initialise::{fresh_head, random_base};
use classifier::model;
use classifier::tensors::{self, HostTensor, TensorMap};
use config::{HeadKind, Params};
use dataset::{ClassIndices, GroupNumber, ImageRecord, Split, ValidatedManifest, ValidatedRecord};
use imaging::{Normalisation, Preprocessing};
use serde_json::Value;
use tempfile::TempDir;

/// The model's answer to an image.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer {
    /// The logits of `bright` and `dark`, whatever the image.
    Constant([f32; 2]),
    /// `bright`, with a confidence that grows with brightness: the head adds up the features of a
    /// network without biases, which are proportional to the brightness of a plain image.
    Brightness,
}

/// An image of one grey level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plain {
    pub(crate) split: Split,
    pub(crate) class: &'static str,
    pub(crate) grey: u8,
}

/// Images of a split and class, of these grey levels.
pub(crate) fn plain(
    split: Split,
    class: &'static str,
    greys: impl IntoIterator<Item = u8>,
) -> Vec<Plain> {
    greys.into_iter().map(|grey| Plain { split, class, grey }).collect()
}

/// The folder that the program runs in.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// Images and the model; images of one grey level are copies of each other. `changes` are pairs
    /// of old and new text in `params.yaml`.
    pub(crate) fn new(images: &[Plain], answer: Answer, changes: &[(&str, &str)]) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.write_configuration(changes);
        let manifest = project.write_images(images);
        project.write_model(answer, &manifest);
        project
    }

    fn write_configuration(&self, changes: &[(&str, &str)]) {
        let shared = [
            ("image_size: 128", "image_size: 32"),
            ("epochs: 20", "epochs: 3"),
            ("normalisation: auto", "normalisation: unit"),
        ];
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let mut params = fs::read_to_string(root.join("tests/params/by-epochs.yaml")).unwrap();
        for (from, to) in shared.iter().chain(changes) {
            assert!(params.contains(from), "params.yaml has no {from:?}");
            params = params.replacen(from, to, 1);
        }
        fs::write(self.path("params.yaml"), params).unwrap();
        let config = "data:\n  source: {kind: sample}\n  classes: {bright: [bright], dark: [dark]}\n  \
                      positive: [bright]\n";
        fs::write(self.path("config.yaml"), config).unwrap();
    }

    fn write_images(&self, images: &[Plain]) -> ValidatedManifest {
        let folder = self.path("artifacts/data_ingestion");
        let records = images.iter().enumerate().map(|(number, Plain { split, class, grey })| {
            let path = format!("{split}/{class}/{number:03}.png");
            let bytes = png(*grey);
            artifact::write_file(&folder.join(&path), &bytes).unwrap();
            let sha256 = Digest::of(&bytes);
            let is_copied = images.iter().filter(|it| it.grey == *grey).count() > 1;
            ValidatedRecord {
                image: ImageRecord {
                    path,
                    split: *split,
                    class: (*class).into(),
                    sha256,
                    width: 8,
                    height: 8,
                },
                original_split: *split,
                duplicate_group: is_copied.then_some(GroupNumber((*grey).into())),
                group: GroupNumber((*grey).into()),
                patient_id: None,
                excluded: None,
            }
        });
        let manifest = ValidatedManifest::new(&folder, records.collect());
        manifest.write(&self.path("artifacts/data_validation")).unwrap();
        manifest
    }

    fn write_model(&self, answer: Answer, manifest: &ValidatedManifest) {
        let params = Params::load(&self.path("params.yaml")).unwrap();
        let classes = ClassIndices::of_names(["bright", "dark"]);
        let architecture = Architecture::new(&params.prepare_base, &classes).unwrap();
        let base = random_base(bases::vgg16(), 1);
        let base_sha256 = self.write_base(&architecture, &base);
        let (weights, bias) = match answer {
            Answer::Constant(logits) => ([0.0, 0.0], logits),
            Answer::Brightness => ([0.02, 0.0], [0.0, 0.0]),
        };
        assert_eq!(architecture.head.kind, HeadKind::GlobalPool);
        let rows = weights.map(|weight: f32| [weight; 512]).concat();
        let head = TensorMap::from([
            ("classifier.0.weight".into(), HostTensor::new(&[2, 512], rows)),
            ("classifier.0.bias".into(), HostTensor::new(&[2], bias.to_vec())),
        ]);
        let metadata = CheckpointMetadata {
            format: CheckpointMetadata::FORMAT,
            run: RunId::of_inputs(&Digest::of(b"run")),
            epoch: 1,
            valid_accuracy: 0.5,
            valid_loss: 0.625,
            validation: ValidationScores::default(),
            solved: None,
            epochs: None,
            architecture,
            preprocessing: Preprocessing::bilinear(32, Normalisation::Unit),
            precision: NumberFormat::Fp32,
            data: manifest.included().digest(),
            base: base_sha256,
            params: Digest::of(b"params"),
            training: params.train,
        };
        let source = ("model_e1_acc0.7500_vacc0.5000.safetensors", Digest::of(b"checkpoint"));
        model::write(&self.path("model"), base, head, &metadata, source).unwrap();
    }

    fn write_base(&self, architecture: &Architecture, base: &TensorMap) -> Digest {
        let folder = self.path("artifacts/base_model");
        let write = |name, weights| tensors::write(&folder.join(name), weights, &()).unwrap();
        let base_sha256 = write(BaseDescription::BASE_FILE, base);
        let mut whole = base.clone();
        whole.extend(fresh_head(architecture, 1));
        let description = BaseDescription {
            format: BaseDescription::FORMAT,
            architecture: architecture.clone(),
            weights: BaseWeights::drawn("random"),
            base_sha256,
            updated_base_sha256: write(BaseDescription::UPDATED_BASE_FILE, &whole),
        };
        artifact::write_json(&folder.join(BaseDescription::FILE), &description).unwrap();
        base_sha256
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// The program, to be run in this folder.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_calibrate"));
        command.current_dir(&self.folder).args(["--device", "cpu"]).args(arguments);
        command.env_remove("HOUNSFIELD_LOG");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs it and expects success; returns calibration.json.
    #[track_caller]
    pub(crate) fn succeed(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&self.written().0).unwrap()
    }

    /// Runs it and expects failure with this exit code; returns the log.
    #[track_caller]
    pub(crate) fn fail(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{log}");
        log
    }

    /// The bytes of calibration.json and foreign.safetensors.
    pub(crate) fn written(&self) -> (Vec<u8>, Vec<u8>) {
        let read = |name| fs::read(self.path(name)).unwrap();
        (read("model/calibration.json"), read("model/foreign.safetensors"))
    }
}

/// A plain grey picture.
fn png(grey: u8) -> Vec<u8> {
    let picture = image::GrayImage::from_pixel(8, 8, image::Luma([grey]));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A number in JSON.
#[track_caller]
pub(crate) fn number(json: &Value, pointer: &str) -> f64 {
    let found = json.pointer(pointer).and_then(Value::as_f64);
    found.unwrap_or_else(|| panic!("{pointer} is no number in {json}"))
}
