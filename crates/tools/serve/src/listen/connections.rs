//! Which connections are open, which of them are silent, and how many there may be.
//!
//! A connection is busy while a request on it is worked on, or its answer is being made. One that
//! is not busy and moves nothing is closed after `serve.idle_seconds`, counted from its first byte
//! or from before it: a client that connects and says nothing is no different from one that has
//! nothing more to say. Where as many are open as may be, the one that was silent longest makes
//! room for the next.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

/// Bytes of answers that must go out before a client counts as one that takes them.
const PROGRESS_BYTES: usize = 16 * 1024;

/// The log tells of closed connections no oftener than this.
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
    /// Told when it is to make room.
    leave: Notify,
}

#[derive(Debug)]
struct State {
    /// Requests that are worked on.
    busy: usize,
    /// When something last happened.
    since: Instant,
    /// Bytes of answers that went out since then.
    written: usize,
    /// Bytes of answers that are still to go out. Others do not count: a client of HTTP/2 can have
    /// as many as it likes by asking for signs of life.
    owed: usize,
}

/// A connection among the others, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    connections: Arc<Connections>,
    number: u64,
    pub(crate) connection: Arc<Connection>,
}

impl Connections {
    /// So many may be open at a time.
    pub(crate) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            open: Mutex::default(),
            count: watch::Sender::new(0),
            silent: Tally::default(),
            turned_away: Tally::default(),
        })
    }

    /// One more. Where there are as many as may be, the one that was silent longest is closed for
    /// it; `None` where every one of them is busy.
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

    /// Until none is open any more.
    pub(crate) async fn all_ended(&self) {
        // The sender is this value's own, so that waiting cannot fail.
        let _ = self.count.subscribe().wait_for(|count| *count == 0).await;
    }

    /// How many are open.
    pub(crate) fn len(&self) -> usize {
        self.lock().by_number.len()
    }

    /// One was closed since it was silent.
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

    /// A request is worked on, until what this returns is dropped.
    pub(crate) fn busy(self: &Arc<Self>) -> BusyGuard {
        self.change(|state| state.busy += 1);
        BusyGuard { connection: Arc::clone(self), is_busy: true }
    }

    /// So many bytes went out.
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

    /// Until nothing has happened for so long.
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

    /// Until it is to make room for another.
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

/// Keeps a connection from counting as silent.
#[derive(Debug)]
pub(crate) struct BusyGuard {
    connection: Arc<Connection>,
    is_busy: bool,
}

impl BusyGuard {
    /// A piece of an answer is there for the client, of so many bytes.
    pub(crate) fn made(&mut self, bytes: usize) {
        self.set(false);
        self.connection.change(|state| state.owed = state.owed.saturating_add(bytes));
    }

    /// Whether the server has something to do. Where it has not, the client is to take what there
    /// is.
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

/// How often something happened since it was told of last.
#[derive(Debug, Default)]
struct Tally(Mutex<(usize, Option<Instant>)>);

impl Tally {
    /// Counts once more; says how often it was where it is to be told.
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
