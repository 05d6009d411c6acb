//! Limits concurrent work on images, so that one caller's heavy images do not delay those of
//! others.
//!
//! At most as many images as there are cores are processed at once, with a limit for each caller.
//! An image that takes long gives its place back and continues beside the others, but keeps its
//! caller's place. So a caller with heavy images waits for their own, and all share the cores.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

use crate::error::{Code, Failure};
use crate::guard::request_id;

/// Work that takes longer is heavy. A large CT slice takes a tenth of it.
const LONG: Duration = Duration::from_millis(500);

/// Above this number of callers, those without running work are forgotten.
const REMEMBERED: usize = 1000;

/// Places for work on images.
#[derive(Debug)]
pub(crate) struct Decoding {
    places: usize,
    of_all: Arc<Semaphore>,
    of_callers: Mutex<HashMap<String, Weak<Semaphore>>>,
    long: Duration,
}

impl Decoding {
    /// As many places as there are cores.
    pub(crate) fn new(cores: usize) -> Self {
        Self {
            places: cores,
            of_all: Arc::new(Semaphore::new(cores)),
            of_callers: Mutex::default(),
            long: LONG,
        }
    }

    /// Does the work on its own thread, when there is a place. The work runs to its end, and keeps
    /// its places until then, even if its result is no longer needed.
    ///
    /// # Errors
    /// When the work panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        caller: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let own = acquired(self.of_caller(caller)).await;
        let shared = acquired(Arc::clone(&self.of_all)).await;
        let mut working = spawn_blocking(move || {
            let done = work();
            drop(own);
            done
        });
        let long = self.long;
        let watched = tokio::spawn(request_id::of_this(async move {
            let done = timeout(long, &mut working).await;
            drop(shared);
            match done {
                Ok(done) => done,
                Err(_) => working.await,
            }
        }));
        watched.await.and_then(|done| done).map_err(|error| panicked(&error))
    }

    fn of_caller(&self, caller: &str) -> Arc<Semaphore> {
        let mut callers = self.of_callers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = callers.get(caller).and_then(Weak::upgrade) {
            return known;
        }
        if callers.len() > REMEMBERED {
            callers.retain(|_, places| places.strong_count() > 0);
        }
        let places = Arc::new(Semaphore::new(self.places));
        callers.insert(caller.to_owned(), Arc::downgrade(&places));
        places
    }
}

async fn acquired(places: Arc<Semaphore>) -> OwnedSemaphorePermit {
    places.acquire_owned().await.expect("these semaphores are never closed")
}

fn panicked(error: &JoinError) -> Failure {
    tracing::error!("work on an image panicked: {error}");
    Failure::new(Code::Internal, "the image could not be worked on; the server's log says more")
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;

    fn places(cores: usize) -> Arc<Decoding> {
        Arc::new(Decoding { long: Duration::from_millis(20), ..Decoding::new(cores) })
    }

    /// Starts work that ends when the sender is dropped.
    fn heavy(decoding: &Arc<Decoding>, caller: &'static str) -> Sender<()> {
        let (end, ended) = channel::<()>();
        let decoding = Arc::clone(decoding);
        tokio::spawn(async move { decoding.run(caller, move || ended.recv().is_err()).await });
        end
    }

    #[tokio::test]
    async fn heavy_images_of_one_caller_never_stop_those_of_another() {
        let decoding = places(2);
        let running: Vec<_> = (0..20).map(|_| heavy(&decoding, "ward")).collect();
        tokio::time::sleep(Duration::from_millis(50)).await;
        let answered = timeout(Duration::from_secs(10), decoding.run("clinic", || 7)).await;
        assert_eq!(answered.unwrap().unwrap(), 7);
        let own = timeout(Duration::from_millis(100), decoding.run("ward", || 7)).await;
        assert!(own.is_err(), "the ward waits for its own");
        drop(running);
        assert_eq!(decoding.run("ward", || 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn whoever_stops_waiting_starts_no_more_than_they_may() {
        let decoding = places(2);
        let (counted, count) = channel();
        let mut ends = Vec::new();
        for _ in 0..20 {
            let (end, ended) = channel::<()>();
            ends.push(end);
            let counted = counted.clone();
            let work = move || {
                counted.send(()).unwrap();
                let _ = ended.recv();
            };
            let _ = timeout(Duration::from_millis(30), decoding.run("ward", work)).await;
        }
        assert_eq!(count.try_iter().count(), 2);
    }

    #[tokio::test]
    async fn a_panic_is_a_failure_and_gives_its_place_back() {
        let decoding = places(1);
        let failed: Result<(), Failure> = decoding.run("ward", || panic!("damaged")).await;
        let failed = failed.unwrap_err();
        assert_eq!(failed.code(), Code::Internal);
        decoding.run("ward", || ()).await.unwrap();
    }
}
