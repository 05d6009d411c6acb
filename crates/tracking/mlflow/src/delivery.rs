//! Delivers a spool to the server: in order, each entry once.

use std::collections::VecDeque;
use std::fs::File;

use crate::client::Client;
use crate::spool::{
    self, Content, Event, Line, PostponedArtifact, RunBeginning, RunPlace, SpoolFolder, State,
};
use crate::{ArtifactPath, Batch, Error, NewRun, Result, RunId, RunStatus, Timestamp};

/// How many lines are read, and values sent, at a time.
const MOST_AT_ONCE: usize = 1000;

/// The delivery of one spool. Holds the folder's delivery lock.
#[derive(Debug)]
pub(crate) struct Delivery {
    folder: SpoolFolder,
    client: Client,
    state: State,
    /// How many entries the server refused for good.
    pub(crate) refused: usize,
    _lock: File,
}

/// The result of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Something was delivered.
    Delivered,
    /// There was nothing left to deliver.
    UpToDate,
}

impl Delivery {
    /// Claims a spool; `None` if another program delivers it.
    pub(crate) fn open(folder: &SpoolFolder, client: &Client) -> Result<Option<Self>> {
        let Some(lock) = folder.lock_delivery()? else { return Ok(None) };
        let state = folder.state()?;
        if let Some(run) = &state.run
            && run.server != *client.server()
        {
            let reason = format!(
                "its run {} lives at {}, not at {}; set MLFLOW_TRACKING_URI to that server, or \
                 remove the folder to begin a new run",
                run.id,
                run.server,
                client.server()
            );
            return Err(Error::Spool { folder: folder.path().to_path_buf(), reason });
        }
        Ok(Some(Self {
            folder: folder.clone(),
            client: client.clone(),
            state,
            refused: 0,
            _lock: lock,
        }))
    }

    /// Bytes of the events that are delivered.
    pub(crate) fn delivered_bytes(&self) -> u64 {
        self.state.delivered_bytes
    }

    /// The run, once it has been created.
    pub(crate) fn run(&self) -> Option<&RunPlace> {
        self.state.run.as_ref()
    }

    /// Delivers the next entries.
    ///
    /// # Errors
    /// When they are not delivered; they stay the next ones.
    pub(crate) fn step(&mut self) -> Result<Step> {
        let lines = spool::read(&self.folder.events(), self.state.delivered_bytes, MOST_AT_ONCE)?;
        let Some(first) = lines.first() else { return self.retry_postponed() };
        let mut end = first.end;
        let mut done_with = None;
        match first.record.as_ref().map(|record| (&record.event, record.time)) {
            None => tracing::warn!(
                "a line of {} is damaged, as by a power cut; it is skipped",
                self.folder.events().display()
            ),
            Some((Event::Begin(begin), time)) => self.begin(begin, time)?,
            Some((Event::Values(_), _)) => {
                let (batch, to) = leading_values(&lines);
                end = to;
                self.values(batch)?;
            }
            Some((event @ Event::Dataset(dataset), _)) => {
                let run = self.run_id()?;
                let sent = self.client.log_inputs(&run, std::slice::from_ref(dataset));
                self.or_set_aside(event, sent)?;
            }
            Some((Event::Artifact { path, content }, _)) => {
                done_with = self.artifact(path, content)?;
            }
            Some((Event::End { status }, time)) => {
                self.client.update_run(&self.run_id()?, *status, Some(time))?;
            }
        }
        self.state.delivered_bytes = end;
        self.save(done_with)
    }

    fn save(&self, done_with: Option<Content>) -> Result<Step> {
        self.folder.save_state(&self.state)?;
        if let Some(content) = done_with {
            self.folder.forget(&content);
        }
        Ok(Step::Delivered)
    }

    /// Creates the run, finds it, joins the named one, or sets it to running again.
    fn begin(&mut self, begin: &RunBeginning, time: Timestamp) -> Result<()> {
        if let Some(run) = &self.state.run {
            if let Some(other) = begin.join.as_ref().filter(|other| **other != run.id) {
                tracing::warn!(
                    "MLFLOW_RUN_ID is {other}, but {} goes on with its own run {}",
                    self.folder.path().display(),
                    run.id
                );
            }
            return self.client.update_run(&run.id, RunStatus::Running, None);
        }
        let run = match &begin.join {
            Some(id) => {
                let run = self.client.run(id)?;
                self.client.update_run(id, RunStatus::Running, None)?;
                run
            }
            None => {
                let experiment = self.client.experiment(&begin.experiment)?;
                match self.client.find_run(&experiment, &begin.mark)? {
                    // The answer with its ID was lost.
                    Some(run) => run,
                    None => self.client.create_run(&NewRun {
                        experiment,
                        name: begin.name.clone(),
                        start: time,
                        tags: begin.tags.clone(),
                        mark: begin.mark.clone(),
                    })?,
                }
            }
        };
        self.state.run = Some(RunPlace {
            server: self.client.server().clone(),
            experiment: run.experiment,
            id: run.id,
            artifact_uri: run.artifact_uri,
        });
        Ok(())
    }

