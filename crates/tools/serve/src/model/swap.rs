//! Replaces the served model without losing a request.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::OwnedMutexGuard;
use tokio::task::spawn_blocking;

use crate::error::{Code, Failure};
use crate::meters::Meters;
use crate::model::host::ModelHost;
use crate::model::served::{ModelSource, ServedModel, weights_in};
use crate::training::{Training, refused};

/// The parts needed to replace the served model, and to record which one is served.
#[derive(Debug, Clone)]
pub(crate) struct ModelSwap {
    pub(crate) host: Arc<ModelHost>,
    pub(crate) training: Arc<Training>,
    pub(crate) meters: Arc<Meters>,
}

impl ModelSwap {
    /// Like [`reload`](Self::reload), but not while another model is being loaded: each takes the
    /// memory of a model. A server that follows the registry looks there.
    ///
    /// # Errors
    /// As [`reload`](Self::reload), and when another is being loaded.
    pub(crate) async fn reload_now(&self) -> Result<(), Failure> {
        if let Some(follower) = &self.host.follower {
            return follower.look_now().await;
        }
        let Ok(alone) = Arc::clone(&self.host.swapping).try_lock_owned() else {
            return Err(another_is_loaded());
        };
        self.reload_with(alone).await
    }

    /// Loads the model folder again and serves its model from now on. The present model is served
    /// until the new one is loaded, checked and has predicted a first image; running requests
    /// finish with theirs.
    ///
    /// # Errors
    /// When the folder has no usable model. The present one then stays.
    pub(crate) async fn reload(&self) -> Result<(), Failure> {
        self.reload_with(Arc::clone(&self.host.swapping).lock_owned().await).await
    }

    async fn reload_with(&self, alone: OwnedMutexGuard<()>) -> Result<(), Failure> {
        let served = self.load(self.host.places.folder.clone(), alone).await?;
        self.remember(&served).map_err(|error| only_until_a_restart(&error))
    }

    /// Serves the model in this folder from now on, as [`reload`](Self::reload) does.
    ///
    /// # Errors
    /// When the folder has no usable model. The present one then stays.
    pub(crate) async fn serve(&self, folder: PathBuf) -> Result<(), Failure> {
        self.load(folder, Arc::clone(&self.host.swapping).lock_owned().await).await?;
        Ok(())
    }

    /// The lock is held as long as the loading, which cannot be interrupted.
    async fn load(
        &self,
        folder: PathBuf,
        alone: OwnedMutexGuard<()>,
    ) -> Result<Arc<ServedModel>, Failure> {
        let places = self.host.places.clone();
        let device = self.host.device;
        let loaded = spawn_blocking(move || {
            let loaded = ServedModel::load(ModelSource {
                folder: &folder,
                evaluation: &places.evaluation,
                device,
                name: &places.name,
            });
            (loaded, alone)
        });
        let (loaded, _alone) = loaded.await.map_err(|error| {
            tracing::error!("loading a model panicked: {error}");
            Failure::new(
                Code::Internal,
                "the model could not be loaded; the server's log says more",
            )
        })?;
        let (served, model) = loaded.map_err(|error| {
            let message =
                format!("the model that answers stays, because the other failed to {error:#}");
            Failure::new(Code::Conflict, message)
        })?;
        let served = Arc::new(served);
        self.host.engine.install(Arc::clone(&served), model).await?;
        tracing::info!(digest = served.name.digest, "another model answers from now on");
        self.host.shelf.replace(Arc::clone(&served));
        self.meters.swapped(&served);
        Ok(served)
    }

    /// Serves the previous model again.
    ///
    /// # Errors
    /// When there is none, or the server follows the registry: other servers would go on with the
    /// present one.
    pub(crate) async fn rollback(&self) -> Result<(), Failure> {
        if self.host.follower.is_some() {
            let message = "this server follows the registry (serve.follow): set the alias champion \
                           there to the version before, and every server goes back to it";
            return Err(Failure::new(Code::Conflict, message));
        }
        let Ok(_alone) = self.host.swapping.try_lock() else { return Err(another_is_loaded()) };
        let Some(served) = self.host.shelf.swap_back() else {
            let message = "there is no model before the present one, since the server was started";
            return Err(Failure::new(Code::Conflict, message));
        };
        tracing::info!(digest = served.name.digest, "the model before answers again");
        self.meters.swapped(&served);
        self.remember(&served).map_err(|error| only_until_a_restart(&error))
    }

    /// Makes sure that the served model is also served after a restart, if the training kept it.
    fn remember(&self, served: &ServedModel) -> anyhow::Result<()> {
        let folder = &self.training.folder;
        let answering = served.description.digests.weights;
        let on_disk = weights_in(&self.host.places.folder);
        if on_disk == Some(answering) {
            refused::allow(folder)?;
            return Ok(());
        }
        let kept = self.training.kept_model().join("data");
        match on_disk.filter(|_| weights_in(&kept) == Some(answering)) {
            Some(weights) => Ok(refused::refuse(folder, weights, &kept, "it was taken back")?),
            None => {
                tracing::warn!("after a restart, what lies in the model folder answers");
                Ok(())
            }
        }
    }
}

fn another_is_loaded() -> Failure {
    Failure::new(Code::Conflict, "another model is being loaded; wait for its end")
}

fn only_until_a_restart(error: &anyhow::Error) -> Failure {
    tracing::error!("the choice of the served model was not stored: failed to {error:#}");
    let message = "the other model answers, but only until a restart; the server's log says why";
    Failure::new(Code::StoreUnavailable, message)
}
