//! What every request shares.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use config::ServeConfig;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::spawn_blocking;

use crate::admission::Admission;
use crate::error::{Code, Failure};
use crate::guard::keys::Keys;
use crate::guard::rate::RateLimit;
use crate::meters::Meters;
use crate::model::engine::Engine;
use crate::model::shelf::Shelf;
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
    /// Held while one model takes the place of another.
    pub(crate) swapping: Mutex<()>,
    pub(crate) admission: Admission,
    /// Images that are worked on at a time.
    pub(crate) decoding: Arc<Semaphore>,
    pub(crate) keys: Keys,
    pub(crate) rate: RateLimit,
    pub(crate) meters: Meters,
    pub(crate) records: Records,
    pub(crate) training: Training,
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

    /// Decodes or encodes a picture beside the model's thread, so many at a time as there are cores.
    ///
    /// # Errors
    /// When the server is stopping, or the work panicked.
    pub(crate) async fn beside_the_model<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let permit = Arc::clone(&self.decoding).acquire_owned().await;
        let permit = permit.map_err(|_| Failure::new(Code::Stopping, "the server is stopping"))?;
        let done = spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        done.await.map_err(|error| {
            tracing::error!("work on an image panicked: {error}");
            let message = "the image could not be worked on; the server's log says more";
            Failure::new(Code::Internal, message)
        })
    }

    /// How long a request for predictions may take.
    pub(crate) fn deadline(&self) -> Duration {
        Duration::from_secs_f64(self.config.deadline_seconds)
    }
}

/// Whether requests should come here.
#[derive(Debug, Default)]
pub(crate) struct Lifecycle(AtomicU8);

/// How far the server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It answers.
    Ready,
    /// It ends what is in flight.
    Stopping,
}

impl Lifecycle {
    pub(crate) fn phase(&self) -> Phase {
        if self.0.load(Ordering::Acquire) == 0 { Phase::Ready } else { Phase::Stopping }
    }

    pub(crate) fn stop(&self) {
        self.0.store(1, Ordering::Release);
    }
}
