//! Tracking that never affects a result.

mod courier;
pub(crate) mod shared;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use artifact::WithPath;

use crate::spool::{Content, Event, RepeatedPoint, RunBeginning, digest};
use crate::system_metrics::Monitor;
use crate::{
    ArtifactPath, Batch, Dataset, Key, Metric, Param, Result, RunId, RunStatus, Settings, Tag,
    Timestamp,
};
use shared::{Phase, Shared};

/// How long a tracker that is dropped without [`finish`](Tracker::finish) waits for the server.
const PATIENCE_ON_DROP: Duration = Duration::from_secs(2);

/// The settings of a tracker.
#[derive(Debug, Clone)]
pub struct Tracking {
    /// The server, the experiment, and the run to join, if one was named.
    pub settings: Settings,
    /// The folder of the run's spool. The same folder means the same run: a resumed training
    /// continues it, and an evaluation that opens the folder of its training joins it.
    pub spool: PathBuf,
    /// The run's name, if it is a new one.
    pub name: Option<String>,
    /// The run's first tags, if it is a new one: see [`Provenance`](crate::Provenance).
    pub tags: Vec<Tag>,
    /// What to do with a point of a metric if its step already has a value.
    pub repeated: RepeatedPoint,
    /// How often the machine's load is measured, if at all; Python does it every 10 seconds.
    pub system_metrics: Option<Duration>,
}

/// Logs one run to an MLflow server, without ever blocking the program.
///
/// Every entry goes into a file of the spool at once, and from there to the server in a separate
/// thread. No method waits for the server, except [`finish`](Self::finish), which has a time limit;
/// none fails. If the server is down, slow, or refuses, there is one line in the log when the
/// tracking falls behind, and one when it has caught up. Entries that are not delivered by the end
/// stay in the spool for [`sync`](crate::sync()), or for the next program that opens the same
/// spool.
///
/// A tracker that is dropped without `finish`, as by an error or a panic, ends its run as
/// [`Failed`](RunStatus::Failed).
///
/// Names that MLflow rejects are changed as by [`Key::cleaned`].
#[derive(Debug)]
pub struct Tracker {
    run: Option<Arc<OpenRun>>,
}

#[derive(Debug)]
struct OpenRun {
    shared: Arc<Shared>,
    monitor: Mutex<Option<Monitor>>,
}

/// Ends a run from elsewhere, such as a thread that waits for SIGINT and SIGTERM.
#[derive(Debug, Clone)]
pub struct EndHook {
    run: Option<Arc<OpenRun>>,
}

/// The result of the delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// The server has everything; or tracking was off.
    All,
    /// A part of it is still in the spool.
    NotAll,
}

