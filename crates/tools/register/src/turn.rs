//! The order of decisions, if several programs register at once.
//!
//! MLflow sets aliases without a condition: of two models that beat the same champion, the later
//! one would replace the earlier without having beaten it. So decisions are made in the order of
//! the versions, which the server numbers one by one. An undecided version has a tag for this, and
//! another tag that changes every few seconds while a program is working on it. Later versions wait
//! until it is decided or that tag stops changing.

use std::collections::HashMap;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mlflow::{Client, ModelName, ModelReference, ModelVersion};

use crate::tags::{self, HEARTBEAT, OUTCOME, OutcomeTag};

const BEAT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(500);

/// A version's place in the order. While it exists, others see that a program is working.
pub(crate) struct QueuePlace<'a> {
    client: &'a Client,
    name: &'a ModelName,
    version: u64,
    heart: Option<(Sender<()>, JoinHandle<()>)>,
}

impl<'a> QueuePlace<'a> {
    /// Puts a version that was created with the tag `pending` into the order.
    pub(crate) fn line_up(client: &'a Client, name: &'a ModelName, version: u64) -> Self {
        let (stop, stopped) = mpsc::channel();
        let (heart_client, heart_name) = (client.clone(), name.clone());
        let heart = thread::spawn(move || {
            for beat in 1_u64.. {
                if stopped.recv_timeout(BEAT) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                let tag = tags::tag(HEARTBEAT, &beat);
                if let Err(error) = heart_client.tag_model_version(&heart_name, version, &tag) {
                    tracing::debug!("no sign of life was given: failed to {error}");
                }
            }
        });
        Self { client, name, version, heart: Some((stop, heart)) }
    }

    /// Waits until every earlier version is decided or abandoned.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub(crate) fn wait(&self, patience: Duration) -> Result<()> {
        let mut watched: HashMap<u64, (Option<String>, Instant)> = HashMap::new();
        loop {
            let earlier = self.undecided_before()?;
            if earlier.is_empty() {
                return Ok(());
            }
            for version in earlier {
                let beat = version.tags.get(HEARTBEAT).cloned();
                let number = version.version;
                let (last, since) = watched.entry(number).or_insert_with(|| {
                    tracing::info!("version {number} is being decided; waiting for it");
                    (beat.clone(), Instant::now())
                });
                if *last != beat {
                    (*last, *since) = (beat, Instant::now());
                } else if since.elapsed() > patience {
                    self.give_up(number, patience)?;
                }
            }
            thread::sleep(POLL);
        }
    }

    fn undecided_before(&self) -> Result<Vec<ModelVersion>> {
        let versions = self.client.model_versions(self.name)?;
        let is_undecided = |version: &ModelVersion| {
            version.version < self.version && tags::outcome(version) == Some(OutcomeTag::Pending)
        };
        Ok(versions.into_iter().filter(is_undecided).collect())
    }

    fn give_up(&self, version: u64, patience: Duration) -> Result<()> {
        tracing::warn!(
            "version {version} was not decided, and nothing was heard of its registration for {} \
             seconds: it is given up",
            patience.as_secs()
        );
        Ok(tags::set_outcome(self.client, self.name, version, OutcomeTag::Abandoned)?)
    }

    /// Checks that no other program has marked this version as abandoned meanwhile.
    ///
    /// # Errors
    /// When one has, or the server cannot be reached.
    pub(crate) fn check(&self) -> Result<()> {
        let reference = ModelReference::Version(self.name.clone(), self.version);
        let present = self.client.model_version(&reference)?;
        match present.as_ref().and_then(tags::outcome) {
            Some(OutcomeTag::Pending) => Ok(()),
            _ => bail!(
                "decide about version {}: its tag {OUTCOME} was changed meanwhile, because nothing \
                 was heard of this registration for too long, or by hand; register again",
                self.version
            ),
        }
    }
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        if let Some((stop, heart)) = self.heart.take() {
            drop(stop);
            // The thread has already reported its own panic.
            let _ = heart.join();
        }
    }
}
