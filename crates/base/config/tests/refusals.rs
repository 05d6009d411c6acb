//! The error for a wrong configuration file names the file, the key and what is allowed.

use std::fs;
use std::path::{Path, PathBuf};

use config::{Config, DeviceChoice, Freeze, Params};

fn root_file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..").join(name);
    fs::read_to_string(path).expect("the project's own file")
}

/// Writes `text` with `from` replaced by `to`; `from` must be there.
fn changed(folder: &Path, file: &str, from: &str, to: &str) -> PathBuf {
    let text = root_file(file);
    assert!(text.contains(from), "{file} has no {from:?}");
    let path = folder.join(file);
    fs::write(&path, text.replacen(from, to, 1)).expect("a temporary file");
    path
}

fn params_refusal(from: &str, to: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    // A linear head, a kernel head, and one that learns by epochs.
    let files = [
        "params.yaml",
        "crates/tools/hounsfield/templates/params.yaml",
        "tests/params/by-epochs.yaml",
    ];
    let text = files.map(root_file).into_iter().find(|text| text.contains(from));
    let text = text.unwrap_or_else(|| panic!("no parameters have {from:?}"));
    let path = folder.path().join("params.yaml");
    fs::write(&path, text.replacen(from, to, 1)).expect("a temporary file");
    Params::load(&path).expect_err(to).to_string()
}

fn config_refusal(from: &str, to: &str) -> String {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = changed(folder.path(), "config.yaml", from, to);
    Config::load(&path).expect_err(to).to_string()
}

#[track_caller]
fn assert_says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part:?} is missing in: {message}");
    }
}

#[test]
fn the_projects_own_files_are_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    Config::load(&root.join("config.yaml")).expect("config.yaml");
    Params::load(&root.join("params.yaml")).expect("params.yaml");
}

#[test]
fn an_unknown_key_names_itself_its_place_and_the_known_ones() {
    let message = params_refusal("    epochs:", "    epoch:");
    assert_says(
        &message,
        &["params.yaml", "train.descent", "unknown field `epoch`", "`epochs`", "line"],
    );
    let message = params_refusal("  permute_labels:", "  permute_label:");
    assert_says(&message, &["params.yaml", "train", "unknown field `permute_label`", "line"]);
}

#[test]
fn a_missing_key_names_itself() {
    let message = params_refusal("  permute_labels: false", "");
    assert_says(&message, &["params.yaml", "missing field `permute_labels`"]);
}

#[test]
fn a_wrong_choice_lists_the_right_ones() {
    let message = params_refusal("optimizer: adam ", "optimizer: adamm ");
    assert_says(
        &message,
        &["train.descent.optimizer", "`adamm`", "`adam`, `adamw`, `sgd`, `rmsprop`"],
    );
}

#[test]
fn a_value_out_of_range_names_key_value_and_range() {
    let message = params_refusal("learning_rate: 0.0001\n", "learning_rate: -1.0\n");
    assert_says(&message, &["params.yaml", "train.descent.learning_rate is -1", "above 0"]);
    let message = params_refusal("image_size: ", "image_size: 16 # ");
    assert_says(&message, &["prepare_base.image_size is 16", "32 to 1024"]);
}

#[test]
fn keys_without_effect_on_the_head_are_refused() {
    let message = params_refusal("descent: null", "descent: {epochs: 5}");
    assert_says(
        &message,
        &["train.descent is set", "the head is linear", "set train.descent to null"],
    );
    let message = params_refusal("kind: kernel ", "kind: flatten ");
    assert_says(
        &message,
        &["train.solve is set", "the head is flatten", "set train.solve to null"],
    );
    let message = params_refusal("kind: kernel ", "kind: linear ");
    assert_says(&message, &["train.solve.widths", "a linear head has no width"]);
    let message =
        params_refusal("solve: null", "solve: {folds: 5, strengths: [1], widths: [], cuts: []}");
    assert_says(&message, &["train.solve is set", "the head is global_pool"]);
    let message = params_refusal("kind: global_pool ", "kind: linear ");
    assert_says(&message, &["train.solve is null", "the candidates it chooses from are set here"]);
}

#[test]
fn what_a_solved_head_cannot_choose_from_is_refused() {
    for (from, to, says) in [
        (
            "strengths: [1.0, 3.0, 10.0, 30.0, 100.0]",
            "strengths: []",
            "train.solve.strengths is []",
        ),
        ("strengths: [1.0, 3.0, 10.0, 30.0, 100.0]", "strengths: [-1.0]", "numbers above 0"),
        ("widths: [0.5, 1.0, 2.0, 4.0]", "widths: [.nan]", "train.solve.widths is [NaN]"),
        ("folds: 5\n    strengths", "folds: 1\n    strengths", "train.solve.folds is 1"),
        ("- [block4_pool]", "- [block4_pool, block4_pool]", "each named once"),
        ("hidden_units: 0", "hidden_units: 8", "a solved head has no hidden layer"),
        ("kind: kernel ", "kind: multi_scale ", "no longer supported"),
    ] {
        let message = params_refusal(from, to);
        assert!(message.contains(says), "{from} to {to}: {message}");
    }
}

