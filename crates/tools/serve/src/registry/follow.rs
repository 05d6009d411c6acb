//! The thread that follows the champion.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::Builder;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use jiff::Timestamp;
use mlflow::ModelVersion;
use services::FollowConfig;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::error::{Code, Failure};
use crate::lifecycle::{Lifecycle, Phase};
use crate::model::swap::ModelSwap;
use crate::registry::champion::{Champion, FetchedVersion};

/// A version that could not be used is tried again after this long, or when it is asked for.
const AFTER_A_FAILURE: Duration = Duration::from_secs(300);

/// Requests to look now that may wait. One look answers one request.
const MOST_WAITING: usize = 4;

/// A request to look now.
type LookNow = oneshot::Sender<Result<(), Failure>>;

/// A handle to the thread.
#[derive(Debug, Clone)]
pub(crate) struct Follower(SyncSender<LookNow>);

/// The other end of [`Follower`].
#[derive(Debug)]
pub(crate) struct Requests(Receiver<LookNow>);

/// The handle, and what the thread reads; the thread is started when the server is complete.
pub(crate) fn channel() -> (Follower, Requests) {
    let (sender, receiver) = sync_channel(MOST_WAITING);
    (Follower(sender), Requests(receiver))
}

impl Follower {
    /// Looks at the registry now. Returns when its champion answers.
    ///
    /// # Errors
    /// When the registry cannot be reached or the champion cannot be used; the present model stays.
    pub(crate) async fn look_now(&self) -> Result<(), Failure> {
        let (reply, looked) = oneshot::channel();
        self.0.try_send(reply).map_err(|_| {
            Failure::new(Code::Conflict, "the registry is being looked at; wait for its end")
        })?;
        let stopped = |_| Failure::new(Code::Stopping, "the server is stopping");
        looked.await.map_err(stopped)?
    }
}

/// What the thread owns.
pub(crate) struct Following {
    pub(crate) champion: Champion,
    pub(crate) swap: ModelSwap,
    pub(crate) lifecycle: Arc<Lifecycle>,
    /// The version that answers.
    pub(crate) served: FetchedVersion,
    pub(crate) runtime: Handle,
}

/// A version that could not be used.
struct Unusable {
    version: u64,
    retry_at: Instant,
}

/// The state between two looks.
struct State {
    unusable: Option<Unusable>,
    /// An outage is logged once, not at every look.
    is_reachable: bool,
}

impl Following {
    /// Starts the thread, which ends with the process.
    ///
    /// # Errors
    /// When the system refuses another thread.
    pub(crate) fn start(self, config: FollowConfig, requests: Requests) -> Result<()> {
        self.champion.remember(&self.served, None);
        let poll = Duration::from_secs_f64(config.poll_seconds);
        Builder::new()
            .name("registry".into())
            .spawn(move || self.run(poll, &requests))
            .context("start the thread that follows the registry")?;
        Ok(())
    }

    fn run(mut self, poll: Duration, requests: &Requests) {
        let mut state = State { unusable: None, is_reachable: true };
        // Servers that were started together look at different moments.
        let mut next = Instant::now() + poll.mul_f64(rand::random::<f64>());
        while self.lifecycle.phase() == Phase::Ready {
            match requests.0.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(reply) => {
                    state.unusable = None;
                    // The client may be gone.
                    let _ = reply.send(self.look(&mut state));
                }
                Err(RecvTimeoutError::Timeout) => {
                    let _ = self.look(&mut state);
                    next = Instant::now() + poll;
                }
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// Looks once, and serves another version if the alias names one.
    fn look(&mut self, state: &mut State) -> Result<(), Failure> {
        let looked = self.champion.look().and_then(|version| {
            let folder = self.champion.folder_of(&version)?;
            Ok((version, folder))
        });
        let (version, folder) = match looked {
            Ok(found) => found,
            Err(error) => {
                if std::mem::replace(&mut state.is_reachable, false) {
                    tracing::warn!(
                        "version {} goes on answering, because the registry cannot be used: failed \
                         to {error:#}",
                        self.served.version
                    );
                }
                return Err(cannot(&error));
            }
        };
        if !std::mem::replace(&mut state.is_reachable, true) {
            tracing::info!("the registry can be used again");
        }
        let is_served = version.version == self.served.version && folder == self.served.folder;
        self.swap.meters.operation.champion_seen(Timestamp::now(), is_served);
        if is_served {
            return Ok(());
        }
        let is_known_unusable =
            |it: &Unusable| it.version == version.version && Instant::now() < it.retry_at;
        if state.unusable.as_ref().is_some_and(is_known_unusable) {
            return Ok(());
        }
        let exchanged = self.exchange(&version, state);
        if let Err(failure) = &exchanged {
            tracing::error!(
                "version {} goes on answering in place of {}: {}",
                self.served.version,
                version.version,
                failure.message()
            );
            let retry_at = Instant::now() + AFTER_A_FAILURE;
            state.unusable = Some(Unusable { version: version.version, retry_at });
        }
        exchanged
    }

    fn exchange(&mut self, version: &ModelVersion, state: &mut State) -> Result<(), Failure> {
        let fetched = self.champion.fetch(version).map_err(|error| cannot(&error))?;
        let served = self.runtime.block_on(self.swap.serve(fetched.folder.clone()));
        if let Err(failure) = served {
            if fetched.folder != self.served.folder {
                self.champion.forget(&fetched);
            }
            return Err(failure);
        }
        let before = std::mem::replace(&mut self.served, fetched);
        self.champion.remember(&self.served, Some(&before));
        state.unusable = None;
        self.swap.meters.operation.champion_seen(Timestamp::now(), true);
        Ok(())
    }
}

fn cannot(error: &anyhow::Error) -> Failure {
    let message =
        format!("the model that answers stays, because the registry's failed to {error:#}");
    Failure::new(Code::Conflict, message)
}
