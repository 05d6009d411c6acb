use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::project;
use crate::sandbox::{Finished, built_programs, must};

/// A study that `hounsfield init` made, in a temporary folder with a space and an umlaut in its name,
/// outside the project. Removed when dropped.
#[derive(Debug)]
pub struct Study {
    _folder: TempDir,
    root: PathBuf,
    /// What `init` printed.
    pub said: String,
}

impl Study {
    /// `hounsfield init STUDY ARGUMENTS`.
    ///
    /// # Panics
    /// Where it fails.
    pub fn init(arguments: &[&str]) -> Self {
        Self::init_below("Größe 1 ", arguments)
    }

    /// The same in a folder whose name begins in another way.
    ///
    /// # Panics
    /// Where it fails.
    pub fn init_below(prefix: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix(prefix).tempdir().expect("a temporary folder");
        let root = folder.path().join("my study");
        let mut command = hounsfield(folder.path());
        command.arg("init").arg(&root).args(arguments);
        let said = must(&mut command).output;
        Self { _folder: folder, root, said }
    }

    /// What `hounsfield init STUDY ARGUMENTS` does where it may fail.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn try_init(arguments: &[&str]) -> (Output, bool) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path().join("study");
        let mut command = hounsfield(folder.path());
        let output = command.arg("init").arg(&root).args(arguments).output();
        let is_left = fs::read_dir(folder.path()).is_ok_and(|mut entries| entries.next().is_some());
        (output.expect("hounsfield starts"), is_left)
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Runs DVC in it, which finds `hounsfield` on `PATH`.
    ///
    /// # Panics
    /// Where it fails.
    pub fn dvc(&self, arguments: &[&str]) -> Finished {
        must(&mut in_study(&self.root, "dvc", arguments))
    }

    /// Runs all experiments of the queue, and waits until they are done.
    ///
    /// # Panics
    /// Where one fails, or they are not done in five minutes.
    pub fn run_queue(&self) {
        // DVC's worker would keep our pipe open.
        let mut start = in_study(&self.root, "dvc", &["queue", "start"]);
        let started =
            start.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(started.expect("dvc starts").success(), "dvc queue start failed");
        let deadline = Instant::now() + Duration::from_secs(300);
        loop {
            let status = self.dvc(&["queue", "status"]).output;
            assert!(!status.contains("Failed"), "{status}");
            if !status.contains("Queued") && !status.contains("Running") {
                return;
            }
            assert!(Instant::now() < deadline, "{status}");
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Runs the tool in it.
    ///
    /// # Panics
    /// Where it fails.
    pub fn hounsfield(&self, arguments: &[&str]) -> Finished {
        must(&mut in_study(&self.root, "hounsfield", arguments))
    }

    /// Runs git in it.
    ///
    /// # Panics
    /// Where it fails.
    pub fn git(&self, arguments: &[&str]) -> Finished {
        let identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"];
        must(Command::new("git").args(identity).args(arguments).current_dir(&self.root))
    }
}

/// A program, found on the `PATH` of somebody who installed the tool.
pub fn in_study(folder: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    installed(&mut command).args(arguments).current_dir(folder);
    command
}

fn hounsfield(folder: &Path) -> Command {
    in_study(folder, "hounsfield", &[])
}

fn installed(command: &mut Command) -> &mut Command {
    let mut path: OsString = built_programs();
    for part in
        [project().join(".venv/bin").into_os_string(), std::env::var_os("PATH").unwrap_or_default()]
    {
        path.push(":");
        path.push(part);
    }
    command
        .env("PATH", path)
        .env(
            "LIBTORCH",
            std::env::var_os("LIBTORCH").unwrap_or_else(|| project().join(".venv/libtorch").into()),
        )
        .env("DVC_NO_ANALYTICS", "1")
        .env_remove("HOUNSFIELD_SOURCE")
        .env_remove("MLFLOW_TRACKING_URI")
}
