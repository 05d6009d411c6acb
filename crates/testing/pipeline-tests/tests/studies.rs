//! Studies that `hounsfield init` makes, run as somebody who installed the tool runs them.

// Always true here; it shows clippy that helpers are test code too.
#![cfg(test)]

use std::fs;
use std::path::{Path, PathBuf};

use config::{Config, NormalisationChoice, Params, WeightsSource};
use pipeline_tests::{Pipeline, Sandbox, Study, in_study, project, text};

const STAGES: [&str; 7] =
    ["ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate"];
const TEMPLATES: [&str; 5] = ["chest-ct", "chest-ct-binary", "brain-mri", "two-class", "sample"];

/// Settings so small that the whole pipeline runs in seconds.
fn shrink(study: &Study) {
    shrink_params(&study.root().join("params.yaml"));
    study.git(&["commit", "--quiet", "--all", "--message", "small"]);
}

fn shrink_params(file: &Path) {
    let mut params = Params::load(file).unwrap();
    params.ingest.sample.images = 48;
    params.prepare_base.image_size = 32;
    params.prepare_base.weights = WeightsSource::Random;
    let solve = params.train.solve.as_mut().unwrap();
    solve.folds = 2;
    solve.strengths.truncate(1);
    solve.widths.truncate(1);
    solve.cuts.truncate(1);
    params.calibrate.folds = 2;
    params.evaluate.bootstrap_resamples = 100;
    params.evaluate.probes = false;
    params.evaluate.explanations = 0;
    fs::write(file, serde_yaml::to_string(&params).unwrap()).unwrap();
}

/// A dark and a bright class of scans, with no splits, in folders of these names.
fn scans(folder: &Path, classes: [&str; 2]) -> PathBuf {
    let made = Study::init(&["--from", "sample"]);
    shrink(&made);
    made.dvc(&["repro", "ingest"]);
    for (class, from) in classes.into_iter().zip(["normal", "adenocarcinoma"]) {
        let to = folder.join(class);
        fs::create_dir_all(&to).unwrap();
        for split in ["train", "valid", "test"] {
            let from = made.root().join("artifacts/data_ingestion").join(split).join(from);
            for entry in walkdir::WalkDir::new(from) {
                let path = entry.unwrap().into_path();
                if path.is_file() {
                    fs::copy(
                        &path,
                        to.join(format!("{split}-{}", path.file_name().unwrap().display())),
                    )
                    .unwrap();
                }
            }
        }
    }
    folder.to_path_buf()
}

#[test]
fn every_template_is_a_study_that_the_programs_and_dvc_accept() {
    let pipeline = Pipeline::read();
    for template in TEMPLATES {
        let study = Study::init(&["--from", template]);
        let config = Config::load(&study.root().join("config.yaml")).unwrap();
        let params = Params::load(&study.root().join("params.yaml")).unwrap();
        // `dvc.yaml` names the folders, so a study that moved one would lose DVC's track of it.
        assert_eq!(config.paths, config::Paths::default(), "{template}");
        let is_sample = template == "sample";
        let weights = if is_sample { WeightsSource::Random } else { WeightsSource::Imagenet };
        assert_eq!(params.prepare_base.weights, weights, "{template}");
        assert_eq!(params.train.normalisation, NormalisationChoice::Auto, "{template}");
        assert!(
            text(study.root().join("config.yaml")).contains("  model: my-study\n"),
            "{template}"
        );
        // DVC refuses to run a stage with a param that the file lacks, even where the program has a
        // default.
        for file in ["config.yaml", "params.yaml"] {
            let values: serde_yaml::Value =
                serde_yaml::from_str(&text(study.root().join(file))).unwrap();
            for key in pipeline.stages.values().flat_map(|stage| stage.params_of(file)) {
                let found = key.split('.').try_fold(&values, |value, part| value.get(part));
                assert!(found.is_some(), "{template}: {file} has no {key}");
            }
        }
        assert_eq!(study.git(&["status", "--porcelain"]).output, "", "{template}");
        assert!(study.dvc(&["stage", "list"]).output.contains("evaluate"), "{template}");
    }
}

#[test]
fn the_sample_study_is_the_sample_of_the_source_tree_with_half_its_images() {
    let study = Study::init(&["--from", "sample"]);
    let mut params = Params::load(&study.root().join("params.yaml")).unwrap();
    assert_eq!(params.ingest.sample.images, 600);
    params.ingest.sample.images = 1200;
    assert_eq!(params, Params::load(&project().join("params.yaml")).unwrap());
    let ours = Config::load(&project().join("config.yaml")).unwrap();
    assert_eq!(Config::load(&study.root().join("config.yaml")).unwrap().data, ours.data);
}

