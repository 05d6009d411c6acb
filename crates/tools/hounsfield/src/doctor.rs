//! `hounsfield doctor`: what this machine has for a study, and what to do about what it lacks.

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::libtorch::Libtorch;
use crate::programs::PROGRAMS;

mod install;

/// Check what this machine has for a study, and say what to do
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hounsfield doctor               a line for each thing that a study needs
  hounsfield doctor --install     fetches libtorch without CUDA (0.6 GB; 1.5 GB on disk)

Exit codes: 0 all is there, 1 something is missing.")]
pub(crate) struct Arguments {
    /// Fetch libtorch without CUDA, pinned by digest, by pip, where none is found
    #[arg(long)]
    install: bool,

    /// Print an array of objects, for programs
    #[arg(long)]
    json: bool,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    found: String,
    /// What to do; empty where nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    advice: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Fine,
    /// Something works less well, or not now.
    Note,
    /// Studies do not run.
    Missing,
}

impl Finding {
    fn fine(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, state: State::Fine, found: found.into(), advice: String::new() }
    }

    fn note(what: &'static str, found: impl Into<String>, advice: &str) -> Self {
        Self { what, state: State::Note, found: found.into(), advice: advice.to_owned() }
    }

    fn missing(what: &'static str, found: impl Into<String>, advice: &str) -> Self {
        Self { what, state: State::Missing, found: found.into(), advice: advice.to_owned() }
    }

    fn line(&self) -> String {
        let sign = match self.state {
            State::Fine => "ok",
            State::Note => "note",
            State::Missing => "MISSING",
        };
        let line = format!("{sign:8}{:12}{}", self.what, self.found);
        if self.advice.is_empty() { line } else { format!("{line}\n{:20}→ {}", "", self.advice) }
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    if arguments.install && Libtorch::find().is_err() {
        install::libtorch()?;
    }
    let findings = examine();
    let text = if arguments.json {
        serde_json::to_string_pretty(&findings).context("write the findings")? + "\n"
    } else {
        findings.iter().map(|finding| finding.line() + "\n").collect()
    };
    terminal::Printed.write_all(text.as_bytes()).context("print the findings")?;
    let is_missing = findings.iter().any(|finding| finding.state == State::Missing);
    Ok(ExitCode::from(u8::from(is_missing)))
}

fn examine() -> Vec<Finding> {
    let libtorch = Libtorch::find();
    let machine = libtorch.is_ok().then(machine).and_then(Result::ok);
    let mut findings = vec![
        programs(),
        match &libtorch {
            Ok(found) => Finding::fine(
                "libtorch",
                format!(
                    "{} in {}",
                    found.version.as_deref().unwrap_or("?"),
                    found.folder.display()
                ),
            ),
            Err(error) => {
                let text = error.to_string();
                let (found, advice) = text.rsplit_once("; ").unwrap_or((&text, ""));
                Finding::missing("libtorch", found, advice)
            }
        },
    ];
    findings.extend(libtorch.is_ok().then(|| processor(machine.as_ref())));
    findings.extend(libtorch.as_ref().ok().map(|libtorch| cuda(libtorch, machine.as_ref())));
    findings.push(version_of("git", &["git"], "sudo apt-get install git"));
    findings.push(match crate::init::find_dvc() {
        Ok(dvc) => {
            let dvc: Vec<&str> = dvc.iter().map(String::as_str).collect();
            version_of("DVC", &dvc, "pip install dvc")
        }
        Err(_) => Finding::missing("DVC", "not installed", "pip install dvc"),
    });
    findings.push(mlflow());
    findings.extend(libtorch.as_ref().ok().and_then(mpi));
    findings.push(disk());
    findings.extend(weights(Path::new(".")));
    findings
}

fn programs() -> Finding {
    let is_there = |name: &&str| {
        PROGRAMS.iter().any(|it| it.name == *name && it.path().is_ok_and(|path| path.is_file()))
    };
    let lacking: Vec<&str> =
        PROGRAMS.iter().map(|it| it.name).filter(|name| !is_there(name)).collect();
    let version = env!("CARGO_PKG_VERSION");
    if lacking.is_empty() {
        return Finding::fine("hounsfield", format!("{version}, with {} programs", PROGRAMS.len()));
    }
    let found = format!("{version}, without {}", lacking.join(", "));
    Finding::missing("hounsfield", found, "install it again")
}

/// What `train` says of the machine, once libtorch is loaded.
#[derive(Debug, Deserialize)]
struct Machine {
    precision: String,
    instruction_sets: Vec<String>,
    /// How many GPUs, or why there is none to be used.
    cuda: Gpus,
    /// What `train-mpi` is linked to.
    #[serde(default)]
    mpi: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Gpus {
    Devices(u32),
    None(String),
}

fn machine() -> Result<Machine> {
    let train = crate::programs::named("train".as_ref()).context("find train")?;
    let done = train.command()?.arg("--machine").output().context("run train --machine")?;
    serde_json::from_slice(&done.stdout).context("read what train says of the machine")
}

fn processor(machine: Option<&Machine>) -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match machine {
        Some(machine) => {
            let sets = machine.instruction_sets.join(" ");
            let found = format!("{cores} cores, {sets}: precision auto is {}", machine.precision);
            if machine.instruction_sets.iter().any(|set| set == "avx2" || set == "bf16") {
                Finding::fine("processor", found)
            } else {
                Finding::note(
                    "processor",
                    found,
                    "without AVX2, training takes several times as long",
                )
            }
        }
        None => Finding::missing(
            "processor",
            "the programs do not start with this libtorch",
            "hounsfield train --machine shows why",
        ),
    }
}

