//! Ends the process when the others are silent for too long: MPI itself would wait for ever.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Until the first call of [`Watch::set_limit`].
const FIRST_LIMIT: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);
/// How long the polite way to end may take.
const POLITE: Duration = Duration::from_secs(5);

/// A thread that looks at how long the present request has been waiting.
#[derive(Debug, Clone)]
pub(crate) struct Watch(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    limit: Duration,
    waiting: Option<Waiting>,
    /// When the last request ended.
    idle_since: Instant,
    spent: Duration,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    what: &'static str,
    since: Instant,
    patience: Duration,
}

impl Watch {
    /// Starts the thread. `end` is called once, with a sentence, and must end all processes.
    pub(crate) fn start(end: impl FnOnce(&str) + Send + 'static) -> Self {
        let state = State {
            limit: FIRST_LIMIT,
            waiting: None,
            idle_since: Instant::now(),
            spent: Duration::ZERO,
        };
        let watch = Self(Arc::new(Mutex::new(state)));
        let watched = watch.clone();
        let body = move || {
            let Waiting { what, patience, .. } = watched.overdue();
            // The process ends whether or not the library still can.
            thread::spawn(|| {
                thread::sleep(POLITE);
                std::process::abort();
            });
            end(&format!(
                "{what}: another process has not answered for {} s (launcher.time_limit_seconds); it \
                 hangs, or its machine cannot be reached. Start again, and training goes on after \
                 the last epoch that is done",
                patience.as_secs()
            ));
        };
        thread::Builder::new()
            .name("watch".to_owned())
            .spawn(body)
            .expect("a process that can start MPI can start a thread");
        watch
    }

    pub(crate) fn set_limit(&self, limit: Duration) {
        self.state().limit = limit;
    }

    pub(crate) fn spent(&self) -> Duration {
        self.state().spent
    }

    /// Does `request`, which waits for the other processes. They may have as much more to do as
    /// this one had since its last request, four times over.
    pub(crate) fn over<T>(&self, what: &'static str, request: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        {
            let mut state = self.state();
            let patience = state.limit + 4 * state.idle_since.elapsed();
            state.waiting = Some(Waiting { what, since, patience });
        }
        let answer = request();
        let mut state = self.state();
        state.waiting = None;
        state.idle_since = Instant::now();
        state.spent += since.elapsed();
        answer
    }

    fn overdue(&self) -> Waiting {
        loop {
            thread::sleep(BETWEEN_LOOKS);
            let waiting = self.state().waiting;
            if let Some(waiting) = waiting.filter(|it| it.since.elapsed() > it.patience) {
                return waiting;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_request_that_waits_too_long_is_reported_and_one_that_is_answered_is_not() {
        let (send, receive) = mpsc::channel();
        // It stays in `end`, so that the process does not abort before the test has passed.
        let watch = Watch::start(move |sentence: &str| send.send(sentence.to_owned()).unwrap());
        watch.set_limit(Duration::ZERO);
        watch.over("sum gradients", || ());
        assert!(receive.try_recv().is_err());
        let sentence = watch.over("sum gradients", || receive.recv().unwrap());
        assert!(sentence.starts_with("sum gradients: another process"), "{sentence}");
        assert!(watch.spent() > Duration::ZERO);
    }
}