    fn place(&self) -> Result<&RunPlace> {
        self.state.run.as_ref().ok_or_else(|| Error::Spool {
            folder: self.folder.path().to_path_buf(),
            reason: "the line that begins its run is damaged; remove the folder".to_owned(),
        })
    }

    fn run_id(&self) -> Result<RunId> {
        self.place().map(|run| run.id.clone())
    }

    fn values(&mut self, batch: Batch) -> Result<()> {
        let run = self.run_id()?;
        match self.client.log_batch(&run, &batch) {
            Err(error) if is_refusal(&error) => self.refuse_a_deleted_run(&run)?,
            answer => return answer,
        }
        // Sent one by one to find the refused one. The others are delivered.
        for single in batch.singles() {
            let sent = self.client.log_batch(&run, &single);
            self.or_set_aside(&Event::Values(single), sent)?;
        }
        Ok(())
    }

    fn upload(&self, path: &ArtifactPath, content: &Content) -> Result<()> {
        let file = self.folder.content(content)?;
        let place = self.place()?;
        self.client.artifacts_at(&place.artifact_uri, &place.id)?.upload(path, &file)
    }

    /// Uploads an artifact; returns its content if the spool no longer needs it. An artifact that
    /// the server does not accept now is postponed, so that it does not block later entries: the
    /// artifact store may be down, or a proxy may find it too large, while everything else works.
    fn artifact(&mut self, path: &ArtifactPath, content: &Content) -> Result<Option<Content>> {
        let postponed = PostponedArtifact { path: path.clone(), content: content.clone() };
        match self.upload(path, content) {
            Err(error) if !is_refusal(&error) && error.was_reached() => {
                tracing::debug!("{error}; {path} is sent later");
                self.state.postponed.push_back(postponed);
                Ok(None)
            }
            sent => {
                if sent.is_ok() {
                    self.drop_postponed(path);
                }
                let event = Event::Artifact { path: path.clone(), content: content.clone() };
                self.settle(&event, sent)
            }
        }
    }

    /// Removes postponed content that a newer artifact of the same name replaces.
    fn drop_postponed(&mut self, path: &ArtifactPath) {
        let (old, others) = std::mem::take(&mut self.state.postponed)
            .into_iter()
            .partition::<VecDeque<_>, _>(|earlier| earlier.path == *path);
        self.state.postponed = others;
        old.iter().for_each(|earlier| self.folder.forget(&earlier.content));
    }

    /// Sends a postponed artifact again. If that fails it goes to the end of the queue.
    fn retry_postponed(&mut self) -> Result<Step> {
        let Some(PostponedArtifact { path, content }) = self.state.postponed.pop_front() else {
            return Ok(Step::UpToDate);
        };
        match self.upload(&path, &content) {
            Err(error) if !is_refusal(&error) => {
                self.state.postponed.push_back(PostponedArtifact { path, content });
                Err(error)
            }
            sent => {
                let event = Event::Artifact { path, content };
                let done_with = self.settle(&event, sent)?;
                self.save(done_with)
            }
        }
    }

    /// For an artifact that was accepted, or refused for good: the content to remove, if it was
    /// accepted.
    fn settle(&mut self, event: &Event, sent: Result<()>) -> Result<Option<Content>> {
        let was_taken = sent.is_ok();
        self.or_set_aside(event, sent)?;
        match event {
            Event::Artifact { content, .. } if was_taken => Ok(Some(content.clone())),
            _ => Ok(None),
        }
    }

    /// Records an event that will never be accepted in a file for the user; other errors are
    /// returned.
    fn or_set_aside(&mut self, event: &Event, sent: Result<()>) -> Result<()> {
        let Err(error) = sent else { return Ok(()) };
        if !is_refusal(&error) {
            return Err(error);
        }
        if let Ok(run) = self.run_id() {
            self.refuse_a_deleted_run(&run)?;
        }
        tracing::warn!(
            "failed to {error}; it is kept in {}/refused.jsonl",
            self.folder.path().display()
        );
        self.refused += 1;
        self.folder.set_aside(event, &error)
    }

    /// A deleted run refuses everything, and may be restored.
    fn refuse_a_deleted_run(&self, run: &RunId) -> Result<()> {
        if !self.client.run(run)?.is_deleted {
            return Ok(());
        }
        let reason = format!(
            "its run {run} was deleted at {}; restore it, or remove the folder to begin a new run",
            self.client.server()
        );
        Err(Error::Spool { folder: self.folder.path().to_path_buf(), reason })
    }
}

/// Whether an error is about the request's content, and not about the server, the connection or our
/// login.
fn is_refusal(error: &Error) -> bool {
    match error {
        Error::File { .. } | Error::ArtifactStore { .. } => true,
        error => matches!(error.status(), Some(400 | 413 | 422)),
    }
}

/// The leading values, as one batch, and their end position.
fn leading_values(lines: &[Line]) -> (Batch, u64) {
    let mut batch = Batch::default();
    let mut end = 0;
    for line in lines {
        match &line.record {
            Some(record) => match &record.event {
                Event::Values(values) if batch.len() < MOST_AT_ONCE => {
                    batch.append(values.clone());
                    end = line.end;
                }
                _ => break,
            },
            None => break,
        }
    }
    (batch, end)
}
