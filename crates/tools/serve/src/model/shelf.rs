//! The served model, and the previous one for a rollback.

use std::sync::{Arc, PoisonError, RwLock};

use crate::model::served::ServedModel;

/// The served model. Readers fetch it once for each request.
#[derive(Debug)]
pub(crate) struct Shelf {
    models: RwLock<Models>,
}

#[derive(Debug, Clone)]
struct Models {
    current: Arc<ServedModel>,
    previous: Option<Arc<ServedModel>>,
}

impl Shelf {
    pub(crate) fn new(current: Arc<ServedModel>) -> Self {
        Self { models: RwLock::new(Models { current, previous: None }) }
    }

    /// The served model.
    pub(crate) fn current(&self) -> Arc<ServedModel> {
        Arc::clone(&self.read().current)
    }

    /// The previous model.
    pub(crate) fn previous(&self) -> Option<Arc<ServedModel>> {
        self.read().previous.clone()
    }

    /// Serves another model from now on; the present one is kept for
    /// [`swap_back`](Self::swap_back).
    pub(crate) fn replace(&self, served: Arc<ServedModel>) {
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        let current = std::mem::replace(&mut models.current, served);
        models.previous = Some(current);
    }

    /// Serves the previous model again, and keeps the present one in its place. `None` if there is
    /// none.
    pub(crate) fn swap_back(&self) -> Option<Arc<ServedModel>> {
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        let previous = models.previous.take()?;
        let current = std::mem::replace(&mut models.current, Arc::clone(&previous));
        models.previous = Some(current);
        Some(previous)
    }

    fn read(&self) -> Models {
        self.models.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
