//! The thread that delivers while the program works.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::delivery::{Delivery, Step};
use crate::tracker::shared::{Phase, Shared};
use crate::{Result, Settings};

/// The longest pause between attempts; a server that is back is found within this time.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The longest pause that a server may ask for.
const LONGEST_ASKED_PAUSE: Duration = Duration::from_secs(600);

/// How long this program waits while another program delivers the spool.
const TURN: Duration = Duration::from_millis(500);

/// Delivers until it is asked to stop.
pub(crate) fn run(shared: &Shared, settings: &Settings) {
    let mut delivery = None;
    let mut failed = 0;
    let mut is_behind = false;
    loop {
        match deliver(shared, settings, &mut delivery) {
            Ok(Round::UpToDate) => {
                failed = 0;
                if std::mem::take(&mut is_behind) {
                    tracing::info!("tracking has caught up");
                }
                shared.wait_until(None, |progress| {
                    progress.phase == Phase::Stopping || !progress.is_up_to_date()
                });
            }
            Ok(Round::OthersTurn) => {
                pause(shared, TURN);
            }
            Err(error) => {
                failed += 1;
                let asked = error.retry_after().map(|pause| pause.min(LONGEST_ASKED_PAUSE));
                let usual = settings.retries.pause(failed + 1, rand::random()).min(LONGEST_PAUSE);
                if !std::mem::replace(&mut is_behind, true) {
                    tracing::warn!(
                        "tracking is behind: failed to {error}; the work continues, and \
                         undelivered records wait in {}",
                        shared.folder.path().display()
                    );
                }
                shared.update(|progress| {
                    // A server that is down will not be back within the time that `finish` waits.
                    progress.gave_up = progress.phase != Phase::Working && error.is_unreachable();
                    progress.obstacle = Some(error);
                });
                pause(shared, asked.unwrap_or(usual));
            }
        }
        if shared.progress().phase == Phase::Stopping {
            return;
        }
    }
}

enum Round {
    UpToDate,
    /// Another program delivers this spool.
    OthersTurn,
}

/// Delivers everything in the spool.
fn deliver(shared: &Shared, settings: &Settings, delivery: &mut Option<Delivery>) -> Result<Round> {
    let delivery = match delivery {
        Some(delivery) => delivery,
        None => {
            let client = Client::without_retries(settings)?;
            match Delivery::open(&shared.folder, &client)? {
                Some(opened) => delivery.insert(opened),
                None => return Ok(Round::OthersTurn),
            }
        }
    };
    loop {
        let step = delivery.step()?;
        let run = delivery.run().map(|place| place.id.clone());
        let is_known = shared.progress().run.is_some();
        if let Some(place) = delivery.run().filter(|_| !is_known) {
            tracing::info!(
                "tracking the run {}/#/experiments/{}/runs/{}",
                place.server,
                place.experiment,
                place.id
            );
        }
        let phase = shared.update(|progress| {
            progress.run = run;
            if step == Step::UpToDate {
                progress.delivered = delivery.delivered_bytes();
                progress.obstacle = None;
            }
            progress.phase
        });
        if step == Step::UpToDate || phase == Phase::Stopping {
            return Ok(Round::UpToDate);
        }
    }
}

/// Waits, but no longer than until the program's phase changes.
fn pause(shared: &Shared, length: Duration) {
    let phase = shared.progress().phase;
    shared.wait_until(Some(Instant::now() + length), |progress| progress.phase != phase);
}
