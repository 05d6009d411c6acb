//! The real program on checkpoints that a test writes: no image and no training is needed.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use artifact::Digest;
use assert_cmd::Command;
use assert_cmd::assert::Assert;
use classifier::architecture::{Architecture, BaseDescription};
use classifier::backend::NumberFormat;
use classifier::checkpoint::{
    self, CheckpointDigests, CheckpointMetadata, RunId, ValidationScores,
};
use classifier::description::ModelDescription;
use classifier::{BaseWeights, FrozenLayers, bases};
use classifier::{initialise, tensors};
use config::{HeadKind, HeadParams};
use dataset::{ClassIndices, ImageRecord, Manifest, Split, ValidatedManifest};
use imaging::{Normalisation, Preprocessing};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use tempfile::TempDir;

/// An epoch of a run: validation accuracy and loss.
type Epoch = (f64, f64);

fn training_params() -> config::TrainParams {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/params/by-epochs.yaml");
    config::Params::load(&file).unwrap().train
}

/// A folder with a manifest, a base, and the runs that a test asks for.
struct Project {
    root: TempDir,
    base: Digest,
}

fn architecture() -> Architecture {
    Architecture {
        base: bases::vgg16(),
        image_size: 32,
        classes: vec!["cancer".into(), "normal".into()],
        freeze: FrozenLayers::all(bases::vgg16()),
        head: HeadParams { kind: HeadKind::GlobalPool, hidden_units: 0, dropout: 0.0 },
        stochastic_depth: 0.0,
    }
}

/// One base of 59 MB for all tests of this file; each links to it.
fn shared_base() -> &'static (TempDir, Digest) {
    static BASE: OnceLock<(TempDir, Digest)> = OnceLock::new();
    BASE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(BaseDescription::BASE_FILE);
        let digest =
            tensors::write(&path, &initialise::random_base(bases::vgg16(), 1), &"random").unwrap();
        (folder, digest)
    })
}

impl Project {
    fn new() -> Self {
        let (folder, base) = shared_base();
        let project = Self { root: tempfile::tempdir().unwrap(), base: *base };
        let base_folder = project.path("artifacts/base_model");
        std::fs::create_dir_all(&base_folder).unwrap();
        let file = BaseDescription::BASE_FILE;
        std::os::unix::fs::symlink(folder.path().join(file), base_folder.join(file)).unwrap();
        let description = BaseDescription {
            format: BaseDescription::FORMAT,
            architecture: architecture(),
            weights: BaseWeights::drawn("random"),
            base_sha256: *base,
            updated_base_sha256: *base,
        };
        artifact::write_json(&base_folder.join(BaseDescription::FILE), &description).unwrap();
        project.ingest("present");
        let config = "data: {source: {kind: sample}, classes: {cancer: [a], normal: [b]}}\n";
        artifact::write_file(&project.path("config.yaml"), config.as_bytes()).unwrap();
        let params =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/params/by-epochs.yaml");
        std::fs::copy(params, project.path("params.yaml")).unwrap();
        project
    }

    fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.path().join(relative)
    }

    /// Replaces the data set; returns its digest.
    fn ingest(&self, content: &str) -> Digest {
        let folder = self.path("artifacts/data_ingestion");
        let record = ImageRecord {
            path: "train/cancer/1.png".into(),
            split: Split::Train,
            class: "cancer".into(),
            sha256: Digest::of(content.as_bytes()),
            width: 1,
            height: 1,
        };
        let manifest = Manifest::new(&folder, vec![record]);
        let validation = self.path("artifacts/data_validation");
        ValidatedManifest::unexamined(&manifest, &folder).write(&validation).unwrap();
        manifest.digest()
    }

    fn data(&self) -> Digest {
        let (validation, images) =
            (self.path("artifacts/data_validation"), self.path("artifacts/data_ingestion"));
        ValidatedManifest::read(&validation, &images).unwrap().included().digest()
    }

    /// Writes a finished run on some data, as `train` does; returns its folder.
    fn train_on(&self, data: Digest, name: &str, epochs: &[Epoch]) -> PathBuf {
        let run = RunId::of_inputs(&Digest::of(name.as_bytes()));
        let folder = self.path("artifacts/model_training").join(run.folder_name());
        let mut digests = CheckpointDigests::new();
        let mut history =
            "epoch,learning_rate,train_loss,train_accuracy,valid_loss,valid_accuracy\n".to_owned();
        for (index, &(valid_accuracy, valid_loss)) in epochs.iter().enumerate() {
            let epoch = index as u32 + 1;
            let metadata = CheckpointMetadata {
                format: CheckpointMetadata::FORMAT,
                run: run.clone(),
                epoch,
                valid_accuracy,
                valid_loss,
                validation: ValidationScores::default(),
                solved: None,
                epochs: None,
                architecture: architecture(),
                preprocessing: Preprocessing::bilinear(32, Normalisation::Imagenet),
                precision: NumberFormat::Fp32,
                data,
                base: self.base,
                params: Digest::of(b"params"),
                training: training_params(),
            };
            let file_name = checkpoint::file_name(epoch, 1.0, valid_accuracy);
            let head = initialise::fresh_head(&architecture(), u64::from(epoch));
            let digest = checkpoint::write(&folder.join(&file_name), &head, &metadata).unwrap();
            digests.insert(file_name, digest);
            history += &format!("{epoch},0.1,0.5,1.0,{valid_loss},{valid_accuracy}\n");
        }
        artifact::write_json(&folder.join(checkpoint::DIGESTS_FILE), &digests).unwrap();
        artifact::write_file(&folder.join("history.csv"), history.as_bytes()).unwrap();
        folder
    }

    fn train(&self, name: &str, epochs: &[Epoch]) -> PathBuf {
        self.train_on(self.data(), name, epochs)
    }

    fn select(&self, arguments: &[&str]) -> Assert {
        let mut command = Command::new(env!("CARGO_BIN_EXE_select"));
        command.current_dir(&self.root).args(arguments).assert()
    }

    fn model(&self) -> ModelDescription {
        ModelDescription::read(&self.path("model")).unwrap()
    }

    fn has_no_model(&self) -> bool {
        !self.path("model").exists()
    }
}

#[test]
fn the_highest_validation_accuracy_becomes_the_model() {
    let project = Project::new();
    project.train("run", &[(0.5, 0.7), (0.75, 0.9), (0.625, 0.5)]);
    project
        .select(&[])
        .success()
        .stdout(contains("model_e2_acc1.0000_vacc0.7500.safetensors"))
        .stdout(contains("it has the highest validation accuracy"))
        .stdout(contains("Research use only. Not a medical device."));
    let model = project.model();
    assert_eq!(model.source.epoch, 2);
    assert_eq!(model.source.checkpoint, "model_e2_acc1.0000_vacc0.7500.safetensors");
    assert_eq!(model.digests.data, project.data());
    assert_eq!(model.digests.base, project.base);
}

#[test]
fn the_model_is_the_base_with_the_checkpoint_on_top() {
    let project = Project::new();
    let run = project.train("run", &[(0.5, 0.7)]);
    project.select(&[]).success();
    let model = tensors::read_foreign(&project.path("model/trained_model.safetensors")).unwrap();
    let mut expected = initialise::random_base(bases::vgg16(), 1);
    expected.extend(initialise::fresh_head(&architecture(), 1));
    assert!(model == expected, "the tensors differ");
    let classes = ClassIndices::read(&project.path("model")).unwrap();
    assert_eq!(classes.names(), ["cancer", "normal"]);
    let curves = |folder: &Path| artifact::read_text(&folder.join("history.csv")).unwrap();
    assert_eq!(curves(&project.path("model")), curves(&run));
}

