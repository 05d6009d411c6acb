//! Writes predictions into the database, in one transaction for all that have arrived meanwhile:
//! each transaction waits for the disk once.

use std::sync::Arc;

use prediction_store::{Prediction, PredictionStore, StoreError};
use tokio::sync::{mpsc, oneshot};

/// The most predictions of one transaction.
const MOST_AT_ONCE: usize = 256;

type Recorded = Result<(), Arc<StoreError>>;

/// A handle to the task that writes. It ends when the last handle is gone.
#[derive(Debug)]
pub(crate) struct Recorder {
    queue: mpsc::Sender<(Prediction, oneshot::Sender<Recorded>)>,
}

impl Recorder {
    /// Starts the task, on the present runtime.
    pub(crate) fn start(store: PredictionStore) -> Self {
        let (queue, mut waiting) = mpsc::channel(MOST_AT_ONCE);
        tokio::spawn(async move {
            let mut batch: Vec<(Prediction, oneshot::Sender<Recorded>)> = Vec::new();
            while waiting.recv_many(&mut batch, MOST_AT_ONCE).await > 0 {
                let (predictions, replies): (Vec<_>, Vec<_>) = batch.drain(..).unzip();
                let recorded = store.record_predictions(&predictions).await.map_err(Arc::new);
                for reply in replies {
                    let _ = reply.send(recorded.clone());
                }
            }
        });
        Self { queue }
    }

    /// Stores a prediction. It is on the disk when this returns.
    ///
    /// # Errors
    /// When the database refuses.
    pub(crate) async fn record(&self, prediction: Prediction) -> Recorded {
        let (reply, recorded) = oneshot::channel();
        let sent = self.queue.send((prediction, reply)).await;
        sent.expect("the task lives as long as its queue");
        recorded.await.expect("the task answers whatever it takes")
    }
}
