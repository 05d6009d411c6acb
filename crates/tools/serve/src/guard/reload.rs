//! Keys that change while the server runs: on SIGHUP the keys of config.yaml are read, and soon
//! after `serve key --revoke` the revoked ones, without a signal.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use services::Services;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::guard::keys::Keys;
use crate::guard::revoked;

/// How soon a revoked key is rejected.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// The reasons to read the keys again.
#[derive(Debug)]
pub(crate) struct KeyWatch {
    hang_up: Signal,
    config: PathBuf,
}

impl KeyWatch {
    /// From now on SIGHUP no longer ends the process.
    ///
    /// # Errors
    /// When the system does not allow handling the signal.
    pub(crate) fn start(config: PathBuf) -> Result<Self> {
        let hang_up = signal(SignalKind::hangup()).context("listen for signals")?;
        Ok(Self { hang_up, config })
    }

    /// Reads them again whenever there is a reason, as long as the server runs.
    pub(crate) async fn keep_reading(mut self, keys: Arc<Keys>, folder: PathBuf) {
        let mut known = revoked::changed_at(&folder);
        let mut ticks = tokio::time::interval(BETWEEN_LOOKS);
        loop {
            tokio::select! {
                _ = self.hang_up.recv() => {}
                _ = ticks.tick() => {
                    let now = revoked::changed_at(&folder);
                    if now == known {
                        continue;
                    }
                    known = now;
                }
            }
            match self.read(&keys, &folder) {
                Ok(count) => tracing::info!(keys = count, "read the keys again"),
                Err(error) => {
                    tracing::error!("the keys stay as they were: failed to {error:#}");
                }
            }
        }
    }

    fn read(&self, keys: &Keys, folder: &Path) -> Result<usize> {
        let config = Services::load(&self.config)?.serve;
        let count = keys.replace(&config.keys, &revoked::read(folder)?)?;
        if config.keys.is_empty() && keys.are_needed() {
            tracing::warn!("config.yaml lists no keys any more; nobody is let in until a restart");
        }
        Ok(count)
    }
}
