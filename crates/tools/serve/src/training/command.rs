//! The programs of a training, and their output line by line.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::fs::Mode;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;

use crate::training::lock::TrainingLock;

/// The pause between two checks whether a group has ended.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The programs, found once at the start of a training.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    dvc: PathBuf,
    register: Register,
    /// Stages of the pipeline, in the order of `dvc.yaml`.
    pub(crate) stages: Vec<String>,
}

impl Tools {
    /// In a source tree and the studies in it, its own programs; elsewhere `register` beside this
    /// program, and DVC on PATH.
    ///
    /// # Errors
    /// When there is no pipeline here, or a program is missing.
    pub(crate) fn find() -> Result<Self> {
        let here = std::env::current_dir().context("find the working folder")?;
        let pipeline = here.join("dvc.yaml");
        if !pipeline.exists() {
            bail!("{} has no dvc.yaml; start the server in the project", here.display());
        }
        let above = |name: &str| {
            here.ancestors().map(|folder| folder.join(name)).find(|path| path.exists())
        };
        let stages = stages(&pipeline)?;
        if let Some(stage) = above("scripts/stage") {
            let dvc = above(".venv/bin/dvc").context("find DVC; run make setup")?;
            return Ok(Self { dvc, register: Register::Stage(stage), stages });
        }
        let beside = std::env::current_exe().context("find this program")?;
        let register = beside.with_file_name("register");
        if !register.exists() {
            bail!("find {}, which belongs beside this program", register.display());
        }
        Ok(Self { dvc: dvc_of_study(&beside)?, register: Register::Installed(register), stages })
    }

    /// `dvc repro`.
    pub(crate) fn repro(&self) -> Command {
        let mut command = Command::new(&self.dvc);
        command.arg("repro");
        command
    }

    /// `register …`
    pub(crate) fn register(&self, flag: &str, folder: &Path) -> Command {
        let mut command = match &self.register {
            Register::Stage(stage) => {
                let mut command = Command::new(stage);
                command.arg("register");
                command
            }
            Register::Installed(register) => Command::new(register),
        };
        command.arg(flag).arg(folder);
        command
    }
}

/// How `register` is started.
#[derive(Debug, Clone)]
enum Register {
    /// By `scripts/stage` of a source tree.
    Stage(PathBuf),
    /// As a program.
    Installed(PathBuf),
}

/// DVC for a study outside a source tree: the first on PATH, or that of the Python environment that
/// this program is installed in.
fn dvc_of_study(program: &Path) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("dvc"));
    let of_environment = program.ancestors().map(|folder| folder.join("bin/dvc"));
    on_path
        .chain(of_environment)
        .find(|dvc| dvc.is_file())
        .context("find DVC on PATH; pip install dvc")
}

/// The names of the stages of a `dvc.yaml`, in order.
fn stages(pipeline: &Path) -> Result<Vec<String>> {
    let text = artifact::read_text(pipeline)?;
    let pipeline: serde_yaml::Value = serde_yaml::from_str(&text).context("read dvc.yaml")?;
    let stages = pipeline.get("stages").and_then(serde_yaml::Value::as_mapping);
    let names = stages.into_iter().flat_map(serde_yaml::Mapping::keys);
    Ok(names.filter_map(|name| name.as_str().map(str::to_owned)).collect())
}

/// A command as a person would type it: programs without their folders.
pub(crate) fn shown(command: &Command) -> String {
    let command = command.as_std();
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str());
    let words = std::iter::once(name).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// The same command, with the file mode mask `mask`: the server's own files are private, those of
/// the pipeline keep their usual rights.
fn with_mask(command: &Command, mask: Mode) -> Command {
    let command = command.as_std();
    let mut shell = Command::new("/bin/sh");
    shell.arg("-c").arg(format!("umask {:04o} && exec \"$0\" \"$@\"", mask.bits()));
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

/// Runs a program to its end; the lock is held as long as the program or anything that it started
/// is running. Dropping the future ends it, with everything that it started.
///
/// # Errors
/// When it cannot be started.
pub(crate) async fn run(
    command: &Command,
    held: &ProgramContext<'_>,
    mut on_line: impl FnMut(&str),
) -> Result<ExitStatus> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let mut child = with_mask(command, held.mask)
        .stdin(held.lock.as_input().context("pass the lock on")?)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Its own process group, so that DVC's children end with it.
        .process_group(0)
        .env("NO_COLOR", "1")
        .env("PYTHONUNBUFFERED", "1")
        .spawn()
        .with_context(|| format!("start {name}"))?;
    let group = Group::of(child.id(), held.groups);
    let mut output = lines(child.stdout.take().context("read what it prints")?);
    let mut errors = lines(child.stderr.take().context("read what it prints")?);
    let (mut output_ended, mut errors_ended) = (false, false);
    while !(output_ended && errors_ended) {
        let (line, ended) = tokio::select! {
            line = output.next_line(), if !output_ended => (line, &mut output_ended),
            line = errors.next_line(), if !errors_ended => (line, &mut errors_ended),
        };
        match line.with_context(|| format!("read what {name} prints"))? {
            Some(line) => on_line(line.trim_end()),
            None => *ended = true,
        }
    }
    let status = child.wait().await.with_context(|| format!("wait for {name}"))?;
    group.has_ended();
    Ok(status)
}

fn lines<R: AsyncRead + Unpin>(from: R) -> Lines<R> {
    Lines { from: BufReader::new(from), line: Vec::new() }
}

