//! The processes that train together, and what they say to each other.
//!
//! ```text
//! mpirun, srun ─ start the processes      launcher
//!   ↓
//! Ranks ─ which one is this; sum, share what the first one knows, wait
//!   ↓ each request is watched             watch
//! MPI ─ only with feature `mpi`           connection
//! ```
//!
//! Without a launcher there is one process, [`Ranks::alone`], and nothing of MPI is touched. What
//! cannot go on ends all processes ([`Ranks::abort`]): the scheduler starts them again, and training
//! goes on from its last epoch.

#[cfg(feature = "mpi")]
mod connection;
mod launcher;
mod part;
#[cfg(feature = "mpi")]
mod watch;
#[cfg(not(feature = "mpi"))]
mod without_mpi;

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "mpi")]
use connection::Connection;
#[cfg(not(feature = "mpi"))]
use without_mpi::Connection;

pub use launcher::{Started, started};
pub use part::part;

/// The number of a process, from 0, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From 0. The process of rank 0 writes the results.
    pub rank: usize,
    /// How many processes there are, on all machines.
    pub count: usize,
    /// From 0 on this machine.
    pub local_rank: usize,
    /// How many processes there are on this machine.
    pub local_count: usize,
}

/// `rank 2 of 4`
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank {} of {}", self.rank, self.count)
    }
}

/// This process among those that train together.
///
/// All of them must make the same calls in the same order.
#[derive(Debug)]
pub struct Ranks {
    place: Place,
    connection: Option<Connection>,
}

impl Ranks {
    /// The only process.
    pub fn alone() -> Self {
        Self { place: Place { rank: 0, count: 1, local_rank: 0, local_count: 1 }, connection: None }
    }

    /// Joins the other processes if a launcher started this one with others. `program` is named in
    /// what is reported when they cannot go on.
    ///
    /// # Errors
    /// When a launcher started several processes, and this program was built without MPI, or for
    /// the MPI library of another launcher.
    pub fn join(program: &str) -> Result<Self> {
        match started() {
            Some(started) if started.count > 1 => Self::join_started(program, &started),
            _ => Ok(Self::alone()),
        }
    }

    #[cfg(not(feature = "mpi"))]
    fn join_started(program: &str, started: &Started) -> Result<Self> {
        anyhow::bail!(
            "share the work of {} processes that {started} started: this {program} was built without \
             MPI; docs/scaling.md says how to build one with it, or start one process",
            started.count
        )
    }

    #[cfg(feature = "mpi")]
    fn join_started(program: &str, started: &Started) -> Result<Self> {
        let (connection, place) = Connection::open(program)?;
        if place.count != started.count {
            anyhow::bail!(
                "share the work of {} processes that {started} started: {} sees {}; {program} was \
                 built for the MPI library of another launcher",
                started.count,
                connection::library(),
                place.count
            );
        }
        Ok(Self { place, connection: Some(connection) })
    }

    /// The MPI library that the program is linked to; none without feature `mpi`.
    pub fn library() -> Option<String> {
        #[cfg(feature = "mpi")]
        return Some(connection::library());
        #[cfg(not(feature = "mpi"))]
        None
    }

    /// Which process this is.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Whether there is no other process.
    pub fn is_alone(&self) -> bool {
        self.place.count == 1
    }

    /// Whether this process writes the results.
    pub fn is_first(&self) -> bool {
        self.place.rank == 0
    }

    /// The part of `length` things, such as the images of a step, that belongs to this process.
    pub fn part_of(&self, length: usize) -> std::ops::Range<usize> {
        part(length, self.place.rank, self.place.count)
    }

    /// How long the others may be silent before all processes end, beside the time that this one
    /// spent on its own work before it asked.
    pub fn set_time_limit(&self, limit: Duration) {
        if let Some(connection) = &self.connection {
            connection.set_time_limit(limit);
        }
    }

    /// Replaces each value by its sum over all processes. The sum has the same bits in each of
    /// them.
    pub fn sum_f32(&self, values: &mut [f32]) {
        if let Some(connection) = &self.connection {
            connection.sum(values);
        }
    }

    /// As [`sum_f32`](Self::sum_f32).
    pub fn sum_f64(&self, values: &mut [f64]) {
        if let Some(connection) = &self.connection {
            connection.sum(values);
        }
    }

    /// Replaces the values by those of the first process. The number of values must be the same.
    pub fn share_f32(&self, values: &mut [f32]) {
        if let Some(connection) = &self.connection {
            connection.broadcast(values);
        }
    }

    /// Asks the first process, and gives its answer to all. The others do not ask.
    ///
    /// # Errors
    /// When the first process cannot answer; its program then ends all of them. Or when the answer
    /// cannot be written as JSON.
    pub fn first_decides<T: Serialize + DeserializeOwned>(
        &self,
        ask: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if self.is_alone() {
            return ask();
        }
        let answer = self.is_first().then(ask).transpose()?;
        let mut text = match &answer {
            Some(answer) => serde_json::to_vec(answer).context("share an answer")?,
            None => Vec::new(),
        };
        self.share_bytes(&mut text);
        match answer {
            Some(answer) => Ok(answer),
            None => serde_json::from_slice(&text).context("read the answer of rank 0"),
        }
    }

    fn share_bytes(&self, bytes: &mut Vec<u8>) {
        if let Some(connection) = &self.connection {
            let mut length = [bytes.len() as u64];
            connection.broadcast(&mut length);
            bytes.resize(length[0] as usize, 0);
            connection.broadcast(bytes);
        }
    }

    /// Waits until every process is here.
    pub fn wait_for_all(&self) {
        if let Some(connection) = &self.connection {
            connection.wait_for_all();
        }
    }

    /// How long this process has waited for others and for the network.
    pub fn time_spent(&self) -> Duration {
        self.connection.as_ref().map_or(Duration::ZERO, Connection::time_spent)
    }

    /// Ends all processes at once with this exit code, if there are others.
    pub fn abort(&self, code: u8) {
        if let Some(connection) = &self.connection {
            connection.abort(code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_alone_keeps_its_values_and_decides() {
        let ranks = Ranks::alone();
        let mut values = [1.5_f32, -2.0];
        ranks.sum_f32(&mut values);
        ranks.share_f32(&mut values);
        assert_eq!(values, [1.5, -2.0]);
        assert_eq!(ranks.first_decides(|| Ok(7)).unwrap(), 7);
        assert_eq!(ranks.part_of(5), 0..5);
        assert!(ranks.is_alone() && ranks.is_first());
    }
}
