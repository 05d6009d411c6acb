//! `dvc.yaml` declares what the programs depend on, read and make. Otherwise `dvc repro` would miss
//! a change, or run stages without need.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

use std::collections::BTreeSet;

use config::{Config, Params, Paths};
use pipeline_tests::{Pipeline, Stage, covers, leaves, project, text};
use regex::Regex;
use walkdir::WalkDir;

/// Keys of `config.yaml` that affect results; the others are paths and timeouts.
const DECIDING: [&str; 8] = [
    "data.source",
    "data.classes",
    "data.ignore_files",
    "data.ignore_folders",
    "data.corrections",
    "data.positive",
    "data.patients",
    "pretrained",
];

/// Those that are always read by their full name.
const BY_NAME: [&str; 3] = ["data.corrections", "data.positive", "data.patients"];

/// The stage that a section of `params.yaml` belongs to.
fn stage_of(section: &str) -> String {
    match section {
        "validation" => "validate".to_owned(),
        other => other.replace('_', "-"),
    }
}

fn params() -> Params {
    Params::load(&project().join("params.yaml")).unwrap()
}

/// All of a program's own source text, without comments.
fn sources(program: &str) -> String {
    let comment = Regex::new(r"(?m)//.*$").unwrap();
    WalkDir::new(project().join("crates/stages").join(program).join("src"))
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| comment.replace_all(&text(path), "").into_owned())
        .collect()
}

/// The stages that process scans: all except the one that computes the programs' digests.
fn stages() -> impl Iterator<Item = (String, Stage)> {
    Pipeline::read().stages.into_iter().filter(|(name, _)| name != "programs")
}

#[test]
fn each_stage_runs_the_program_of_its_name() {
    for (name, stage) in stages() {
        assert_eq!(stage.cmd, format!("scripts/stage {name}"));
    }
}

#[test]
fn each_stage_depends_on_what_its_program_is_made_of_and_on_no_source_itself() {
    let programs = &Pipeline::read().stages["programs"];
    let listed: BTreeSet<&str> = programs.cmd.split(' ').skip(2).collect();
    for (name, Stage { deps, .. }) in stages() {
        assert!(listed.contains(name.as_str()), "dvc.yaml: stages.programs.cmd lacks {name}");
        let made_of = format!("artifacts/programs/{name}.txt");
        assert!(deps.contains(&made_of), "dvc.yaml: stages.{name}.deps lacks {made_of}");
        let source = deps.iter().find(|dep| dep.starts_with("crates") || dep.starts_with("Cargo"));
        assert_eq!(source, None, "dvc.yaml: stages.{name}.deps: a comment would rerun it");
    }
    assert_eq!(listed.len(), stages().count(), "dvc.yaml: stages.programs.cmd");
    for dep in [".cargo/config.toml", "Cargo.lock", "Cargo.toml", "crates", "rust-toolchain.toml"] {
        assert!(programs.deps.contains(dep), "dvc.yaml: stages.programs.deps lacks {dep}");
    }
}

#[test]
fn every_key_of_a_stages_section_is_its_param() {
    let pipeline = Pipeline::read();
    for key in leaves(&params()) {
        let section = stage_of(key.split('.').next().unwrap());
        let stage = pipeline
            .stages
            .get(&section)
            .unwrap_or_else(|| panic!("params.yaml: {key} is in no stage's section"));
        assert!(
            stage.params_of("params.yaml").iter().any(|listed| covers(listed, &key)),
            "dvc.yaml: stages.{section}.params lacks {key}: a change of it would run nothing"
        );
    }
}

#[test]
fn who_is_told_and_what_a_champion_must_show_runs_nothing_again() {
    for (name, stage) in &Pipeline::read().stages {
        for section in ["tracking", "registry", "promotion", "serve"] {
            let params = stage.params_of("config.yaml");
            let found = params.iter().find(|key| key.split('.').next() == Some(section));
            assert_eq!(found, None, "dvc.yaml: stages.{name}.params");
        }
    }
}