#[test]
fn a_tie_goes_to_the_lower_loss_then_to_the_earlier_epoch() {
    let project = Project::new();
    project.train("run", &[(0.75, 0.9), (0.75, 0.5), (0.75, 0.5)]);
    project.select(&[]).success().stdout(contains("the same loss it is the earliest"));
    assert_eq!(project.model().source.epoch, 2);
}

#[test]
fn all_runs_on_the_present_data_compete() {
    let project = Project::new();
    project.train("one", &[(0.75, 0.5)]);
    project.train("two", &[(0.25, 0.5), (1.0, 0.5)]);
    project.select(&[]).success();
    assert_eq!(project.model().source.run, RunId::of_inputs(&Digest::of(b"two")));
}

#[test]
fn a_run_on_other_data_never_wins_and_is_named() {
    let project = Project::new();
    let sample = project.ingest("sample");
    let other = project.train_on(sample, "sample", &[(1.0, 0.01)]);
    project.ingest("present");
    project.train("ct", &[(0.5, 0.7)]);
    let other = other.file_name().unwrap().to_string_lossy().into_owned();
    project.select(&[]).success().stderr(contains("passing over").and(contains(other)));
    assert_eq!(project.model().source.run, RunId::of_inputs(&Digest::of(b"ct")));
}

#[test]
fn runs_on_other_data_alone_are_an_error_that_says_so() {
    let project = Project::new();
    project.train("run", &[(1.0, 0.01)]);
    project.ingest("other");
    project.select(&[]).code(1).stderr(contains("trained on other data"));
    assert!(project.has_no_model());
}

#[test]
fn no_run_at_all_says_to_train_first() {
    Project::new().select(&[]).code(1).stderr(contains("run train first"));
}

#[test]
fn a_pattern_that_matches_nothing_shows_a_name_and_the_pattern() {
    let project = Project::new();
    project.train("run", &[(0.5, 0.7)]);
    project
        .select(&["--pattern", r"weights_(\d+)\.h5"])
        .code(2)
        .stderr(contains("model_e1_acc1.0000_vacc0.5000.safetensors"))
        .stderr(contains(r"'weights_(\d+)\.h5'"));
    assert!(project.has_no_model());
}

#[test]
fn a_pattern_without_a_group_is_refused_as_configuration() {
    let project = Project::new();
    project.select(&["--pattern", r"vacc\d"]).code(2).stderr(contains("one capture group"));
    project.select(&["--pattern", "("]).code(2).stderr(contains("not a regular expression"));
}

#[test]
fn a_group_that_is_no_number_shows_the_name_and_what_it_holds() {
    let project = Project::new();
    project.train("run", &[(0.5, 0.7)]);
    project
        .select(&["--pattern", r"_vacc([\d.]+)"])
        .code(2)
        .stderr(contains("model_e1_acc1.0000_vacc0.5000.safetensors"))
        .stderr(contains("\"0.5000.\", which is not a number"));
}

#[test]
fn a_group_around_another_number_is_warned_of() {
    let project = Project::new();
    project.train("run", &[(0.5, 0.7)]);
    project
        .select(&["--pattern", r"_acc(\d\.\d+)_"])
        .success()
        .stderr(contains("that is not its validation accuracy, 0.5000"));
}

#[test]
fn accuracies_that_their_names_round_to_the_same_digits_are_told_apart() {
    let project = Project::new();
    project.train("run", &[(0.750_04, 0.5), (0.750_01, 0.1)]);
    project.select(&[]).success().stdout(contains("it has the highest validation accuracy"));
    assert_eq!(project.model().source.epoch, 1);
}

#[test]
fn a_checkpoint_that_changed_is_refused_and_the_old_model_stays() {
    let project = Project::new();
    let run = project.train("run", &[(0.5, 0.7)]);
    project.select(&[]).success();
    let before = project.model();
    let checkpoint = run.join("model_e1_acc1.0000_vacc0.5000.safetensors");
    let mut bytes = std::fs::read(&checkpoint).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&checkpoint, bytes).unwrap();
    project.select(&[]).code(1).stderr(contains("vacc0.5000.safetensors: its SHA-256 is"));
    assert_eq!(project.model(), before);
}

