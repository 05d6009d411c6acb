//! A model in a temporary folder, and the server that serves it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use artifact::Digest;
use classifier::architecture::Architecture;
use classifier::backend::NumberFormat;
use classifier::bases;
use classifier::calibration::{
    BeforeAndAfter, Calibration, CalibrationImages, ForeignChecks, PositiveClasses,
};
use classifier::checkpoint::{CheckpointMetadata, RunId, ValidationScores};
use classifier::drift::DriftReference;
use classifier::foreign::{FeatureReference, HistogramReference};
use classifier::initialise::random_base;
use classifier::model::{self, BatchSize, Input, Model};
use classifier::tensors::{HostTensor, TensorMap};
use config::{DeviceChoice, Params};
use dataset::{ClassIndex, ClassIndices};
use imaging::{Normalisation, Preprocessing};
use metrics::LabelledLogits;
use reqwest::blocking::{Client, RequestBuilder, Response};
use serde_json::Value;
use tempfile::TempDir;

/// Greys of the images that the model accepts.
const KNOWN_GREYS: std::ops::Range<u8> = 40..200;

const ON_A_FREE_PORT: [&str; 6] = ["--address", "127.0.0.1:0", "--device", "cpu", "--log", "json"];

/// A folder with a model that predicts bright images as `bright`, with a confidence that grows with
/// brightness.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// With a calibration, so that foreign images are detected. `settings` is the section `serve`
    /// of config.yaml.
    pub(crate) fn new(settings: &str) -> Self {
        let project = Self { folder: tempfile::tempdir().unwrap() };
        project.configure(settings);
        project.write_model(0.02);
        project
    }

    /// Writes another model into the folder: the weight sets its confidence.
    pub(crate) fn write_model(&self, weight: f32) {
        let folder = self.path("model");
        if folder.exists() {
            fs::remove_dir_all(&folder).unwrap();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let mut params = Params::load(&root.join("tests/params/by-epochs.yaml")).unwrap();
        params.prepare_base.image_size = 32;
        params.prepare_base.head.kind = config::HeadKind::GlobalPool;
        let classes = ClassIndices::of_names(["bright", "dark"]);
        let architecture = Architecture::new(&params.prepare_base, &classes).unwrap();
        let rows = [weight, 0.0].map(|weight| [weight; 512]).concat();
        let head = TensorMap::from([
            ("classifier.0.weight".into(), HostTensor::new(&[2, 512], rows)),
            ("classifier.0.bias".into(), HostTensor::new(&[2], vec![0.0, 0.0])),
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
            data: Digest::of(b"data"),
            base: Digest::of(b"base"),
            params: Digest::of(b"params"),
            training: params.train,
        };
        let source = ("model_e1_acc0.7500_vacc0.5000.safetensors", Digest::of(b"checkpoint"));
        model::write(&folder, random_base(bases::vgg16(), 1), head, &metadata, source).unwrap();
        self.write_calibration();
    }

    fn write_calibration(&self) {
        let folder = self.path("model");
        let model = Model::load(&folder, DeviceChoice::Cpu).unwrap();
        let images: Vec<Vec<f32>> = KNOWN_GREYS
            .step_by(10)
            .map(|grey| planes(&model, &imaging::decode(&picture(grey)).unwrap()))
            .collect();
        let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
        let outputs = model.output(Input::Images(&images), BatchSize::Fixed).unwrap();
        let rows: Vec<&[f32]> = outputs.iter().map(|output| output.pooled.as_slice()).collect();
        let features = FeatureReference::fit(&rows).unwrap();
        let farthest = rows.iter().map(|row| features.distance(row)).fold(0.0, f64::max);
        let histograms: Vec<[f64; 32]> = KNOWN_GREYS
            .map(|grey| imaging::grey_histogram(&imaging::decode(&picture(grey)).unwrap()))
            .collect();
        let histogram =
            HistogramReference::of(histograms.iter().map(|histogram| ("bright", &histogram[..])));
        let logits = [(ClassIndex(0), [1.0, 0.0]), (ClassIndex(1), [1.0, 0.0])];
        let logits = LabelledLogits::new(2, logits.iter().map(|(c, row)| (*c, row))).unwrap();
        let mut calibration = Calibration {
            format: Calibration::FORMAT,
            notice: "test".into(),
            model: model.description().digests.weights,
            images: CalibrationImages {
                validation: 1,
                left_out_copies: 0,
                out_of_fold: 0,
                reason: "test".into(),
            },
            temperature: logits.fit_temperature(),
            expected_calibration_error: BeforeAndAfter { before: None, after: None },
            positive: Some(PositiveClasses {
                classes: vec!["bright".into()],
                operating_points: Vec::new(),
            }),
            foreign: ForeignChecks {
                histogram,
                feature_distance_limit: 1.5 * farthest,
                acceptance: 0.99,
                held_out: 1,
                features: Digest::of(b""),
            },
            drift: Some(reference()),
            seal: None,
        };
        calibration.write(&folder, &features).unwrap();
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// The model's answer to an image, without the server: `[bright, dark]`.
    pub(crate) fn offline(&self, image: &[u8]) -> Vec<f64> {
        let folder = self.path("model");
        let model = Model::load(&folder, DeviceChoice::Cpu).unwrap();
        let calibration = Calibration::read(&folder, model.description()).unwrap().unwrap();
        let planes = planes(&model, &imaging::decode(image).unwrap());
        let output = model.output(Input::Images(&[&planes]), BatchSize::Fixed).unwrap().remove(0);
        let logits: Vec<f64> = output.logits.into_iter().map(f64::from).collect();
        metrics::softmax_with_temperature(&logits, calibration.temperature.temperature)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_serve"));
        command.current_dir(self.folder.path()).args(arguments);
        command.env_remove("HOUNSFIELD_LOG").env_remove("DATABASE_URL");
        command
    }

    /// Runs it until it ends by itself.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Starts the server on a free port and waits until it listens.
    pub(crate) fn serve(&self) -> Server {
        self.start(self.command(&ON_A_FREE_PORT))
    }

    /// The same from a shell that ran these commands before.
    pub(crate) fn serve_after(&self, said: &str) -> Server {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{said} && exec \"$0\" \"$@\""));
        command.arg(env!("CARGO_BIN_EXE_serve")).args(ON_A_FREE_PORT);
        command.current_dir(self.folder.path());
        command.env_remove("HOUNSFIELD_LOG").env_remove("DATABASE_URL");
        self.start(command)
    }

    /// Sets another section `serve` of config.yaml.
    pub(crate) fn configure(&self, settings: &str) {
        let config = format!(
            "data:\n  source: {{kind: sample}}\n  classes: {{bright: [bright], dark: [dark]}}\n  \
             positive: [bright]\n  corrections: corrections\nserve:\n{settings}\n"
        );
        fs::write(self.path("config.yaml"), config).unwrap();
    }

    /// Replaces DVC and the stages: `dvc repro` runs this script.
    pub(crate) fn pipeline(&self, repro: &str) {
        use std::os::unix::fs::PermissionsExt;
        fs::write(self.path("dvc.yaml"), "stages:\n  train: {cmd: x}\n").unwrap();
        for (name, script) in [(".venv/bin/dvc", repro), ("scripts/stage", "exit 0")] {
            let path = self.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
    }

    fn start(&self, mut command: Command) -> Server {
        let log = fs::File::create(self.path("serve.log")).unwrap();
        let mut process = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").map(str::to_owned);
        let url = url.unwrap_or_else(|| panic!("{line:?} {}", self.log()));
        // A request may come before the first accept; none is lost.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .danger_accept_invalid_certs(true)
            .timeout(Duration::from_secs(120))
            .build()
            .unwrap();
        Server { process, url, client }
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("serve.log")).unwrap_or_default()
    }
}

