//! What every request shares.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use services::ServeConfig;
use tokio::sync::{Mutex, watch};

use crate::admission::Admission;
use crate::decoding::Decoding;
use crate::error::Failure;
use crate::guard::keys::Caller;
use crate::guard::keys::Keys;
use crate::guard::rate::RateLimit;
use crate::listen::connections::Connections;
use crate::meters::Meters;
use crate::model::engine::Engine;
use crate::model::shelf::Shelf;
use crate::own_task::OwnTasks;
use crate::records::Records;
use crate::training::Training;
use crate::upload::UploadLimits;

/// What every request shares.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) config: ServeConfig,
    /// Where models are read from when another one is to answer.
    pub(crate) places: ModelPlaces,
    pub(crate) shelf: Shelf,
    pub(crate) engine: Engine,
    /// Held while one model takes the place of another, by the task that does it.
    pub(crate) swapping: Arc<Mutex<()>>,
    pub(crate) connections: Arc<Connections>,
    pub(crate) admission: Admission,
    /// Images that are worked on at a time.
    pub(crate) decoding: Decoding,
    pub(crate) keys: Keys,
    pub(crate) rate: RateLimit,
    /// Of what needs no key.
    pub(crate) open_rate: RateLimit,
    pub(crate) meters: Meters,
    pub(crate) records: Records,
    pub(crate) training: Training,
    pub(crate) own_tasks: OwnTasks,
    pub(crate) phase: Lifecycle,
}

/// Where models are read from, and what they are called.
#[derive(Debug, Clone)]
pub(crate) struct ModelPlaces {
    pub(crate) folder: PathBuf,
    /// Where `dvc repro` puts a model; another folder may be served.
    pub(crate) pipeline_output: PathBuf,
    pub(crate) evaluation: PathBuf,
    pub(crate) name: String,
}

impl Server {
    /// What a request may hold.
    pub(crate) fn upload_limits(&self) -> UploadLimits {
        let limits = &self.config.limits;
        UploadLimits { body_bytes: limits.body_bytes(), images: limits.images }
    }

    /// Decodes or encodes a picture beside the model's thread.
    ///
    /// # Errors
    /// When the work panicked.
    pub(crate) async fn beside_the_model<T: Send + 'static>(
        &self,
        caller: &Caller,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        self.decoding.run(&caller.counted_as, work).await
    }

    /// How long a request for predictions may take.
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_secs_f64(self.config.deadline_seconds)
    }
}

/// Whether requests should come here.
#[derive(Debug)]
pub(crate) struct Lifecycle(watch::Sender<Phase>);

/// How far the server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It answers.
    Ready,
    /// It ends what is in flight.
    Stopping,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self(watch::Sender::new(Phase::Ready))
    }
}

impl Lifecycle {
    pub(crate) fn phase(&self) -> Phase {
        *self.0.borrow()
    }

    pub(crate) fn stop(&self) {
        self.0.send_replace(Phase::Stopping);
    }

    /// Until the server is asked to stop.
    pub(crate) async fn stopped(&self) {
        // The sender is this value's own, so that waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|phase| *phase == Phase::Stopping).await;
    }
}
