//! Watches the database while the server runs.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::meters::Meters;
use crate::routes::feedback::Corrector;

/// The pause between two looks at the database.
const BETWEEN_LOOKS: Duration = Duration::from_secs(2);

/// Corrections are counted at every so manieth look: counting reads many rows.
const LOOKS_PER_COUNT: u32 = 15;

/// Keeps the metrics of the database current, and ends an outage: see
/// [`Records::prediction`](super::Records::prediction).
pub(crate) async fn keep_watching(corrector: Corrector, meters: Arc<Meters>) {
    let mut ticks = interval(BETWEEN_LOOKS);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut looks = 0_u32;
    loop {
        ticks.tick().await;
        let is_up = corrector.records.look().await;
        meters.operation.store_up.set(i64::from(is_up));
        if is_up && looks.is_multiple_of(LOOKS_PER_COUNT) {
            match corrector.since_training().await {
                Ok(since) => {
                    let waiting = i64::try_from(since.corrections).unwrap_or(i64::MAX);
                    meters.operation.corrections_waiting.set(waiting);
                }
                Err(failure) => {
                    tracing::warn!("corrections are not counted: {}", failure.message());
                }
            }
        }
        looks = looks.wrapping_add(1);
    }
}