#[test]
fn a_checkpoint_without_a_recorded_digest_is_refused() {
    let project = Project::new();
    let run = project.train("run", &[(0.5, 0.7)]);
    artifact::write_json(&run.join(checkpoint::DIGESTS_FILE), &CheckpointDigests::new()).unwrap();
    project.select(&[]).code(1).stderr(contains("does not list it"));
}

#[test]
fn a_checkpoint_of_another_base_is_refused() {
    let mut project = Project::new();
    project.base = Digest::of(b"an earlier base");
    project.train("run", &[(0.5, 0.7)]);
    project.select(&[]).code(1).stderr(contains("belongs to a base with SHA-256"));
    assert!(project.has_no_model());
}

#[test]
fn a_better_checkpoint_of_another_base_is_passed_over() {
    let mut project = Project::new();
    let present = std::mem::replace(&mut project.base, Digest::of(b"an earlier base"));
    project.train("earlier", &[(0.9, 0.2)]);
    project.base = present;
    project.train("present", &[(0.5, 0.7)]);
    project.select(&[]).success().stderr(contains("trained on another base"));
    assert_eq!(project.model().source.valid_accuracy, 0.5);
}

#[test]
fn a_named_checkpoint_is_taken_whatever_its_accuracy() {
    let project = Project::new();
    let run = project.train("run", &[(0.5, 0.7), (0.75, 0.5)]);
    let file = run.join("model_e1_acc1.0000_vacc0.5000.safetensors");
    project
        .select(&["--checkpoint", &file.to_string_lossy()])
        .success()
        .stdout(contains("--checkpoint names it"));
    assert_eq!(project.model().source.epoch, 1);
}

#[test]
fn a_named_checkpoint_of_other_data_is_refused() {
    let project = Project::new();
    let run = project.train("run", &[(0.5, 0.7)]);
    project.ingest("other");
    let file = run.join("model_e1_acc1.0000_vacc0.5000.safetensors");
    project
        .select(&["--checkpoint", &file.to_string_lossy()])
        .code(1)
        .stderr(contains("trained on other data"));
}

#[test]
fn the_same_checkpoint_gives_the_same_bytes() {
    let project = Project::new();
    project.train("run", &[(0.5, 0.7)]);
    project.select(&[]).success();
    project.select(&["--output", "again"]).success();
    for file in ["trained_model.safetensors", "model.json", "class_indices.json", "history.csv"] {
        let digest = |folder: &str| Digest::of_file(&project.path(folder).join(file)).unwrap();
        assert_eq!(digest("model"), digest("again"), "{file}");
    }
}

#[test]
fn a_folder_of_other_files_is_not_replaced_by_the_model() {
    let project = Project::new();
    project.train("run", &[(0.5, 0.7)]);
    let kept = project.path("thesis/chapter1.tex");
    artifact::write_file(&kept, b"ten years").unwrap();
    project.select(&["--output", "thesis"]).code(1).stderr(contains("not ours to remove"));
    assert!(kept.exists());
}

#[test]
fn a_calibration_of_the_model_before_goes_with_it() {
    let project = Project::new();
    project.train("run", &[(0.5, 0.7)]);
    // As DVC leaves the folder: the outputs of select are gone, those of calibrate are not.
    let stale = project.path("model/calibration.json");
    artifact::write_file(&stale, b"{}").unwrap();
    project.select(&[]).success();
    assert!(project.path("model/model.json").exists() && !stale.exists());
}

#[test]
fn the_flag_that_moved_to_register_names_its_successor() {
    let project = Project::new();
    project
        .select(&["--from-registry", "models:/chest-ct@champion"])
        .code(2)
        .stderr(contains("register --fetch models:/chest-ct@champion"));
}