#[test]
fn layers_below_a_kernel_head_cannot_learn() {
    let profile = root_file("crates/tools/hounsfield/templates/params.yaml");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("params.yaml");
    fs::write(&path, profile.replacen("freeze: all", "freeze: none", 1)).expect("a temporary file");
    let message = Params::load(&path).expect_err("a kernel head").to_string();
    assert_says(&message, &["prepare_base.freeze is none", "a kernel head passes no gradient"]);
}

#[test]
fn shares_that_do_not_add_up_are_refused() {
    let message = params_refusal("train: 0.70", "train: 0.80");
    assert_says(&message, &["ingest.split", "1.1", "add up to 1"]);
}

#[test]
fn dropout_without_a_hidden_layer_is_refused() {
    let message = params_refusal("dropout: 0.0", "dropout: 0.5");
    assert_says(&message, &["prepare_base.head.dropout", "hidden_units"]);
}

#[test]
fn a_pattern_needs_exactly_one_group() {
    let message = params_refusal(r"vacc(\d\.\d+)", r"vacc\d\.\d+");
    assert_says(&message, &["select.checkpoint_pattern", "exactly one capture group"]);
    let message = params_refusal(r"vacc(\d\.\d+)", r"vacc(\d\.\d+");
    assert_says(&message, &["select.checkpoint_pattern", "not a regular expression"]);
}

#[test]
fn not_a_number_is_refused_as_a_value() {
    let message = params_refusal("weight_decay: 0.0", "weight_decay: .nan");
    assert_says(&message, &["train.descent.weight_decay is NaN"]);
}

#[test]
fn a_folder_mapped_to_two_classes_is_refused() {
    let message = config_refusal("normal: [normal]", "normal: [normal, Adenocarcinoma]");
    assert_says(&message, &["config.yaml", "data.classes.normal", "mapped to adenocarcinoma"]);
}

#[test]
fn a_class_name_that_would_leave_the_folder_is_refused() {
    let message = config_refusal("normal: [normal]", "\"../normal\": [normal]");
    assert_says(&message, &["data.classes", "../normal", "letters, digits"]);
}

#[test]
fn a_source_of_unknown_kind_lists_the_known_ones() {
    let message = config_refusal("kind: sample", "kind: ftp");
    assert_says(&message, &["data.source", "`ftp`", "`kaggle`"]);
}

#[test]
fn a_digest_that_is_none_is_refused() {
    let local = "kind: local\n    path: scans.zip\n    sha256: abc #";
    let message = config_refusal("kind: sample", local);
    assert_says(&message, &["data.source.sha256", "abc", "64 hexadecimal digits"]);
}

#[test]
fn a_tracking_server_that_is_none_or_holds_a_secret_is_refused() {
    let refusal = |uri: &str| {
        config_refusal("pretrained:", &format!("tracking: {{uri: \"{uri}\"}}\npretrained:"))
    };
    assert_says(&refusal("./mlruns"), &["tracking.uri", "./mlruns", "http://"]);
    let message = refusal("https://ada:hush@host.example");
    assert_says(&message, &["tracking.uri", "MLFLOW_TRACKING_PASSWORD"]);
    assert!(!message.contains("hush"), "{message}");
}

#[test]
fn a_missing_file_says_which_flag_names_another() {
    let message = Params::load(Path::new("nowhere/params.yaml")).expect_err("missing").to_string();
    assert_says(&message, &["nowhere/params.yaml", "--params"]);
}

#[test]
fn words_and_maps_of_freeze_and_device_read_back() {
    assert_eq!("until:block4_pool".parse(), Ok(Freeze::Until("block4_pool".into())));
    assert_eq!("cuda:1".parse(), Ok(DeviceChoice::Cuda(1)));
    assert!("gpu".parse::<DeviceChoice>().is_err());
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = "tests/params/by-epochs.yaml";
    fs::create_dir_all(folder.path().join("tests/params")).expect("a temporary folder");
    let path = changed(folder.path(), file, "freeze: all", "freeze: {until: block4_pool}");
    let params = Params::load(&path).expect("a map is allowed");
    assert_eq!(params.prepare_base.freeze, Freeze::Until("block4_pool".into()));
}

#[test]
fn corrections_are_a_folder_or_none() {
    let message = config_refusal("corrections: corrections", "corrections: ''");
    assert_says(&message, &["config.yaml", "data.corrections is empty", "null for none"]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path =
        changed(folder.path(), "config.yaml", "corrections: corrections", "corrections: null");
    assert_eq!(Config::load(&path).expect("null is allowed").data.corrections, None);
}

/// `dvc.yaml` names the folder, and DVC refuses to run if it is missing.
#[test]
fn the_sample_has_the_folder_of_corrections_that_dvc_follows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let config = Config::load(&root.join("config.yaml")).expect("config.yaml");
    assert_eq!(config.data.corrections.as_deref(), Some(Path::new("corrections")));
    assert!(root.join("corrections/README.md").is_file());
}
