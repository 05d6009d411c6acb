//! A change makes exactly those stages run again whose result it can change.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use pipeline_tests::{Sandbox, project, text};
use program_digest::Workspace;
use walkdir::WalkDir;

const STAGES: [&str; 7] =
    ["ingest", "validate", "prepare-base", "train", "select", "calibrate", "evaluate"];

/// A copy of the programs' sources.
struct Sources(tempfile::TempDir);

impl Sources {
    fn new() -> Self {
        let sources = Self(tempfile::tempdir().unwrap());
        for part in ["Cargo.toml", "Cargo.lock", ".cargo", "crates"] {
            for entry in WalkDir::new(project().join(part)) {
                let path = entry.unwrap().into_path();
                let to = sources.path(path.strip_prefix(project()).unwrap());
                if path.is_file() {
                    fs::create_dir_all(to.parent().unwrap()).unwrap();
                    fs::copy(&path, to).unwrap();
                }
            }
        }
        sources
    }

    fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(relative)
    }

    fn digests(&self) -> BTreeMap<String, String> {
        Workspace::read(self.0.path()).unwrap().digests(&STAGES.map(str::to_owned)).unwrap()
    }

    /// The stages that run again if a file has another text.
    fn rerun_by(&self, file: &str, change: impl Fn(&str) -> String) -> BTreeSet<String> {
        let (path, before) = (self.path(file), self.digests());
        let own = text(&path);
        let changed = change(&own);
        assert_ne!(changed, own, "{file}: the test changes something");
        fs::write(&path, changed).unwrap();
        let after = self.digests();
        fs::write(&path, own).unwrap();
        STAGES.map(str::to_owned).into_iter().filter(|it| before[it] != after[it]).collect()
    }
}

fn set(stages: &[&str]) -> BTreeSet<String> {
    stages.iter().map(|&stage| stage.to_owned()).collect()
}

fn with(addition: &str) -> impl Fn(&str) -> String {
    move |text| format!("{text}\n{addition}\n")
}

/// `crates/room/name` of every crate of the workspace.
fn crates() -> BTreeMap<String, String> {
    let manifests = WalkDir::new(project().join("crates")).min_depth(3).max_depth(3);
    manifests
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.ends_with("Cargo.toml"))
        .map(|path| {
            let folder = path.parent().unwrap().strip_prefix(project()).unwrap();
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            (name, folder.to_str().unwrap().to_owned())
        })
        .collect()
}

#[test]
fn a_constant_in_any_crate_reruns_each_stage_that_is_made_of_it() {
    let (sources, workspace) = (Sources::new(), Workspace::read(&project()).unwrap());
    for (name, folder) in crates() {
        let made_of_it: BTreeSet<String> = STAGES
            .map(str::to_owned)
            .into_iter()
            .filter(|stage| workspace.linked(stage).contains(name.as_str()))
            .collect();
        let library = format!("{folder}/src/lib.rs");
        let is_library = project().join(&library).is_file();
        let file = if is_library { library } else { format!("{folder}/src/main.rs") };
        let rerun = sources.rerun_by(&file, with("const MUTATED: u8 = 1;"));
        assert_eq!(rerun, made_of_it, "{folder}");
    }
}

/// Everyday edits, and the stages that run again for each.
#[test]
fn edits_that_decide_no_result_rerun_nothing() {
    let sources = Sources::new();
    let none = set(&[]);
    let metrics = "crates/results/metrics/src/lib.rs";
    for (what, file, addition) in [
        ("a comment", metrics, "// why"),
        ("documentation", metrics, "/// Nothing new."),
        ("a test", metrics, "#[cfg(test)]\nmod more_tests { fn x() {} }"),
        ("a key of the server", "crates/base/services/src/serve.rs", "const NEW_KEY: u8 = 1;"),
        ("a route of the server", "crates/tools/serve/src/server.rs", "const ROUTE: u8 = 1;"),
        ("a rule of the gate", "crates/tools/register/src/gate.rs", "const RULE: u8 = 1;"),
        ("the page", "crates/tools/serve/page/index.html", "<p>"),
        ("a test of a program", "crates/stages/train/tests/cli/main.rs", "const X: u8 = 1;"),
        ("a test of a module", "crates/stages/evaluate/src/worth/probes/tests.rs", "fn x() {}"),
        (
            "a library of the server",
            "Cargo.lock",
            "[[package]]\nname = \"of-the-server\"\nversion = \"1.0.0\"",
        ),
    ] {
        // Documentation needs an item that it belongs to.
        let addition = match what {
            "documentation" => format!("{addition}\n#[cfg(test)]\nfn documented() {{}}"),
            _ => addition.to_owned(),
        };
        assert_eq!(sources.rerun_by(file, with(&addition)), none, "{what}: {file}");
    }
}

#[test]
fn edits_that_may_decide_a_result_rerun_their_stages() {
    let sources = Sources::new();
    let after_training = set(&["train", "calibrate", "evaluate"]);
    assert_eq!(
        sources.rerun_by("crates/learning/fit/src/epoch.rs", with("const X: u8 = 1;")),
        after_training
    );
    let page = "crates/stages/evaluate/src/page.rs";
    assert_eq!(sources.rerun_by(page, with("const X: u8 = 1;")), set(&["evaluate"]));
    let settings = |file: &str, from: &str, to: &str| {
        let (from, to) = (from.to_owned(), to.to_owned());
        sources.rerun_by(file, move |text| text.replacen(&from, &to, 1))
    };
    assert_eq!(settings("Cargo.toml", "tch = \"=0.24.0\"", "tch = \"=0.24.1\""), set(&STAGES));
    assert_eq!(settings(".cargo/config.toml", "[env]", "[env]\nX = \"1\""), set(&STAGES));
    let (old, new) = ("name = \"faer\"\nversion = \"", "name = \"faer\"\nversion = \"9");
    assert_eq!(settings("Cargo.lock", old, new), set(&STAGES));
}

/// The same through DVC, with results.
#[test]
fn dvc_runs_what_a_constant_can_change_and_nothing_for_a_comment() {
    let sandbox = Sandbox::new();
    sandbox.dvc_with_built_programs(&["repro"]);
    let edit = |file: &str, addition: &str| {
        let path = sandbox.root().join(file);
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        writeln!(file, "{addition}").unwrap();
        let finished = sandbox.dvc_with_built_programs(&["repro"]);
        finished.stages_run().into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(edit("crates/data/imaging/src/lib.rs", "// A thought."), ["programs"]);
    // Flags of the compiler may change any result.
    let all = ["programs"].into_iter().chain(STAGES).collect::<Vec<_>>();
    assert_eq!(edit(".cargo/config.toml", "[profile.release]\nlto = true"), all);
    assert_eq!(
        edit("crates/stages/evaluate/src/lib.rs", "const X: u8 = 1;"),
        ["programs", "evaluate"]
    );
}
