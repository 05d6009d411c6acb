use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use config::Params;
use tempfile::TempDir;

use crate::project;

/// A copy of the project in its own git repository, with a sample so small that the whole pipeline
/// runs in seconds. Removed when dropped.
///
/// It is below the project's `target/`, so that `scripts/stage` finds libtorch and the programs
/// that are already built, as in the workspaces of `dvc exp run --temp`.
#[derive(Debug)]
pub struct Sandbox {
    folder: TempDir,
    root: PathBuf,
}

/// A command that succeeded.
#[derive(Debug)]
pub struct Finished {
    /// Its output, standard output before standard error.
    pub output: String,
}

impl Finished {
    /// The stages that dvc ran, in order.
    pub fn stages_run(&self) -> Vec<&str> {
        self.output
            .lines()
            .filter_map(|line| line.strip_prefix("Running stage '")?.strip_suffix("':"))
            .collect()
    }
}

impl Sandbox {
    /// A copy of the files that git tracks or would track, in their present state, committed.
    ///
    /// # Panics
    /// If a file cannot be copied, or git fails.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("pipeline-")
            .tempdir_in(target_folder())
            .expect("target/ can be written");
        let root = folder.path().join("project");
        let sandbox = Self { folder, root };
        sandbox.copy_project();
        sandbox.shrink();
        sandbox.commit("a small sample");
        sandbox
    }

    /// The copy's root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A folder beside the copy, for remotes and clones.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the project's `dvc` in the copy's root.
    ///
    /// # Panics
    /// If it fails, with its output.
    pub fn dvc(&self, arguments: &[&str]) -> Finished {
        dvc_in(&self.root, arguments)
    }

    /// The same with the programs that are already built, whatever the copy's sources are.
    ///
    /// # Panics
    /// If it fails, with its output.
    pub fn dvc_with_built_programs(&self, arguments: &[&str]) -> Finished {
        must(dvc_command(&self.root, arguments).env("HOUNSFIELD_PROGRAMS", built_programs()))
    }

    /// Runs one of the copy's scripts, as `make` does, with the programs that are already built.
    /// `environment` is set for it.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn script(&self, name: &str, environment: &[(&str, &str)]) -> Output {
        self.script_with(name, &[], environment)
    }

    /// The same with arguments.
    ///
    /// # Panics
    /// As [`script`](Self::script).
    pub fn script_with(
        &self,
        name: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Output {
        let venv = self.root.join(".venv");
        if !venv.exists() {
            std::os::unix::fs::symlink(project().join(".venv"), &venv).expect("a link to DVC");
        }
        Command::new(self.root.join("scripts").join(name))
            .args(arguments)
            .current_dir(&self.root)
            .env_remove("MLFLOW_TRACKING_URI")
            .env("HOUNSFIELD_PROGRAMS", built_programs())
            .envs(environment.iter().copied())
            .output()
            .unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Clones the copy as a colleague would: the files in git, without DVC's cache.
    ///
    /// # Panics
    /// If git fails.
    pub fn cloned(&self, name: &str) -> PathBuf {
        let clone = self.beside(name);
        let (from, to) = (path_text(&self.root), path_text(&clone));
        must(Command::new("git").args(["clone", "--quiet", "--no-local", &from, &to]));
        clone
    }

    /// Commits everything that git does not ignore.
    ///
    /// # Panics
    /// If git fails.
    pub fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// Runs git in the copy.
    ///
    /// # Panics
    /// If it fails.
    pub fn git(&self, arguments: &[&str]) -> Finished {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        must(Command::new("git").args(identity).args(arguments).current_dir(&self.root))
    }

    fn copy_project(&self) {
        let project = project();
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = must(Command::new("git").args(list).current_dir(&project)).output;
        for name in listed.split('\0').filter(|name| !name.is_empty()) {
            let (from, to) = (project.join(name), self.root.join(name));
            // A file that was removed and is still in git's index.
            let Ok(metadata) = from.symlink_metadata() else { continue };
            let parent = to.parent().expect("a file lies in a folder");
            fs::create_dir_all(parent).expect("the copy can be written");
            if metadata.is_symlink() {
                let target = fs::read_link(&from).expect("a link points somewhere");
                std::os::unix::fs::symlink(target, &to).expect("the copy can be written");
            } else {
                fs::copy(&from, &to).unwrap_or_else(|error| panic!("{name}: {error}"));
            }
        }
        self.git(&["init", "--quiet", "--initial-branch=main"]);
    }

    /// Two dozen images of 32 pixels a side, two folds, on the CPU; no results yet.
    fn shrink(&self) {
        let file = self.root.join("params.yaml");
        let mut params = Params::load(&file).expect("the project's parameters are accepted");
        params.ingest.sample.images = 48;
        params.prepare_base.image_size = 32;
        let solve = params.train.solve.as_mut().expect("the sample's head is solved");
        solve.folds = 2;
        solve.cuts.truncate(1);
        params.train.precision = config::Precision::Fp32;
        params.train.device = config::DeviceChoice::Cpu;
        params.calibrate.device = config::DeviceChoice::Cpu;
        params.calibrate.folds = 2;
        params.evaluate.device = config::DeviceChoice::Cpu;
        params.evaluate.bootstrap_resamples = 100;
        let text = serde_yaml::to_string(&params).expect("parameters are plain data");
        fs::write(&file, text).expect("the copy can be written");
        for results in ["dvc.lock", "artifacts", "model"] {
            let path = self.root.join(results);
            let removed =
                if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            drop(removed); // it may not exist
        }
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs the project's `dvc` in any folder.
///
/// # Panics
/// If it fails, with its output.
pub fn dvc_in(folder: &Path, arguments: &[&str]) -> Finished {
    must(&mut dvc_command(folder, arguments))
}

fn dvc_command(folder: &Path, arguments: &[&str]) -> Command {
    let program = project().join(".venv/bin/dvc");
    assert!(program.is_file(), "{} is missing; run make setup", program.display());
    let mut command = Command::new(program);
    // Each test decides whether its run is tracked.
    command.env("DVC_NO_ANALYTICS", "1").env_remove("MLFLOW_TRACKING_URI");
    command.args(arguments).current_dir(folder);
    command
}

pub(crate) fn built_programs() -> OsString {
    let built = || project().join("target/release").into_os_string();
    std::env::var_os("HOUNSFIELD_PROGRAMS").unwrap_or_else(built)
}

fn target_folder() -> PathBuf {
    let folder = project().join("target/tmp");
    fs::create_dir_all(&folder).expect("target/ can be written");
    folder
}

fn path_text(path: &Path) -> String {
    path.to_str().expect("the project's path is Unicode").to_owned()
}

pub(crate) fn must(command: &mut Command) -> Finished {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?} failed:\n{text}");
    Finished { output: text }
}
