//! The server's records: predictions, corrections, images, and the acts of administrators.

mod recent;
mod recorder;
pub(crate) mod retention;
pub(crate) mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use axum::body::Bytes;
use prediction_store::{
    DatabaseUrl, Digest, Fault, Feedback, ImageError, ImageLocation, ImageStore, NewFeedback,
    Prediction, PredictionStore, StoreError,
};
use program::UsageError;
use services::{ServeConfig, StoreImages, StoreRule};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::error::{Code, Failure};
use crate::records::recent::RecentImages;
use crate::records::recorder::Recorder;

/// The environment variable that may name the database.
const DATABASE_URL: &str = "DATABASE_URL";

/// The server's records.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) store: PredictionStore,
    recorder: Recorder,
    pub(crate) images: Option<ImageStore>,
    which: StoreImages,
    recent: RecentImages,
    written: Mutex<Option<Instant>>,
    rule: StoreRule,
    /// Whether the database answered last time.
    is_up: AtomicBool,
}

/// Whether an answered prediction is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    Stored,
    /// The store cannot be used, and predictions do without it.
    NotStored,
}

/// How long a prediction waits for a store that it can do without.
const BEST_EFFORT: Duration = Duration::from_secs(1);

/// How long a successful write counts for readiness, which anybody may request.
const TRUSTED: Duration = Duration::from_secs(1);

impl Records {
    /// Opens the database and, if images are kept, their store.
    ///
    /// # Errors
    /// When an address is invalid, or its store cannot be opened.
    pub(crate) async fn open(config: &ServeConfig) -> Result<Self> {
        let named = std::env::var(DATABASE_URL).ok().filter(|url| !url.is_empty());
        let key = if named.is_some() { DATABASE_URL } else { "serve.database" };
        let address = named.as_deref().unwrap_or(&config.database);
        let address: DatabaseUrl =
            address.parse().map_err(|error| UsageError(format!("read {key}: {error}")))?;
        let store = PredictionStore::open(&address).await?;
        let images = match config.store_images {
            StoreImages::Never => None,
            StoreImages::Feedback | StoreImages::All => {
                let place: ImageLocation = config
                    .image_store
                    .parse()
                    .map_err(|error| UsageError(format!("read serve.image_store: {error}")))?;
                Some(ImageStore::open(&place).context("open serve.image_store")?)
            }
        };
        Ok(Self {
            recorder: Recorder::start(store.clone()),
            store,
            images,
            which: config.store_images,
            recent: RecentImages::default(),
            written: Mutex::default(),
            rule: config.store,
            is_up: AtomicBool::new(true),
        })
    }

    /// Looks whether the database can be used now, and remembers it.
    pub(crate) async fn look(&self) -> bool {
        let is_up = match self.are_ready().await {
            Ok(()) => true,
            Err(error) => {
                if self.is_up.load(Ordering::Relaxed) {
                    tracing::warn!("the database cannot be used: failed to {error}");
                }
                false
            }
        };
        if is_up && !self.is_up.swap(is_up, Ordering::Relaxed) {
            tracing::info!("the database can be used again");
        }
        self.is_up.store(is_up, Ordering::Relaxed);
        is_up
    }

    /// Whether predictions are answered without the store.
    pub(crate) fn is_best_effort(&self) -> bool {
        self.rule == StoreRule::BestEffort
    }

    /// Whether a prediction could be stored now: the database answers, is in its place, and can be
    /// written.
    ///
    /// # Errors
    /// The fault.
    pub(crate) async fn are_ready(&self) -> prediction_store::Result<()> {
        self.store.is_alive().await?;
        let mut written = self.written.lock().await;
        if written.is_none_or(|at| at.elapsed() > TRUSTED) {
            *written = None;
            self.store.can_be_written().await?;
            *written = Some(Instant::now());
        }
        Ok(())
    }

    /// Stores a prediction, and its image if all are kept.
    ///
    /// With `serve.store: best_effort` a store that fails or is slow is not waited for, and until it
    /// answers again nothing is stored.
    ///
    /// # Errors
    /// When it cannot be stored and must be.
    pub(crate) async fn prediction(
        &self,
        prediction: Prediction,
        image: &Bytes,
    ) -> Result<Kept, Failure> {
        if !self.is_best_effort() {
            return self.store_prediction(prediction, image).await.map(|()| Kept::Stored);
        }
        if !self.is_up.load(Ordering::Relaxed) {
            return Ok(Kept::NotStored);
        }
        let failure = match timeout(BEST_EFFORT, self.store_prediction(prediction, image)).await {
            Ok(Ok(())) => return Ok(Kept::Stored),
            Ok(Err(failure)) if failure.code() != Code::StoreUnavailable => return Err(failure),
            Ok(Err(failure)) => failure.message().to_owned(),
            Err(_) => "it did not answer in time".to_owned(),
        };
        if self.is_up.swap(false, Ordering::Relaxed) {
            tracing::warn!("predictions are answered and not stored: {failure}");
        }
        Ok(Kept::NotStored)
    }

