//! Trains again, in the background.
//!
//! ```text
//! the present model is kept                      register --keep
//!   ↓ corrected images, where `ingest` looks       corrections
//!   ↓ the pipeline runs                          dvc repro        ─▶ log, progress
//! the new model is compared with the kept one    register --against
//!   ↓ only if it passes
//! it answers from now on, between two batches    model::swap
//! ```
//!
//! The stages are the programs that a person would run, so that a training can be repeated by hand.
//! A model that does not pass stays in the model folder, where DVC tracks it, and is not served,
//! not even after a restart: see [`refused`].

pub(crate) mod command;
mod corrections;
mod job;
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
use services::{ServeConfig, TrainingJob, TrainingPlace};
use tokio::sync::broadcast;
use tokio::task::AbortHandle;

use crate::training::command::Groups;
use crate::training::lock::TrainingLock;
use crate::training::progress::{Event, Progress};

/// Number of events that a slow listener may fall behind; then it gets the whole state again.
const EVENTS: usize = 1024;

/// The running training, or the last one.
#[derive(Debug)]
pub(crate) struct Training {
    progress: Mutex<Progress>,
    events: broadcast::Sender<Event>,
    /// Ends the task, and with it the programs that it started.
    task: Mutex<Option<AbortHandle>>,
    groups: Groups,
    /// The file mode mask for files of the pipeline; those of the server are private.
    mask: Mode,
    /// `artifacts/serve`: the present model is kept here during a training.
    pub(crate) folder: PathBuf,
    /// The folder in which `ingest` finds corrected images, if it is configured.
    pub(crate) corrections: Option<PathBuf>,
    /// Where a training that a request starts runs.
    place: TrainingPlace,
    /// The way to start it elsewhere.
    job: Option<TrainingJob>,
}

impl Training {
    pub(crate) fn new(settings: &ServeConfig, corrections: Option<&Path>, mask: Mode) -> Self {
        Self {
            progress: Mutex::default(),
            events: broadcast::Sender::new(EVENTS),
            task: Mutex::default(),
            groups: Groups::default(),
            mask,
            folder: settings.folder.clone(),
            corrections: corrections.map(Path::to_owned),
            place: settings.training,
            job: settings.training_job.clone(),
        }
    }

    /// Whether trainings run on this machine.
    pub(crate) fn is_here(&self) -> bool {
        self.place == TrainingPlace::Here
    }

    /// The folder of the kept model, which a new one is compared with.
    pub(crate) fn kept_model(&self) -> PathBuf {
        self.folder.join("before")
    }

    /// Its progress.
    pub(crate) fn progress(&self) -> Progress {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its progress, and all events from then on.
    pub(crate) fn listen(&self) -> (Progress, broadcast::Receiver<Event>) {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        (progress.clone(), self.events.subscribe())
    }

    /// Changes the state and notifies the listeners.
    fn change(&self, change: impl FnOnce(&mut Progress)) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut progress);
        // There may be no listeners.
        let _ = self.events.send(Event::State(Box::new(progress.clone())));
    }

    /// Adds a line of the log; it may announce the next stage.
    fn log(&self, line: &str) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        let has_moved = progress.read_line(line);
        let _ = self.events.send(Event::Log(line.to_owned()));
        if has_moved {
            let _ = self.events.send(Event::State(Box::new(progress.clone())));
        }
    }

    /// Ends a running training, and its programs: they are asked first, and killed after this long.
    pub(crate) async fn stop(&self, patience: Duration) {
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            task.abort();
        }
        self.groups.end(patience).await;
    }

    /// Whether the programs of a training that another server started are running.
    pub(crate) fn is_left_behind(&self) -> bool {
        TrainingLock::take(&self.folder).is_ok_and(|lock| lock.is_none())
    }
}