#[test]
fn a_study_runs_once_and_again_for_another_version_of_the_tool() {
    let study = Study::init(&["--from", "sample"]);
    shrink(&study);
    let all: Vec<&str> = std::iter::once("programs").chain(STAGES).collect();
    assert_eq!(study.dvc(&["repro"]).stages_run(), all);
    assert_eq!(study.dvc(&["repro"]).stages_run(), ["programs"]);
    assert!(study.hounsfield(&["scores"]).output.contains("test images"));
    study.git(&["add", "--all"]);
    study.git(&["commit", "--quiet", "--message", "run"]);

    // A tool of another version is on PATH.
    let newer = study.root().parent().unwrap().join("newer");
    fs::create_dir(&newer).unwrap();
    let script = "#!/bin/sh\nif [ \"$1\" = versions ]; then\n    mkdir -p \"$2\"\n    for stage in ingest validate prepare-base train select calibrate evaluate; do\n        echo 'hounsfield 99.0.0' >\"$2/$stage.txt\"\n    done\nelse\n    PATH=${PATH#*:} exec hounsfield \"$@\"\nfi\n";
    let path = newer.join("hounsfield");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = in_study(study.root(), "dvc", &["repro"]);
    let installed = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap();
    let mut front = newer.into_os_string();
    front.push(":");
    front.push(installed);
    let again = command.env("PATH", front).output().unwrap();
    let said = String::from_utf8_lossy(&again.stdout).into_owned();
    for stage in STAGES {
        assert!(said.contains(&format!("Running stage '{stage}'")), "{said}");
    }
}

#[test]
fn queued_experiments_leave_gits_index_alone() {
    // DVC's queue cannot have an umlaut in the path of its cache.
    let study = Study::init_below("plain ", &["--from", "sample"]);
    shrink(&study);
    study.dvc(&["repro"]);
    study.git(&["add", "--all"]);
    study.git(&["commit", "--quiet", "--message", "run"]);
    for strength in ["0.1", "1.0", "10.0"] {
        let change = format!("train.solve.strengths=[{strength}]");
        study.dvc(&["exp", "run", "--queue", "-S", &change]);
    }
    study.run_queue();
    assert_eq!(study.git(&["status", "--porcelain"]).output, "");
    let shown: serde_json::Value =
        serde_json::from_str(&study.dvc(&["exp", "show", "--json"]).output).unwrap();
    let experiments = shown[1]["experiments"].as_array().map(Vec::len);
    assert_eq!(experiments, Some(3), "dvc exp show");
    assert!(study.git(&["diff", "--cached", "--stat"]).output.is_empty());
}

#[test]
fn a_clone_pulls_scans_and_results_and_runs_nothing_again() {
    let folder = tempfile::tempdir().unwrap();
    let scans = scans(&folder.path().join("scans"), ["Größe zwei", "normal"]);
    let study = Study::init(&["--data", scans.to_str().unwrap(), "--yes"]);
    assert!(
        study.said.contains("größe_zwei") && study.said.contains("Größe zwei"),
        "{}",
        study.said
    );
    assert!(study.said.contains("no split folders"), "{}", study.said);
    shrink(&study);
    study.dvc(&["repro"]);
    let remote = folder.path().join("remote");
    study.dvc(&["remote", "add", "--default", "storage", remote.to_str().unwrap()]);
    study.git(&["add", "--all"]);
    study.git(&["commit", "--quiet", "--message", "run"]);
    study.dvc(&["push"]);

    let clone = folder.path().join("clone");
    study.git(&["clone", "--quiet", ".", clone.to_str().unwrap()]);
    let dvc = |arguments: &[&str]| {
        let done = in_study(&clone, "dvc", arguments).output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
        said
    };
    dvc(&["pull"]);
    let again = dvc(&["repro"]);
    for stage in STAGES {
        assert!(!again.contains(&format!("Running stage '{stage}'")), "{again}");
    }
    let scores = "artifacts/evaluation/scores.json";
    assert_eq!(text(clone.join(scores)), text(study.root().join(scores)));
}

#[test]
fn scans_may_stay_where_they_are_and_be_changed_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let first = scans(&folder.path().join("first"), ["tumour", "normal"]);
    let study = Study::init(&["--data", first.to_str().unwrap(), "--in-place", "--yes"]);
    shrink(&study);
    let named =
        |study: &Study| text(study.root().join("dvc.yaml")).contains(first.to_str().unwrap());
    assert!(named(&study));
    study.dvc(&["repro", "ingest"]);
    // One image less is another data set.
    let removed = fs::read_dir(first.join("normal")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(removed).unwrap();
    assert!(study.dvc(&["status", "ingest"]).output.contains("modified"));

    let second = scans(&folder.path().join("second"), ["tumour", "normal"]);
    study.hounsfield(&["data", second.to_str().unwrap()]);
    assert!(!named(&study));
    assert!(study.root().join("data.dvc").is_file());
    study.dvc(&["repro", "ingest"]);
    assert!(study.dvc(&["status", "ingest"]).output.contains("up to date"));
}

