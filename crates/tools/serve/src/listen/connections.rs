//! The open connections, which of them are idle, and their limit.
//!
//! A connection is busy while the server processes a request on it or makes its answer. A
//! connection that is not busy and transfers nothing is closed after `serve.idle_seconds`, even
//! before its first byte: a client that connects and sends nothing is treated like one that has
//! finished. If the limit is reached, the connection that was idle longest is closed for the next
//! one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

/// Bytes of answers that must be sent before a client counts as reading them.
const PROGRESS_BYTES: usize = 16 * 1024;

/// The log reports closed connections at most this often.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// All connections that are open.
#[derive(Debug)]
pub(crate) struct Connections {
    most: usize,
    open: Mutex<Open>,
    count: watch::Sender<usize>,
    silent: Tally,
    turned_away: Tally,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    by_number: HashMap<u64, Arc<Connection>>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    state: Mutex<State>,
    /// Notified when it must be closed for another one.
    leave: Notify,
}

#[derive(Debug)]
struct State {
    /// Requests being processed.
    busy: usize,
    /// The time of the last activity.
    since: Instant,
    /// Bytes of answers sent since then.
    written: usize,
    /// Bytes of answers that are still to be sent. Other bytes do not count: a client of HTTP/2 can
    /// request as many as it likes with pings.
    owed: usize,
}

/// A connection on the list, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    connections: Arc<Connections>,
    number: u64,
    pub(crate) connection: Arc<Connection>,
}

impl Connections {
    /// At most this many may be open at a time.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
            count: watch::Sender::new(0),
            silent: Tally::default(),
            turned_away: Tally::default(),
        })
    }

    /// Adds one. If the limit is reached, the connection that was idle longest is closed for it;
    /// `None` if all of them are busy.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<OpenConnection> {
        let mut open = self.lock();
        if open.by_number.len() >= self.most {
            let number = open.longest_silent();
            if let Some(count) = self.turned_away.count() {
                tracing::warn!(
                    connections = count,
                    "as many connections are open as may be ({}, serve.limits.connections): closed \
                     silent ones for new ones, or turned new ones away where none was silent",
                    self.most
                );
            }
            let leaving = open.by_number.remove(&number?)?;
            leaving.leave.notify_one();
        }
        let number = open.next;
        open.next += 1;
        let connection = Arc::new(Connection::new());
        open.by_number.insert(number, Arc::clone(&connection));
        self.count.send_replace(open.by_number.len());
        Some(OpenConnection { connections: Arc::clone(self), number, connection })
    }

    /// Waits until none is open.
    pub(crate) async fn all_ended(&self) {
        // This value owns the sender, so that waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// Number of open connections.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_number.len()
    }

    /// Records that one was closed because it was idle.
    pub(crate) fn was_silent(&self, limit: Duration) {
        if let Some(count) = self.silent.count() {
            tracing::info!(
                connections = count,
                "closed connections that were silent for {} s (serve.idle_seconds)",
                limit.as_secs_f64()
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn longest_silent(&self) -> Option<u64> {
        let silent = self.by_number.iter().filter_map(|(number, connection)| {
            let state = connection.lock();
            (state.busy == 0).then_some((state.since, *number))
        });
        silent.min().map(|(_, number)| number)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut open = self.connections.lock();
        open.by_number.remove(&self.number);
        self.connections.count.send_replace(open.by_number.len());
    }
}

impl Connection {
    fn new() -> Self {
        let state = State { busy: 0, since: Instant::now(), written: 0, owed: 0 };
        Self { state: Mutex::new(state), leave: Notify::new() }
    }

    /// Marks a request as being processed, until the returned guard is dropped.
    pub(crate) fn busy(self: &Arc<Self>) -> BusyGuard {
        self.change(|state| state.busy += 1);
        BusyGuard { connection: Arc::clone(self), is_busy: true }
    }

    /// Records that this many bytes were sent.
    pub(crate) fn wrote(&self, bytes: usize) {
        let mut state = self.lock();
        let of_answers = bytes.min(state.owed);
        state.owed -= of_answers;
        state.written += of_answers;
        if state.written >= PROGRESS_BYTES {
            state.since = Instant::now();
            state.written = 0;
        }
    }

    /// Waits until there was no activity for this long.
    pub(crate) async fn silent(&self, limit: Duration) {
        loop {
            let left = {
                let state = self.lock();
                if state.busy > 0 { limit } else { limit.saturating_sub(state.since.elapsed()) }
            };
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }

    /// Waits until it must be closed for another one.
    pub(crate) async fn must_leave(&self) {
        self.leave.notified().await;
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.since = Instant::now();
        state.written = 0;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Prevents a connection from counting as idle.
#[derive(Debug)]
pub(crate) struct BusyGuard {
    connection: Arc<Connection>,
    is_busy: bool,
}

impl BusyGuard {
    /// A part of an answer, of this many bytes, is ready for the client.
    pub(crate) fn made(&mut self, bytes: usize) {
        self.set(false);
        self.connection.change(|state| state.owed = state.owed.saturating_add(bytes));
    }

    /// Sets whether the server is working. If it is not, the client is expected to read the ready
    /// parts.
    pub(crate) fn set(&mut self, is_busy: bool) {
        if self.is_busy != is_busy {
            self.is_busy = is_busy;
            self.connection.change(|state| {
                state.busy = if is_busy { state.busy + 1 } else { state.busy - 1 };
            });
        }
    }
}

impl Drop for BusyGuard {
    fn drop(&mut self) {
        self.set(false);
    }
}

/// How often an event happened since it was last logged.
#[derive(Debug, Default)]
struct Tally(Mutex<(usize, Option<Instant>)>);

impl Tally {
    /// Counts an event; returns the count when it is to be logged.
    fn count(&self) -> Option<usize> {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tally.0 += 1;
        if tally.1.is_some_and(|told| told.elapsed() < BETWEEN_LINES) {
            return None;
        }
        let count = std::mem::take(&mut tally.0);
        tally.1 = Some(Instant::now());
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silent_one_makes_room_and_busy_ones_stay() {
        let connections = Connections::new(2);
        let first = connections.enter().unwrap();
        let second = connections.enter().unwrap();
        let busy = first.connection.busy();
        let third = connections.enter().unwrap();
        assert!(!connections.lock().by_number.contains_key(&second.number), "the second left");
        let also_busy = third.connection.busy();
        assert!(connections.enter().is_none(), "both are busy");
        drop(busy);
        let _fourth = connections.enter().unwrap();
        assert!(!connections.lock().by_number.contains_key(&first.number));
        drop((also_busy, second, first, third));
        assert_eq!(connections.len(), 1);
    }

    #[tokio::test]
    async fn a_client_that_takes_its_answer_is_not_silent_and_answers_to_pings_do_not_count() {
        let limit = Duration::from_millis(60);
        let connection = Arc::new(Connection::new());
        let began = Instant::now();
        connection.busy().made(4 * PROGRESS_BYTES);
        let writing = async {
            for _ in 0..4 {
                tokio::time::sleep(limit / 2).await;
                connection.wrote(PROGRESS_BYTES);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! { () = connection.silent(limit) => {} () = writing => {} }
        assert!(began.elapsed() > 2 * limit);
        let began = Instant::now();
        let pings = async {
            loop {
                tokio::time::sleep(limit / 10).await;
                connection.wrote(PROGRESS_BYTES);
            }
        };
        tokio::select! { () = connection.silent(limit) => {} () = pings => {} }
        assert!(began.elapsed() < 3 * limit);
    }
}
