//! The MPI library, and nothing of it elsewhere.
//!
//! Errors of the library end the process: its default error handler is `MPI_ERRORS_ARE_FATAL`
//! (MPI 4.1, section 9.3), so that no return code is looked at here.

use std::panic;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives, Equivalence, Root};

use crate::Place;
use crate::watch::Watch;

/// Values that are handed to the library at once. MPI counts in `i32`, and a sum needs a second
/// buffer as long as this: so short that its memory is not asked of the system each time.
const AT_ONCE: usize = 1 << 20;

/// The exit code of all processes after a panic, or when one of them does not answer.
const FAILED: i32 = 1;

/// The world communicator, watched.
pub(crate) struct Connection {
    world: SimpleCommunicator,
    watch: Watch,
    /// Ends the library when it is dropped.
    _universe: Universe,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("watch", &self.watch).finish_non_exhaustive()
    }
}

impl Connection {
    /// Starts the library. From here on a panic ends all processes.
    pub(crate) fn open(program: &str) -> Result<(Self, Place)> {
        // The watch ends the others from a thread of its own.
        let (universe, threading) = mpi::initialize_with_threading(Threading::Multiple)
            .context("start MPI: it was started before in this process")?;
        if threading < Threading::Multiple {
            bail!("start MPI: {} has no MPI_THREAD_MULTIPLE", library());
        }
        let world = universe.world();
        let here = world.split_shared(world.rank());
        let number = |it: i32| usize::try_from(it).context("read what MPI says of its processes");
        let place = Place {
            rank: number(world.rank())?,
            count: number(world.size())?,
            local_rank: number(here.rank())?,
            local_count: number(here.size())?,
        };
        abort_after_a_panic();
        let program = program.to_owned();
        let watch = Watch::start(move |sentence| {
            eprintln!("{program} ({place}): failed to {sentence}");
            SimpleCommunicator::world().abort(FAILED);
        });
        Ok((Self { world, watch, _universe: universe }, place))
    }

    pub(crate) fn set_time_limit(&self, limit: Duration) {
        self.watch.set_limit(limit);
    }

    pub(crate) fn time_spent(&self) -> Duration {
        self.watch.spent()
    }

    /// `MPI_Allreduce` with `MPI_SUM`.
    pub(crate) fn sum<T: Equivalence + Copy>(&self, values: &mut [T]) {
        self.watch.over("sum over all processes", || {
            for part in values.chunks_mut(AT_ONCE) {
                let own = part.to_vec();
                self.world.all_reduce_into(&own[..], part, SystemOperation::sum());
            }
        });
    }

    /// `MPI_Bcast` from rank 0.
    pub(crate) fn broadcast<T: Equivalence>(&self, values: &mut [T]) {
        self.watch.over("hear from rank 0", || {
            for part in values.chunks_mut(AT_ONCE) {
                self.world.process_at_rank(0).broadcast_into(part);
            }
        });
    }

    /// `MPI_Barrier`.
    pub(crate) fn wait_for_all(&self) {
        self.watch.over("wait for all processes", || self.world.barrier());
    }

    /// `MPI_Abort`. Without it the end of one process leaves the others waiting: dropping the
    /// universe would wait for them in `MPI_Finalize`.
    pub(crate) fn abort(&self, code: u8) -> ! {
        self.world.abort(code.into())
    }
}

/// The first line of what the library says of itself, such as `Open MPI v4.1.4`.
pub(crate) fn library() -> String {
    let text = mpi::environment::library_version().unwrap_or_else(|_| "MPI".to_owned());
    let first = text.split(['\n', ',']).next().unwrap_or_default();
    first.trim_end_matches('\0').trim().to_owned()
}

/// A panic in any thread is reported as ever, and then ends all processes.
fn abort_after_a_panic() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        report(info);
        SimpleCommunicator::world().abort(FAILED);
    }));
}
