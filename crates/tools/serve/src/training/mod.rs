//! Training again, in the background.
//!
//! ```text
//! the present model is kept                      register --keep
//!   ↓ corrected images, where `ingest` looks       corrections
//!   ↓ the pipeline runs                          dvc repro        ─▶ log, progress
//! the new model is held against the kept one     register --against
//!   ↓ only if it passes
//! it answers from now on, between two batches    model::swap
//! ```
//!
//! The stages are the programs that a person would call, so that what a training does can be
//! repeated by hand. A model that does not pass stays in the model folder, where DVC knows it, and
//! is not served, not even after a restart: see [`refused`].

pub(crate) mod command;
mod corrections;
mod lock;
pub(crate) mod progress;
pub(crate) mod refused;
pub(crate) mod retraining;
mod run;
pub(crate) mod start;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::fs::Mode;
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use crate::training::command::Groups;
use crate::training::lock::TrainingLock;
use crate::training::progress::{Event, Progress};

/// Events that a slow listener may fall behind; then it is told the state anew.
const EVENTS: usize = 1024;

/// The training that runs, or ran last.
#[derive(Debug)]
pub(crate) struct Training {
    progress: Mutex<Progress>,
    events: broadcast::Sender<Event>,
    /// Ends the task, and with it the programs that it started.
    task: Mutex<Option<AbortHandle>>,
    groups: Groups,
    /// What files of the pipeline are made without; those of the server are for nobody else.
    mask: Mode,
    /// `artifacts/serve`: where the present model is kept meanwhile.
    pub(crate) folder: PathBuf,
    /// Where `ingest` looks for corrected images, if it does.
    pub(crate) corrections: Option<PathBuf>,
}

impl Training {
    pub(crate) fn new(folder: &Path, corrections: Option<&Path>, mask: Mode) -> Self {
        Self {
            progress: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
            task: Mutex::default(),
            groups: Groups::default(),
            mask,
            folder: folder.to_owned(),
            corrections: corrections.map(Path::to_owned),
        }
    }

    /// Where the model is kept that a new one is held against.
    pub(crate) fn kept_model(&self) -> PathBuf {
        self.folder.join("before")
    }

    /// How far it is.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far it is, and all that happens from then on.
    pub(crate) fn listen(&self) -> (Progress, broadcast::Receiver<Event>) {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        (progress.clone(), self.events.subscribe())
    }

    /// Changes the state and tells whoever listens.
    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        // Nobody may be listening.
        let _ = self.events.send(Event::State(Box::new(progress.clone())));
    }

    /// Adds a line of the log; it may tell of the next stage.
    fn log(&self, line: &str) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let has_moved = progress.read_line(line);
        let _ = self.events.send(Event::Log(line.to_owned()));
        if has_moved {
            let _ = self.events.send(Event::State(Box::new(progress.clone())));
        }
    }

    /// Ends a training that runs, and its programs: asked to, and after so long without being
    /// asked.
    pub(crate) async fn stop(&self, patience: Duration) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
        }
        self.groups.end(patience).await;
    }

    /// Whether the programs of a training run that another server began.
    pub(crate) fn is_left_behind(&self) -> bool {
        TrainingLock::take(&self.folder).is_ok_and(|lock| lock.is_none())
    }
}