/// The source of an artifact's content.
#[derive(Debug, Clone, Copy)]
pub enum ArtifactSource<'a> {
    /// A file, which is copied at once, and may be changed or removed afterwards.
    Copy(&'a Path),
    /// A file that stays unchanged in its place; its digest is computed at once, and it is not
    /// delivered if it has changed by then. For large files.
    InPlace(&'a Path),
    /// These bytes.
    Bytes(&'a [u8]),
}

impl Tracker {
    /// Tracks nothing; every method does nothing.
    pub fn off() -> Self {
        Self { run: None }
    }

    /// Begins to track, or continues the run of the spool. Returns at once: the server is contacted
    /// later. If the spool cannot be written, tracking is off, with a warning.
    pub fn start(tracking: Tracking) -> Self {
        match Self::try_start(tracking) {
            Ok(tracker) => tracker,
            Err(error) => {
                tracing::warn!("tracking is off: failed to {error}");
                Self::off()
            }
        }
    }

    fn try_start(tracking: Tracking) -> Result<Self> {
        let Tracking { settings, spool, name, tags, repeated, system_metrics } = tracking;
        let shared = Arc::new(Shared::open(&spool, repeated)?);
        let mark = shared.index(|index| index.mark.clone()).unwrap_or_default();
        shared.append(Event::Begin(RunBeginning {
            experiment: settings.experiment.clone(),
            join: settings.run.clone(),
            name,
            tags,
            mark,
        }));
        let courier = Arc::clone(&shared);
        // The thread uses the same log subscriber, so that tests see its lines.
        let log = tracing::dispatcher::get_default(Clone::clone);
        let spawned = thread::Builder::new().name("mlflow".to_owned()).spawn(move || {
            tracing::dispatcher::with_default(&log, || courier::run(&courier, &settings));
        });
        if let Err(error) = spawned {
            tracing::warn!("tracking stays in {}: {error}", spool.display());
        }
        let monitor = system_metrics.and_then(|every| Monitor::start(&shared, every));
        Ok(Self { run: Some(Arc::new(OpenRun { shared, monitor: Mutex::new(monitor) })) })
    }

    /// Whether anything is tracked.
    pub fn is_on(&self) -> bool {
        self.run.is_some()
    }

    fn shared(&self) -> Option<&Shared> {
        self.run.as_deref().map(|run| &*run.shared)
    }

    /// Logs parameters. A parameter that already has another value keeps it, with a warning.
    pub fn params<K: AsRef<str>, V: fmt::Display>(&self, params: impl IntoIterator<Item = (K, V)>) {
        let param =
            |(key, value): (K, V)| Param::new(Key::cleaned(key.as_ref()), value.to_string());
        if let Some(shared) = self.shared() {
            let params = params.into_iter().map(param).collect();
            shared.append_values(Batch { params, ..Batch::default() });
        }
    }

    /// Logs values of metrics at a step, such as an epoch.
    pub fn metrics<K: AsRef<str>>(&self, step: i64, metrics: impl IntoIterator<Item = (K, f64)>) {
        let Some(shared) = self.shared() else { return };
        let timestamp = Timestamp::now();
        let metric = |(key, value): (K, f64)| Metric {
            key: Key::cleaned(key.as_ref()),
            value,
            timestamp,
            step,
        };
        shared.append_metrics(metrics.into_iter().map(metric).collect());
    }

    /// Sets tags.
    pub fn tags<K: AsRef<str>, V: fmt::Display>(&self, tags: impl IntoIterator<Item = (K, V)>) {
        let tag = |(key, value): (K, V)| Tag::new(Key::cleaned(key.as_ref()), value.to_string());
        if let Some(shared) = self.shared() {
            let tags = tags.into_iter().map(tag).collect();
            shared.append_values(Batch { tags, ..Batch::default() });
        }
    }

    /// Logs a dataset as an input of the run.
    pub fn dataset(&self, dataset: Dataset) {
        if let Some(shared) = self.shared() {
            shared.append(Event::Dataset(dataset));
        }
    }

    /// Logs a file, as `plots/loss.png` below the run's artifacts. A file that cannot be read, or
    /// an invalid path, only causes a warning.
    pub fn artifact(&self, path: &str, source: ArtifactSource<'_>) {
        let Some(shared) = self.shared() else { return };
        match spooled(shared, path, source) {
            Ok(event) => shared.append(event),
            Err(error) => shared.report_loss(&error),
        }
    }

    /// The step after the last one of all metrics with this prefix.
    pub fn next_step(&self, prefix: &str) -> i64 {
        self.shared().map_or(0, |shared| shared.index(|index| index.next_step(prefix)))
    }

    /// The run's ID, once the server has returned it.
    pub fn run_id(&self) -> Option<RunId> {
        self.shared().and_then(|shared| shared.progress().run.clone())
    }

    /// The hook that ends the run from elsewhere.
    pub fn end_hook(&self) -> EndHook {
        EndHook { run: self.run.clone() }
    }

    /// Ends the run, and waits up to the given time until the server has everything. It does not
    /// wait for a server that cannot be reached. Undelivered entries stay in the spool, and one log
    /// line reports this.
    pub fn finish(self, status: RunStatus, patience: Duration) -> Delivered {
        self.end_hook().end(status, patience)
    }
}

impl Drop for Tracker {
    fn drop(&mut self) {
        self.end_hook().end(RunStatus::Failed, PATIENCE_ON_DROP);
    }
}

impl EndHook {
    /// Ends the run, as [`Tracker::finish`] does. A run that has ended stays as it is, and later
    /// entries are not tracked.
    pub fn end(&self, status: RunStatus, patience: Duration) -> Delivered {
        let Some(OpenRun { shared, monitor }) = self.run.as_deref() else {
            return Delivered::All;
        };
        let monitor = monitor.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(monitor);
        let was_first = shared.append_end(Event::End { status });
        shared.update(|progress| {
            if progress.phase == Phase::Working {
                progress.phase = Phase::Finishing;
            }
        });
        let deadline = Instant::now() + patience;
        shared.wait_until(Some(deadline), |progress| {
            progress.is_up_to_date() || progress.gave_up || progress.phase == Phase::Stopping
        });
        shared.update(|progress| progress.phase = Phase::Stopping);
        let progress = shared.progress();
        if progress.is_up_to_date() {
            return Delivered::All;
        }
        if was_first {
            let cause = progress.obstacle.as_ref().map_or_else(
                || "the server is slow".to_owned(),
                |error| format!("failed to {error}"),
            );
            tracing::warn!(
                "not all that was tracked is delivered ({cause}); the rest waits in {}: \
                 run make mlflow-sync when the server is back",
                shared.folder.path().display()
            );
        }
        Delivered::NotAll
    }
}

/// Stores an artifact's content in the spool.
fn spooled(shared: &Shared, path: &str, source: ArtifactSource<'_>) -> Result<Event> {
    let path = ArtifactPath::new(path)?;
    let content = match source {
        ArtifactSource::Copy(file) => shared.folder.copy_in(file)?,
        ArtifactSource::Bytes(bytes) => shared.folder.write_in(bytes)?,
        ArtifactSource::InPlace(file) => {
            let (bytes, sha256) = digest(file)?;
            let path = std::path::absolute(file).with_path("find", file)?;
            Content::InPlace { path, bytes, sha256 }
        }
    };
    Ok(Event::Artifact { path, content })
}
