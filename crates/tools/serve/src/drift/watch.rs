//! Tests every window once it has ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use services::DriftConfig;
use tokio::time::{MissedTickBehavior, interval};

use crate::drift::compare::{compare, level_of};
use crate::drift::outcome::WindowOutcome;
use crate::drift::window::Window;
use crate::meters::Meters;
use crate::model::host::ModelHost;
use crate::model::served::ServedModel;
use crate::records::Records;

/// How often to look whether a window has ended, or another model answers.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// Predictions are stored a moment after they were made.
const SETTLING: Duration = Duration::from_secs(30);

/// The windows that are kept, and looked back at when a server starts.
const KEPT_WINDOWS: u32 = 31;

/// The windows that were tested.
#[derive(Debug)]
pub(crate) struct DriftWatch {
    config: DriftConfig,
    tested: Mutex<Tested>,
}

/// Windows of one model.
#[derive(Debug, Clone, Default)]
struct Tested {
    model: String,
    /// The end of the newest window that was looked at.
    until: Option<Timestamp>,
    /// Those with enough images, newest first.
    windows: Vec<WindowOutcome>,
}

impl DriftWatch {
    pub(crate) fn new(config: DriftConfig) -> Self {
        Self { config, tested: Mutex::default() }
    }

    pub(crate) fn config(&self) -> DriftConfig {
        self.config
    }

    /// Tested windows of the present model, newest first.
    pub(crate) fn windows(&self) -> Vec<WindowOutcome> {
        self.tested.lock().unwrap_or_else(PoisonError::into_inner).windows.clone()
    }

    /// Tests windows as they end, as long as the server runs.
    pub(crate) async fn keep_testing(
        self: Arc<Self>,
        host: Arc<ModelHost>,
        records: Arc<Records>,
        meters: Arc<Meters>,
    ) {
        let mut ticks = interval(BETWEEN_LOOKS);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let served = host.shelf.current();
            let Ok(settled) = Timestamp::now().checked_sub(SETTLING) else { continue };
            match self.test(&served, &records, settled).await {
                Ok(true) => meters.operation.drift(self.windows().first()),
                Ok(false) => {}
                // The database's own watch reports outages; the next look tries again.
                Err(error) => tracing::debug!("drift is not tested: failed to {error}"),
            }
        }
    }

    /// Tests the windows that ended since the last look. Returns whether there was anything new.
    async fn test(
        &self,
        served: &ServedModel,
        records: &Records,
        now: Timestamp,
    ) -> prediction_store::Result<bool> {
        let mut tested = self.tested.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if tested.model != served.name.digest {
            tested = Tested { model: served.name.digest.clone(), ..Tested::default() };
        }
        let ended = Window::ended(now, self.config.window_hours, KEPT_WINDOWS);
        if tested.until.is_some() && tested.until == ended.first().map(|it| it.until) {
            return Ok(false);
        }
        let reference = served.calibration.as_ref().and_then(|it| it.drift.as_ref());
        let is_new = |window: &&Window| tested.until.is_none_or(|until| window.until > until);
        let new: Vec<Window> = ended.iter().filter(is_new).copied().collect();
        for window in new.into_iter().rev() {
            let Some(reference) = reference else { break };
            let model = served.description.digests.weights;
            let images = records.store.seen_images(model, window.from, window.until).await?;
            if images.len() < self.config.least_images {
                continue;
            }
            let signals = compare(reference, &images, level_of(&self.config));
            let Window { from, until } = window;
            let outcome = WindowOutcome { from, until, images: images.len(), signals };
            let alarms = outcome.alarms();
            if !alarms.is_empty() {
                tracing::warn!(
                    %from, %until, images = images.len(), signals = alarms.join(", "),
                    "images have drifted from those of the calibration"
                );
            }
            tested.windows.insert(0, outcome);
        }
        tested.windows.truncate(KEPT_WINDOWS as usize);
        tested.until = ended.first().map(|it| it.until);
        *self.tested.lock().unwrap_or_else(PoisonError::into_inner) = tested;
        Ok(true)
    }
}
