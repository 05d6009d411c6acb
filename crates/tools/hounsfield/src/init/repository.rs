//! git and DVC of a study.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::study::Study;

/// The programs that a study is kept with.
#[derive(Debug)]
pub(crate) struct Tools {
    dvc: Option<Vec<String>>,
}

impl Tools {
    /// Looks for git, and for DVC where something has to be tracked now.
    ///
    /// # Errors
    /// When one is missing; nothing was made then.
    pub(crate) fn find(needs_dvc: bool) -> Result<Self> {
        if !answers(&["git".to_owned()]) {
            bail!("find git: a study is a git repository; install git (sudo apt-get install git)");
        }
        let dvc = if needs_dvc { Some(find_dvc()?) } else { None };
        Ok(Self { dvc })
    }

    /// Makes the repository, tracks the scans and weights, and commits.
    pub(crate) fn commit(&self, study: &Study, tracks_data: bool) -> Result<()> {
        git(study.folder(), &["init", "--quiet", "--initial-branch=main"])?;
        for path in study.tracked() {
            if path != "data" || tracks_data {
                self.track(study, path)?;
            }
        }
        git(study.folder(), &["add", "--all"])?;
        let mut commit = vec!["-c", "commit.gpgsign=false"];
        if git(study.folder(), &["config", "user.email"]).is_err() {
            // DVC's experiments need a commit to start from, whoever made it.
            commit.extend(["-c", "user.name=hounsfield", "-c", "user.email=hounsfield@localhost"]);
        }
        commit.extend(["commit", "--quiet", "--no-verify", "--message", "Start the study"]);
        git(study.folder(), &commit)
    }

    /// `dvc add`. What git kept of the path, such as a README, it keeps no longer: DVC refuses both.
    pub(crate) fn track(&self, study: &Study, path: &str) -> Result<()> {
        let dvc = match &self.dvc {
            Some(dvc) => dvc.clone(),
            None => find_dvc()?,
        };
        git(study.folder(), &["rm", "-r", "--cached", "--quiet", "--ignore-unmatch", path])?;
        run(study.folder(), &dvc, &["add", path])
    }
}

/// DVC of the Python that runs `hounsfield`, else the one on PATH.
pub(crate) fn find_dvc() -> Result<Vec<String>> {
    let python = std::env::var("HOUNSFIELD_PYTHON").ok();
    let of_python = python.map(|python| vec![python, "-m".to_owned(), "dvc".to_owned()]);
    let candidates = of_python.into_iter().chain([vec!["dvc".to_owned()]]);
    candidates.into_iter().find(|dvc| answers(dvc)).context(
        "find dvc: studies are run with it; pip install dvc, or see https://dvc.org/doc/install",
    )
}

fn answers(command: &[String]) -> bool {
    let done = Command::new(&command[0]).args(&command[1..]).arg("--version").output();
    done.is_ok_and(|done| done.status.success())
}

fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    run(folder, &["git".to_owned()], arguments)
}

fn run(folder: &Path, command: &[String], arguments: &[&str]) -> Result<()> {
    let shown = format!("{} {}", command.join(" "), arguments.join(" "));
    let done = Command::new(&command[0])
        .args(&command[1..])
        .args(arguments)
        .current_dir(folder)
        .output()
        .with_context(|| format!("run {shown}"))?;
    if done.status.success() {
        return Ok(());
    }
    let said = [done.stderr, done.stdout].concat();
    bail!("run {shown}: {}", String::from_utf8_lossy(&said).trim())
}

/// A study within somebody else's repository is a repository of its own, which git does not look into.
pub(crate) fn note_if_nested(study: &Path) {
    let Some(parent) =
        study.parent().map(|it| if it.as_os_str().is_empty() { Path::new(".") } else { it })
    else {
        return;
    };
    let within = git(parent, &["rev-parse", "--is-inside-work-tree"]).is_ok();
    let name = study.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if within && git(parent, &["check-ignore", "--quiet", &name]).is_err() {
        crate::note(&format!(
            "hounsfield: {} lies in another git repository; add it to that one's .gitignore, for it is a \
             repository of its own",
            study.display()
        ));
    }
}