#[test]
fn a_configuration_that_was_written_otherwise_is_refused_and_nothing_changes() {
    let folder = tempfile::tempdir().unwrap();
    let study = Study::init(&["--from", "chest-ct"]);
    let file = study.root().join("config.yaml");
    let written = "data: {source: {kind: local, path: data}, classes: {a: [a], b: [b]}}\n";
    fs::write(&file, written).unwrap();
    let scans = folder.path().to_str().unwrap();
    let refused = in_study(study.root(), "hounsfield", &["data", scans]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("data.source is not written"), "{said}");
    assert_eq!(text(&file), written);
    assert!(study.root().join("data/README.md").is_file());
}

#[test]
fn what_cannot_be_understood_is_refused_with_what_was_seen_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("1.png"), b"\x89PNG\r\n\x1a\n").unwrap();
    let scans = folder.path().to_str().unwrap().to_owned();
    for (arguments, says) in [
        (vec!["--data", &scans, "--yes"], "all 1 images lie in the top folder"),
        (vec!["--data", "/no/such/folder", "--yes"], "no such file or folder"),
        (vec!["--from", "chest-ct", "--data", &scans, "--yes"], "without --from"),
        (vec!["--from", "sample", "--data", &scans], "leave out one"),
        (vec![], "--from sample"),
        (vec!["--from", "sample", "--with", "docker"], "no files for --with docker"),
    ] {
        let (output, is_left) = Study::try_init(&arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains(says), "{arguments:?}: {said}");
        assert!(!is_left, "{arguments:?} left something");
    }
}

/// Scripts depend on these names: docs/json.md lists them.
#[test]
fn every_stage_prints_its_result_as_a_line_of_json() {
    let study = Study::init(&["--from", "sample"]);
    shrink(&study);
    let documented = text(project().join("docs/json.md"));
    for stage in STAGES {
        let mut command = in_study(study.root(), "hounsfield", &[stage, "--json", "--quiet"]);
        let done = command.output().unwrap();
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(done.status.success(), "{stage}: {}", String::from_utf8_lossy(&done.stderr));
        assert_eq!(said.lines().count(), 1, "{stage}: {said}");
        let facts: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(facts["program"], stage);
        for (key, value) in facts.as_object().unwrap() {
            assert!(
                documented.contains(&format!("`{key}`")),
                "{stage}: {key} is not in docs/json.md"
            );
            let is_path = [
                "output",
                "report",
                "manifest",
                "model",
                "checkpoint",
                "calibration",
                "scores",
                "base",
                "description",
            ]
            .contains(&key.as_str());
            if is_path {
                assert!(
                    study.root().join(value.as_str().unwrap()).exists(),
                    "{stage}: {key} {value}"
                );
            }
        }
    }
}

/// In a source tree the tool is under development: its programs are compared by their code.
#[test]
fn make_repro_runs_a_study_of_the_source_tree_and_follows_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let scans = scans(&folder.path().join("scans"), ["tumour", "normal"]);
    let sandbox = Sandbox::new();
    let scans = scans.to_str().unwrap();
    let run = |script: &str, arguments: &[&str]| {
        let done = sandbox.script_with(script, arguments, &[]);
        let said = [done.stdout, done.stderr].concat();
        (done.status.success(), String::from_utf8_lossy(&said).into_owned())
    };
    let (done, said) = run("repro", &["lungs"]);
    assert!(!done && said.contains("make repro PROFILE=lungs DATA="), "{said}");
    let init = ["init", "studies/lungs", "--data", scans, "--in-place", "--yes"];
    let (done, said) = run("hounsfield", &init);
    assert!(done, "{said}");
    let study = sandbox.root().join("studies/lungs");
    shrink_params(&study.join("params.yaml"));
    let (done, said) = run("repro", &["lungs", scans]);
    assert!(
        done && said.contains("Running stage 'evaluate'") && said.contains("test images"),
        "{said}"
    );
    let digests = text(study.join("artifacts/programs/train.txt"));
    assert!(digests.contains("classifier"), "{digests}");
    // The source tree's own git does not see it.
    assert_eq!(sandbox.git(&["status", "--porcelain"]).output, "");

    let code = sandbox.root().join("crates/stages/evaluate/src/lib.rs");
    fs::write(&code, text(&code) + "\nconst X: u8 = 1;\n").unwrap();
    let (done, said) = run("repro", &["lungs"]);
    assert!(done && said.contains("Running stage 'evaluate'"), "{said}");
    assert!(!said.contains("Running stage 'train'"), "{said}");
}