    /// Stores a prediction. It is on the disk when this returns.
    async fn store_prediction(
        &self,
        mut prediction: Prediction,
        image: &Bytes,
    ) -> Result<(), Failure> {
        if let (StoreImages::All, Some(images)) = (self.which, &self.images) {
            images.put(image.clone()).await?;
            prediction.image.stored = true;
        }
        if self.which == StoreImages::Feedback {
            self.recent.keep(prediction.image.sha256, image.clone());
        }
        self.recorder.record(prediction).await.map_err(|error| Failure::from(error.as_ref()))
    }

    /// Stores a correction, and its image if those of corrections are kept: the image that came
    /// with the correction, or a short while ago with the prediction. Returns whether the image is
    /// kept.
    ///
    /// # Errors
    /// When there is no such prediction, the image is another one, or it cannot be stored.
    pub(crate) async fn feedback(
        &self,
        feedback: &NewFeedback,
        image: Option<Bytes>,
    ) -> Result<(Feedback, bool), Failure> {
        let row = self.store.prediction(feedback.prediction_id).await?;
        let digest = row.prediction.image.sha256;
        let mut is_kept = row.prediction.image.stored;
        if image.as_ref().is_some_and(|image| Digest::of(image) != digest) {
            let message = "the image is not the one that the prediction is about";
            return Err(Failure::new(Code::BadRequest, message));
        }
        if let (StoreImages::Feedback, Some(images)) = (self.which, &self.images)
            && let Some(image) = image.or_else(|| self.recent.get(digest))
        {
            images.put(image).await?;
            self.store.image_was_stored(digest).await?;
            is_kept = true;
        }
        Ok((self.store.record_feedback(feedback).await?, is_kept))
    }

    /// A stored image.
    ///
    /// # Errors
    /// When it is not stored, or the store cannot be reached.
    pub(crate) async fn image(&self, digest: Digest) -> Result<Bytes, Failure> {
        match &self.images {
            Some(images) => Ok(images.get(digest).await?),
            None => Err(Failure::new(Code::NotFound, "no images are kept (serve.store_images)")),
        }
    }
}

impl From<&StoreError> for Failure {
    fn from(error: &StoreError) -> Self {
        let code = match error {
            StoreError::UnknownPrediction(_) | StoreError::UnknownTraining(_) => Code::NotFound,
            StoreError::TrainingRuns => Code::Conflict,
            StoreError::Cursor(_) => Code::BadRequest,
            StoreError::NotFinite { .. } | StoreError::InvalidRow { .. } => Code::Internal,
            _ => Code::StoreUnavailable,
        };
        // Paths of this machine are only for the log.
        let message = match error {
            StoreError::Database { action, fault, .. } => {
                format!("failed to {action}: {}", in_short(*fault))
            }
            StoreError::NewerSchema { .. } | StoreError::ForeignSchema { .. } => {
                "failed to open the database; the server's log says why".to_owned()
            }
            error => format!("failed to {error}"),
        };
        if code == Code::StoreUnavailable || code == Code::Internal {
            tracing::error!("failed to {error}");
        }
        Self::new(code, message)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::from(&error)
    }
}

impl From<Arc<StoreError>> for Failure {
    fn from(error: Arc<StoreError>) -> Self {
        Self::from(error.as_ref())
    }
}

impl From<ImageError> for Failure {
    fn from(error: ImageError) -> Self {
        let code = match error {
            ImageError::Unknown(_) => Code::NotFound,
            ImageError::Damaged { .. } => Code::Internal,
            ImageError::Store { .. } => Code::StoreUnavailable,
        };
        let message = match &error {
            ImageError::Store { action, fault, .. } => {
                format!("failed to {action}: {}", in_short(*fault))
            }
            ImageError::Damaged { digest, .. } => {
                format!("failed to read the image {digest}: its bytes have changed")
            }
            ImageError::Unknown(_) => format!("failed to {error}"),
        };
        if code != Code::NotFound {
            tracing::error!("failed to {error}");
        }
        Self::new(code, message)
    }
}

/// The fault, for clients: they cannot fix it, and the log has the details.
fn in_short(fault: Fault) -> &'static str {
    match fault {
        Fault::Full => "no space is left; what was acknowledged is kept",
        Fault::Locked => "the store is busy or locked; try again",
        _ => "the store cannot be used now; the server's log says why",
    }
}