/// Lines of text; bytes that are not UTF-8 are replaced.
struct Lines<R> {
    from: BufReader<R>,
    /// The part of the next line read so far; kept here, so that nothing is lost when reading is
    /// interrupted.
    line: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    async fn next_line(&mut self) -> std::io::Result<Option<String>> {
        self.from.read_until(b'\n', &mut self.line).await?;
        let line = std::mem::take(&mut self.line);
        Ok((!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned()))
    }
}

/// The context of a training's program.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProgramContext<'a> {
    pub(crate) lock: &'a TrainingLock,
    pub(crate) groups: &'a Groups,
    /// The file mode mask.
    pub(crate) mask: Mode,
}

/// The running process group, if there is one.
#[derive(Debug, Default)]
pub(crate) struct Groups(Mutex<Option<Pid>>);

impl Groups {
    /// Ends a running group: it is asked first, and killed after this long.
    pub(crate) async fn end(&self, patience: Duration) {
        let Some(group) = self.running() else { return };
        // It may already have ended.
        let _ = kill_process_group(group, Signal::TERM);
        let asked = Instant::now();
        while asked.elapsed() < patience {
            if test_kill_process_group(group).is_err() {
                return;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        tracing::warn!("the programs of the training did not end when they were asked to");
        let _ = kill_process_group(group, Signal::KILL);
    }

    fn running(&self) -> Option<Pid> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, group: Option<Pid>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = group;
    }
}

/// Ends a process group if it is dropped before the group has ended.
struct Group<'a> {
    id: Option<Pid>,
    groups: &'a Groups,
}

impl<'a> Group<'a> {
    fn of(leader: Option<u32>, groups: &'a Groups) -> Self {
        let id = leader.and_then(|id| Pid::from_raw(id.cast_signed()));
        groups.set(id);
        Self { id, groups }
    }

    fn has_ended(mut self) {
        self.id = None;
        self.groups.set(None);
    }
}

impl Drop for Group<'_> {
    fn drop(&mut self) {
        if let Some(group) = self.id {
            // It may already have ended.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    struct Bench {
        folder: tempfile::TempDir,
        lock: TrainingLock,
        groups: Groups,
    }

    impl Bench {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let lock = TrainingLock::take(folder.path()).unwrap().unwrap();
            Self { folder, lock, groups: Groups::default() }
        }

        fn held(&self) -> ProgramContext<'_> {
            ProgramContext {
                lock: &self.lock,
                groups: &self.groups,
                mask: Mode::from_bits_truncate(0o022),
            }
        }
    }

    #[tokio::test]
    async fn every_line_of_both_outputs_is_read() {
        let bench = Bench::new();
        let mut lines = Vec::new();
        let script = "echo one; echo two >&2; printf three; umask >&2; exit 3";
        let on_line = |line: &str| lines.push(line.to_owned());
        let status = run(&shell(script), &bench.held(), on_line).await.unwrap();
        lines.sort();
        assert_eq!(lines, ["0022", "one", "three", "two"]);
        assert_eq!(status.code(), Some(3));
    }

    #[tokio::test]
    async fn a_program_that_is_given_up_ends_with_its_children() {
        let bench = Bench::new();
        let fifo = bench.folder.path().join("alive");
        let made = shell(&format!("mkfifo {}", fifo.display())).status().await.unwrap();
        assert!(made.success());
        let script = format!("sh -c 'exec >{0}; echo started; sleep 600' & wait", fifo.display());
        let (shell, held) = (shell(&script), bench.held());
        let mut reader = {
            let running = run(&shell, &held, |_| {});
            tokio::pin!(running);
            let opened = async {
                let mut reader = lines(tokio::fs::File::open(&fifo).await.unwrap());
                assert_eq!(reader.next_line().await.unwrap().as_deref(), Some("started\n"));
                reader
            };
            tokio::select! { _ = &mut running => panic!("it ended"), reader = opened => reader }
        };
        let ended = reader.next_line().await.unwrap();
        assert_eq!(ended, None, "the fifo has no writer any more");
    }

    #[tokio::test]
    async fn a_program_that_does_not_end_when_it_is_asked_to_is_killed() {
        let bench = Bench::new();
        let (shell, held) = (shell("trap '' TERM; echo ready; sleep 600"), bench.held());
        let (told, ready) = tokio::sync::oneshot::channel();
        let mut told = Some(told);
        let running = run(&shell, &held, move |_| {
            if let Some(told) = told.take() {
                told.send(()).unwrap();
            }
        });
        let ending = async {
            ready.await.unwrap();
            bench.groups.end(Duration::from_millis(50)).await;
        };
        let (status, ()) = tokio::join!(running, ending);
        assert_eq!(status.unwrap().code(), None, "a signal ended it");
    }

    #[test]
    fn commands_are_shown_without_the_folders_of_this_machine() {
        let mut command = Command::new("/opt/project/scripts/stage");
        command.args(["register", "--keep", "artifacts/serve/before"]);
        assert_eq!(shown(&command), "stage register --keep artifacts/serve/before");
    }

    #[test]
    fn stages_come_in_the_order_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dvc.yaml");
        artifact::write_file(&file, b"stages:\n  b: {cmd: x}\n  a: {cmd: y}\n").unwrap();
        assert_eq!(stages(&file).unwrap(), ["b", "a"]);
    }
}
