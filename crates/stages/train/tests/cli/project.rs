//! A small project in a temporary folder: images, base, configuration, and the real program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use artifact::Digest;
use classifier::BaseWeights;
use classifier::architecture::{Architecture, BaseDescription};
use classifier::bases;
use classifier::initialise::{fresh_head, random_base};
use classifier::tensors;
use config::Params;
use dataset::{ImageRecord, Manifest, Split, ValidatedManifest};
use tempfile::TempDir;

/// The folder that the program runs in.
pub(crate) struct Project {
    folder: TempDir,
}

impl Project {
    /// Two classes of 32×32 images, bright and dark, and the base with a head that learns by
    /// epochs, with `changes` (pairs of old and new text) to the parameters.
    pub(crate) fn new(changes: &[(&str, &str)]) -> Self {
        let few_steps = [("epochs: 20", "epochs: 5"), ("batch_size: 32", "batch_size: 8")];
        Self::of("tests/params/by-epochs.yaml", &few_steps, changes)
    }

    /// The same with the head of real scans, which is solved.
    pub(crate) fn solved(changes: &[(&str, &str)]) -> Self {
        let small =
            [("image_size: 224", "image_size: 128"), ("weights: imagenet", "weights: random")];
        Self::of("crates/tools/hounsfield/templates/params.yaml", &small, changes)
    }

    /// `early` changes are applied before those that all projects share.
    fn of(params_file: &str, early: &[(&str, &str)], changes: &[(&str, &str)]) -> Self {
        let project = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let shared = [
            ("image_size: 128", "image_size: 32"),
            ("precision: auto", "precision: fp32"),
            ("device: auto               #", "device: cpu #"),
        ];
        let mut params = root_file(params_file);
        for (from, to) in early.iter().chain(&shared).chain(changes) {
            assert!(params.contains(from), "{params_file} has no {from:?}");
            params = params.replacen(from, to, 1);
        }
        fs::write(project.path("params.yaml"), params).expect("params.yaml");
        let config =
            "data:\n  source: {kind: sample}\n  classes: {bright: [bright], dark: [dark]}\n";
        fs::write(project.path("config.yaml"), config).expect("config.yaml");
        project.write_images();
        project.write_base();
        project
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    /// Adds to `config.yaml`.
    pub(crate) fn configure(&self, section: &str) {
        let path = self.path("config.yaml");
        let config = fs::read_to_string(&path).expect("config.yaml");
        fs::write(path, format!("{config}{section}\n")).expect("writable");
    }

    /// Replaces a part of `params.yaml`. The base is unchanged.
    pub(crate) fn change_params(&self, from: &str, to: &str) {
        let path = self.path("params.yaml");
        let params = fs::read_to_string(&path).expect("params.yaml");
        assert!(params.contains(from), "params.yaml has no {from:?}");
        fs::write(path, params.replacen(from, to, 1)).expect("writable");
    }

    /// Removes the published run and trains again; returns the log.
    #[track_caller]
    pub(crate) fn train_anew(&self, arguments: &[&str]) -> String {
        fs::remove_dir_all(self.path("artifacts/model_training")).expect("removable");
        self.succeed(arguments)
    }

    /// Overwrites an image without changing the manifest.
    pub(crate) fn replace_image(&self, path: &str, bytes: &[u8]) {
        let file = self.path("artifacts/data_ingestion").join(path);
        assert!(file.exists(), "{path}");
        fs::write(file, bytes).expect("writable");
    }

    fn write_images(&self) {
        let folder = self.path("artifacts/data_ingestion");
        let mut records = Vec::new();
        for (split, count) in [(Split::Train, 20), (Split::Valid, 8)] {
            for index in 0..count {
                let class = ["bright", "dark"][index % 2];
                let path = format!("{split}/{class}/{index}.png");
                let bytes = png(index as u8, class == "bright");
                artifact::write_file(&folder.join(&path), &bytes).expect("an image");
                let sha256 = Digest::of(&bytes);
                let class = class.to_owned();
                records.push(ImageRecord { path, split, class, sha256, width: 32, height: 32 });
            }
        }
        let manifest = Manifest::new(&folder, records);
        let validation = self.path("artifacts/data_validation");
        ValidatedManifest::unexamined(&manifest, &folder).write(&validation).expect("a manifest");
    }

    fn write_base(&self) {
        let params = Params::load(&self.path("params.yaml")).expect("valid parameters");
        let classes = dataset::ClassIndices::of_names(["bright", "dark"]);
        let architecture = Architecture::new(&params.prepare_base, &classes).expect("a network");
        let folder = self.path("artifacts/base_model");
        let mut weights = random_base(bases::vgg16(), 1);
        let base_sha256 = tensors::write(&folder.join(BaseDescription::BASE_FILE), &weights, &())
            .expect("a base");
        weights.extend(fresh_head(&architecture, 1));
        let updated = folder.join(BaseDescription::UPDATED_BASE_FILE);
        let description = BaseDescription {
            format: BaseDescription::FORMAT,
            updated_base_sha256: tensors::write(&updated, &weights, &()).expect("a base with head"),
            architecture,
            weights: BaseWeights::drawn("random"),
            base_sha256,
        };
        artifact::write_json(&folder.join(BaseDescription::FILE), &description).expect("a file");
    }

    /// The program, to be run in this folder.
    pub(crate) fn train(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_train"));
        command.current_dir(self.folder.path()).args(arguments);
        command.env_remove("HOUNSFIELD_LOG").env_remove("MLFLOW_TRACKING_URI");
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.train(arguments).output().expect("the program starts")
    }

    /// Runs it and expects success; returns its standard error.
    #[track_caller]
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{log}");
        log
    }

    /// Runs it and expects failure with this exit code; returns the error line.
    #[track_caller]
    pub(crate) fn fail(&self, code: i32, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{log}");
        log
    }

    /// The published files: relative path and bytes, sorted.
    pub(crate) fn published(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let root = self.path("artifacts/model_training");
        let mut files = Vec::new();
        collect(&root, &root, &mut files);
        files.sort();
        files
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.expect("a folder entry").path();
        if path.is_dir() {
            collect(root, &path, files);
        } else {
            let relative = path.strip_prefix(root).expect("below the root").to_owned();
            files.push((relative, fs::read(&path).expect("a file")));
        }
    }
}

fn root_file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").join(name);
    fs::read_to_string(path).expect("the project's own file")
}

/// A grey picture with a gradient that depends on `number`, so that all pictures differ.
fn png(number: u8, is_bright: bool) -> Vec<u8> {
    let level = if is_bright { 170 } else { 60 };
    let picture = image::GrayImage::from_fn(32, 32, |x, y| {
        image::Luma([level + ((x * 3 + y * u32::from(number)) % 50) as u8])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).expect("a PNG in memory");
    bytes.into_inner()
}
