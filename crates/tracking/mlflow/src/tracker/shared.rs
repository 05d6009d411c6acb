use std::path::Path;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::spool::{Event, Index, JournalWriter, Record, RepeatedPoint, SpoolFolder};
use crate::{Batch, Error, Metric, Param, Result, RunId, Timestamp};

/// The common data of the tracked program and the delivery thread.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) folder: SpoolFolder,
    repeated: RepeatedPoint,
    journal: Mutex<Journal>,
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Debug)]
struct Journal {
    writer: JournalWriter,
    index: Index,
    is_ended: bool,
    /// Whether lost events were already reported.
    is_broken: bool,
}

/// The progress of the delivery.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Bytes of the journal.
    pub(crate) appended: u64,
    /// Bytes of it that the server has, including their artifacts.
    pub(crate) delivered: u64,
    pub(crate) phase: Phase,
    pub(crate) run: Option<RunId>,
    /// The error that blocks the delivery.
    pub(crate) obstacle: Option<Error>,
    /// Whether the last attempt failed, and waiting for another is not worthwhile.
    pub(crate) gave_up: bool,
}

/// The task of the delivery.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Deliver new entries.
    #[default]
    Working,
    /// Deliver the existing entries: the program waits.
    Finishing,
    /// Leave the rest.
    Stopping,
}

impl Shared {
    /// Opens the spool of a run, and reads its content.
    pub(crate) fn open(folder: &Path, repeated: RepeatedPoint) -> Result<Self> {
        let folder = SpoolFolder::new(folder);
        let writer = folder.open_journal()?;
        let mut index = Index::default();
        crate::spool::for_each(&folder.events(), |record| index.see(&record))?;
        let journal = Journal { writer, index, is_ended: false, is_broken: false };
        Ok(Self {
            folder,
            repeated,
            journal: Mutex::new(journal),
            progress: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the spool's index.
    pub(crate) fn index<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.journal().index)
    }

    /// Writes an event, unless the run has ended. An event that cannot be written is lost, with one
    /// warning, and the program goes on.
    pub(crate) fn append(&self, event: Event) {
        self.append_to(&mut self.journal(), event);
    }

    fn append_to(&self, journal: &mut Journal, event: Event) {
        if journal.is_ended {
            return;
        }
        let record = Record { time: Timestamp::now(), event };
        match journal.writer.append(&record) {
            Ok(end) => {
                journal.index.see(&record);
                self.progress().appended = end;
                self.changed.notify_all();
            }
            Err(error) => report_loss(journal, &error),
        }
    }

    /// Writes the last event, once; returns whether this call wrote it.
    pub(crate) fn append_end(&self, event: Event) -> bool {
        let mut journal = self.journal();
        if journal.is_ended {
            return false;
        }
        self.append_to(&mut journal, event);
        journal.is_ended = true;
        if let Err(error) = journal.writer.sync() {
            report_loss(&mut journal, &error);
        }
        true
    }

    /// Reports an entry that cannot be logged.
    pub(crate) fn report_loss(&self, error: &Error) {
        report_loss(&mut self.journal(), error);
    }

    /// Writes the new ones among the values.
    pub(crate) fn append_values(&self, mut batch: Batch) {
        let mut journal = self.journal();
        batch.metrics.retain(|metric| journal.index.is_new_metric(metric, self.repeated));
        batch.params.retain(|param| is_new_param(&journal.index, param));
        if !batch.is_empty() {
            self.append_to(&mut journal, Event::Values(batch));
        }
    }

    /// Writes a metric's values of a step.
    pub(crate) fn append_metrics(&self, metrics: Vec<Metric>) {
        self.append_values(Batch { metrics, ..Batch::default() });
    }

    /// Changes the delivery's progress, and wakes the threads that wait for it.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut Progress) -> T) -> T {
        let changed = change(&mut self.progress());
        self.changed.notify_all();
        changed
    }

    /// Waits until a condition holds, at most until a deadline; returns whether it holds.
    pub(crate) fn wait_until(
        &self,
        deadline: Option<Instant>,
        is_so: impl Fn(&Progress) -> bool,
    ) -> bool {
        let mut progress = self.progress();
        while !is_so(&progress) {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            let left = left.unwrap_or(Duration::from_secs(3600));
            progress =
                self.changed.wait_timeout(progress, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl Progress {
    pub(crate) fn is_up_to_date(&self) -> bool {
        self.delivered >= self.appended
    }
}

fn is_new_param(index: &Index, param: &Param) -> bool {
    match index.param(param) {
        None => true,
        Some(value) if value == param.value() => false,
        Some(value) => {
            tracing::warn!(
                "the parameter {} of this run is {value:?} already, and MLflow lets nobody change \
                 it; {:?} is not logged",
                param.key,
                param.value()
            );
            false
        }
    }
}

fn report_loss(journal: &mut Journal, error: &Error) {
    if !std::mem::replace(&mut journal.is_broken, true) {
        tracing::warn!("failed to {error}; some of what is tracked is lost, the work goes on");
    }
}