fn cuda(libtorch: &Libtorch, machine: Option<&Machine>) -> Finding {
    let driver = artifact::read_text(Path::new("/proc/driver/nvidia/version")).ok();
    match (machine.map(|machine| &machine.cuda), driver) {
        (Some(Gpus::Devices(count @ 1..)), _) => Finding::fine("CUDA", format!("{count} GPU")),
        (_, Some(_)) if !libtorch.has_cuda() => Finding::note(
            "CUDA",
            "an NVIDIA driver, and a libtorch without CUDA",
            "pip install 'torch==2.11.*' brings one with it",
        ),
        (Some(Gpus::None(why)), Some(_)) => Finding::note("CUDA", why.clone(), "check nvidia-smi"),
        _ => Finding::fine("CUDA", "no NVIDIA driver; the processor computes"),
    }
}

/// Whether a training can be shared between processes: nothing is said where there is no `train-mpi`,
/// which few people need.
fn mpi(libtorch: &Libtorch) -> Option<Finding> {
    let train = crate::programs::named("train".as_ref())?.path().ok()?;
    let program = train.with_file_name("train-mpi");
    if !program.is_file() {
        return None;
    }
    let done = Command::new(&program)
        .env("LD_LIBRARY_PATH", libtorch.library_path())
        .arg("--machine")
        .output();
    let library = done
        .ok()
        .and_then(|done| serde_json::from_slice::<Machine>(&done.stdout).ok())
        .and_then(|machine| machine.mpi);
    let starts = |launcher: &&str| {
        Command::new(launcher).arg("--version").output().is_ok_and(|done| done.status.success())
    };
    let launchers: Vec<&str> = ["mpirun", "srun"].into_iter().filter(starts).collect();
    Some(match library {
        None => Finding::missing(
            "MPI",
            format!("{} does not start", program.display()),
            "build it again for the MPI library of this machine: docs/scaling.md",
        ),
        Some(library) if launchers.is_empty() => Finding::note(
            "MPI",
            format!("train-mpi with {library}, and neither mpirun nor srun on PATH"),
            "load the module that train-mpi was built with",
        ),
        Some(library) => {
            Finding::fine("MPI", format!("train-mpi with {library}, and {}", launchers.join(", ")))
        }
    })
}

fn version_of(what: &'static str, command: &[&str], advice: &str) -> Finding {
    let done = Command::new(command[0]).args(&command[1..]).arg("--version").output();
    match done {
        Ok(done) if done.status.success() => {
            let said = String::from_utf8_lossy(&done.stdout);
            let version = said.lines().next().unwrap_or_default();
            Finding::fine(what, version.trim_start_matches("git version ").to_owned())
        }
        _ => Finding::missing(what, "not installed", advice),
    }
}

fn mlflow() -> Finding {
    let Some(uri) = std::env::var_os("MLFLOW_TRACKING_URI") else {
        return Finding::fine("MLflow", "not in use; MLFLOW_TRACKING_URI names a server");
    };
    let uri = uri.to_string_lossy().into_owned();
    let asked =
        mlflow::Settings::for_server(&uri, mlflow::environment).map_err(anyhow::Error::from);
    match asked.and_then(|it| Ok(mlflow::Client::without_retries(&it)?.health()?)) {
        Ok(()) => Finding::fine("MLflow", uri),
        Err(error) => Finding::note(
            "MLflow",
            format!("{uri}: {error}"),
            "runs are kept here meanwhile, and hounsfield mlflow-sync sends them later",
        ),
    }
}

/// What the results of a study and DVC's cache of them take, at the least.
const WANTED_GIGABYTES: u64 = 5;

fn disk() -> Finding {
    let Ok(system) = rustix::fs::statvfs(".") else {
        return Finding::note("disk", "the free space is not known", "");
    };
    let free = system.f_bavail.saturating_mul(system.f_frsize) / 1_000_000_000;
    let found = format!("{free} GB free here");
    if free >= WANTED_GIGABYTES {
        Finding::fine("disk", found)
    } else {
        Finding::note("disk", found, "a study keeps the scans, features and models, several times")
    }
}

/// In a study that starts from pretrained weights: whether they are there.
fn weights(study: &Path) -> Option<Finding> {
    let params = config::Params::load(&study.join("params.yaml")).ok()?;
    let config = config::Config::load(&study.join("config.yaml")).ok()?;
    let base = &params.prepare_base.architecture;
    let file = Some(config.pretrained.file_of(base)).filter(|file| study.join(file).is_file());
    Some(match (params.prepare_base.weights, file) {
        (config::WeightsSource::Random, _) => {
            Finding::fine("weights", "random, by prepare_base.weights")
        }
        (_, Some(file)) => Finding::fine("weights", file.display().to_string()),
        (config::WeightsSource::Imagenet, None) => Finding::note(
            "weights",
            format!("none of {base} here; prepare-base fetches them from the Hugging Face hub"),
            "without a network, put a file there: see weights/README.md",
        ),
        (config::WeightsSource::File, None) => Finding::missing(
            "weights",
            format!("{} does not exist", config.pretrained.file_of(base).display()),
            "put it there: see weights/README.md",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_says_what_to_do_where_something_is() {
        let fine = Finding::fine("git", "2.39");
        assert_eq!(fine.line(), "ok      git         2.39");
        let missing = Finding::missing("DVC", "not installed", "pip install dvc");
        assert_eq!(
            missing.line(),
            "MISSING DVC         not installed\n                    → pip install dvc"
        );
    }
}