/// Images of every distance, confidence and class alike.
fn reference() -> DriftReference {
    let places = || (0..300).map(|number| f64::from(number) / 300.0);
    DriftReference::new(
        places().map(|place| 1.0 + place).collect(),
        places().map(|place| place / 10.0).collect(),
        places().map(|place| 0.5 + place / 2.0).collect(),
        [("bright".to_owned(), 150), ("dark".to_owned(), 150)].into(),
    )
}

fn planes(model: &Model, picture: &imaging::Picture) -> Vec<f32> {
    model.description().preprocessing.apply(picture)
}

/// A running server; ended when it is dropped.
pub(crate) struct Server {
    process: Child,
    pub(crate) url: String,
    pub(crate) client: Client,
}

impl Server {
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url))
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}{path}", self.url))
    }

    /// The address without the scheme.
    pub(crate) fn address(&self) -> &str {
        self.url.split("://").nth(1).unwrap()
    }

    /// Requests a prediction, which must succeed.
    #[track_caller]
    pub(crate) fn predict(&self, image: Vec<u8>) -> Value {
        let answer = self.post("/v1/predict").header("content-type", "image/png").body(image);
        let mut answer = json(answer.send().unwrap(), 200);
        answer["predictions"][0]["prediction"].take()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// The most memory it has used, in bytes.
    pub(crate) fn peak_memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() * 1024
    }

    /// Limits the size of files to this many bytes, as a full disk would.
    pub(crate) fn limit_files(&self, bytes: &str) {
        let process = format!("--pid={}", self.process.id());
        let limit = format!("--fsize={bytes}:");
        assert!(Command::new("prlimit").args([process, limit]).status().unwrap().success());
    }

    /// Waits for its end and returns the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The JSON of an answer with this status.
#[track_caller]
pub(crate) fn json(mut answer: Response, status: u16) -> Value {
    let found = answer.status().as_u16();
    let mut text = String::new();
    answer.read_to_string(&mut text).unwrap();
    assert_eq!(found, status, "{text}");
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"))
}

/// A PNG with a gradient from black at the left to this grey at the right.
pub(crate) fn picture(grey: u8) -> Vec<u8> {
    let picture =
        image::GrayImage::from_fn(48, 40, |x, _| image::Luma([(u32::from(grey) * x / 47) as u8]));
    encoded(&picture)
}

/// A picture unlike any that the model accepts: a chequerboard of black and white.
pub(crate) fn foreign_picture() -> Vec<u8> {
    encoded(&image::GrayImage::from_fn(48, 48, |x, y| {
        image::Luma([if (x + y) % 2 == 0 { 255 } else { 0 }])
    }))
}

fn encoded(picture: &image::GrayImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}