#[test]
fn every_param_is_a_key_that_the_programs_know() {
    let config = Config::load(&project().join("config.yaml")).unwrap();
    for (file, keys) in [("params.yaml", leaves(&params())), ("config.yaml", leaves(&config))] {
        for (name, stage) in &Pipeline::read().stages {
            for listed in stage.params_of(file) {
                assert!(
                    keys.iter().any(|key| covers(listed, key)),
                    "dvc.yaml: stages.{name}.params has {listed}, which {file} does not"
                );
            }
        }
    }
}

#[test]
fn a_program_reads_the_sections_of_params_that_its_stage_declares() {
    let use_of_section = Regex::new(r"\bparams\s*\.\s*(\w+)").unwrap();
    let sections: BTreeSet<String> =
        leaves(&params()).iter().map(|key| key.split('.').next().unwrap().to_owned()).collect();
    for (name, stage) in stages() {
        let text = sources(&name);
        let read: BTreeSet<&str> = use_of_section
            .captures_iter(&text)
            .map(|found| found.get(1).unwrap().as_str())
            .filter(|section| sections.contains(*section))
            .collect();
        let declared: BTreeSet<&str> = stage
            .params_of("params.yaml")
            .iter()
            .map(|key| key.split('.').next().unwrap())
            .collect();
        assert_eq!(read, declared, "sections that crates/{name} reads (left), dvc.yaml (right)");
    }
}

#[test]
fn a_program_reads_the_deciding_keys_of_config_that_its_stage_declares() {
    let use_of_key = Regex::new(r"\bconfig\s*\.\s*(data|pretrained)\b(?:\s*\.\s*(\w+))?").unwrap();
    for (name, stage) in stages() {
        let declared = stage.params_of("config.yaml");
        assert!(declared.iter().all(|key| DECIDING.contains(key)), "{name}: {declared:?}");
        let text = sources(&name);
        let mut read = BTreeSet::new();
        for found in use_of_key.captures_iter(&text) {
            let section = &found[1];
            let key = found.get(2).map_or("", |key| key.as_str());
            let dotted = format!("{section}.{key}");
            // `config.data` alone, or passed by reference, may read all of it.
            let exact = DECIDING.iter().any(|known| covers(known, &dotted));
            read.extend(DECIDING.iter().filter(|known| match exact {
                true => covers(known, &dotted),
                // `ingest` passes the section to a part that only reads folders.
                false => covers(section, known) && !BY_NAME.contains(known),
            }));
        }
        assert_eq!(read, declared, "keys that crates/{name} reads (left), dvc.yaml (right)");
    }
}

#[test]
fn a_stage_reads_only_what_another_made_or_the_user_brings() {
    let pipeline = Pipeline::read();
    let made: BTreeSet<&str> = pipeline.stages.values().flat_map(Stage::outputs).collect();
    for (name, stage) in &pipeline.stages {
        for dep in stage.deps.iter().filter(|dep| {
            dep.starts_with("artifacts/") || dep.as_str() == "model" || dep.starts_with("model/")
        }) {
            let above = made.iter().any(|output| {
                dep == output || dep.strip_prefix(output).is_some_and(|rest| rest.starts_with('/'))
            });
            assert!(above, "dvc.yaml: {name} depends on {dep}, which no stage makes");
        }
    }
}

#[test]
fn the_stages_write_where_dvc_looks() {
    let pipeline = Pipeline::read();
    let paths = Paths::default();
    for (stage, folder) in [
        ("ingest", &paths.data_ingestion),
        ("validate", &paths.data_validation),
        ("prepare-base", &paths.base_model),
        ("train", &paths.model_training),
        ("select", &paths.model),
        ("calibrate", &paths.model),
        ("evaluate", &paths.evaluation),
    ] {
        for output in pipeline.stages[stage].outputs() {
            assert!(
                std::path::Path::new(output).starts_with(folder),
                "dvc.yaml: {stage} makes {output}, but writes to {}",
                folder.display()
            );
        }
    }
}
