//! Starting the launcher that starts the processes of a training, and waiting for it.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use program::UsageError;
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

use crate::processes::WITH_MPI;

const BETWEEN_LOOKS: Duration = Duration::from_millis(100);

/// How long a launcher may go on after the last of its processes here. Open MPI's waits for a machine
/// that cannot be reached as long as the system tries to reach it, a quarter of an hour.
const GRACE: Duration = Duration::from_secs(10);

/// A launcher and its arguments, and the program that it starts.
#[derive(Debug)]
pub(crate) struct Launch {
    line: Vec<String>,
    program: PathBuf,
}

impl Launch {
    /// # Errors
    /// When there is no program that can share its work.
    pub(crate) fn new(line: Vec<String>, program: Option<PathBuf>) -> Result<Self> {
        match program {
            Some(program) => Ok(Self { line, program }),
            None => Err(UsageError(format!(
                "start {} (launcher in config.yaml): there is no {WITH_MPI}, beside train or on \
                 PATH; docs/scaling.md says how to build it; or set launcher.program: none",
                line.join(" ")
            ))
            .into()),
        }
    }

    /// Runs the launcher to its end, and returns its exit code. Signals go on to it.
    ///
    /// # Errors
    /// When it cannot be started, or goes on though its processes here have ended.
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let name = &self.line[0];
        tracing::info!("starting {} {}", self.line.join(" "), self.program.display());
        let mut launcher = Command::new(name)
            .args(&self.line[1..])
            .arg(&self.program)
            .args(std::env::args_os().skip(1))
            .spawn()
            .with_context(|| format!("start {name} (launcher.program)"))?;
        forward_signals(&launcher)?;
        let mut watched = Watched::default();
        loop {
            if let Some(status) = launcher.try_wait().with_context(|| format!("wait for {name}"))? {
                return Ok(code_of(status));
            }
            if watched.have_been_gone_for(&launcher) > GRACE {
                launcher.kill().with_context(|| format!("end {name}"))?;
                launcher.wait().with_context(|| format!("wait for {name}"))?;
                bail!(
                    "train in several processes: all of them here have ended, and {name} had not {} s \
                     later; another machine cannot be reached",
                    GRACE.as_secs()
                );
            }
            thread::sleep(BETWEEN_LOOKS);
        }
    }
}

/// The processes that a launcher has started on this machine.
#[derive(Debug, Default)]
struct Watched {
    have_been_there: bool,
    gone_since: Option<Instant>,
}

impl Watched {
    fn have_been_gone_for(&mut self, launcher: &Child) -> Duration {
        if is_any_there(launcher.id()) {
            *self = Self { have_been_there: true, gone_since: None };
        } else if self.have_been_there {
            return self.gone_since.get_or_insert_with(Instant::now).elapsed();
        }
        Duration::ZERO
    }
}

/// Whether the launcher has a child that is the program; not with `srun`, whose processes are children
/// of a daemon.
fn is_any_there(launcher: u32) -> bool {
    let children = fs::read_to_string(format!("/proc/{launcher}/task/{launcher}/children"));
    children.unwrap_or_default().split_whitespace().any(|child| {
        let name = fs::read_to_string(format!("/proc/{child}/comm"));
        name.is_ok_and(|name| name.trim_end() == WITH_MPI)
    })
}

fn forward_signals(launcher: &Child) -> Result<()> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGUSR1]).context("forward signals to the launcher")?;
    let launcher = i32::try_from(launcher.id()).ok().and_then(Pid::from_raw);
    let forward = move || {
        for signal in signals.forever() {
            let signal = match signal {
                SIGTERM => Some(Signal::TERM),
                SIGUSR1 => Some(Signal::USR1),
                // A terminal sends Ctrl-C to the launcher, too.
                _ => None,
            };
            if let (Some(launcher), Some(signal)) = (launcher, signal) {
                // It may have ended.
                let _ = kill_process(launcher, signal);
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(forward)
        .context("forward signals to the launcher")?;
    Ok(())
}

/// As a shell has it: 128 and the signal's number, if one ended it.
fn code_of(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}
