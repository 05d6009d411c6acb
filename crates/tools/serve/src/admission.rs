//! Admits a limited number of requests, and a limited number of bytes of their bodies, at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Code, Failure};
use crate::meters::operation::Level;

/// Bodies may take as much memory as this many of the largest allowed.
const LARGEST_BODIES: usize = 8;

/// How long a rejected client should wait.
const COME_AGAIN: Duration = Duration::from_secs(1);

/// Counts requests from before their body is read until they are answered.
///
/// With several keys, no caller takes more than is left for others: a caller with some places gets
/// another only while more places than that are free. So one busy key has half of the queue, two
/// have a third each, and there is a place for the next one.
#[derive(Debug)]
pub(crate) struct Admission {
    most: Taken,
    max_body_bytes: usize,
    taken: Arc<Mutex<HashMap<String, Taken>>>,
    /// Places that are taken.
    level: Level,
}

/// Places, and bytes of bodies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Taken {
    requests: usize,
    body_bytes: usize,
}

/// The caller that needs a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Applicant<'a> {
    pub(crate) name: &'a str,
    /// Whether there are others to leave places for.
    pub(crate) among_others: bool,
}

/// A place in the queue; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    taken: Arc<Mutex<HashMap<String, Taken>>>,
    name: String,
    body_bytes: usize,
    level: Level,
}

impl Admission {
    pub(crate) fn new(queue_requests: usize, max_body_bytes: usize, level: Level) -> Self {
        let body_bytes = LARGEST_BODIES.saturating_mul(max_body_bytes);
        Self {
            most: Taken { requests: queue_requests, body_bytes },
            max_body_bytes,
            taken: Arc::default(),
            level,
        }
    }

    /// Takes a place for a request whose body has this announced number of bytes, or may have the
    /// most allowed.
    ///
    /// # Errors
    /// At once, when the queue or the caller's share of it is full, or the body is too large.
    pub(crate) fn enter(
        &self,
        applicant: Applicant<'_>,
        content_length: Option<u64>,
    ) -> Result<Place, Failure> {
        let largest = self.max_body_bytes;
        let bytes = content_length.map_or(largest, |it| usize::try_from(it).unwrap_or(usize::MAX));
        if bytes > largest {
            return Err(Failure::too_large(largest));
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of_all = taken.values().fold(Taken::default(), |sum, one| Taken {
            requests: sum.requests + one.requests,
            body_bytes: sum.body_bytes + one.body_bytes,
        });
        let own = taken.get(applicant.name).copied().unwrap_or_default();
        let free = self.most.requests.saturating_sub(of_all.requests);
        let free_bytes = self.most.body_bytes.saturating_sub(of_all.body_bytes);
        let is_in_share = |own: usize, free: usize| !applicant.among_others || own < free;
        if free == 0 || !is_in_share(own.requests, free) {
            return Err(full(free, "as many requests"));
        }
        if free_bytes < bytes || !is_in_share(own.body_bytes, free_bytes) {
            return Err(full(free_bytes.saturating_sub(bytes), "as many megabytes of images"));
        }
        let entry = taken.entry(applicant.name.to_owned()).or_default();
        entry.requests += 1;
        entry.body_bytes += bytes;
        self.level.inc();
        Ok(Place {
            taken: Arc::clone(&self.taken),
            name: applicant.name.to_owned(),
            body_bytes: bytes,
            level: self.level.clone(),
        })
    }
}

fn full(free: usize, what: &str) -> Failure {
    let whose = if free == 0 { "the server has" } else { "this key has its share:" };
    let message = format!("{whose} {what} as it takes at a time; try again");
    Failure::new(Code::Overloaded, message).retry_after(COME_AGAIN)
}

impl Drop for Place {
    fn drop(&mut self) {
        self.level.dec();
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.name) {
            own.requests -= 1;
            own.body_bytes -= self.body_bytes;
            if own.requests == 0 {
                taken.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANYBODY: Applicant<'_> = Applicant { name: "ward", among_others: false };

    fn one_of_several(name: &str) -> Applicant<'_> {
        Applicant { name, among_others: true }
    }

    #[test]
    fn one_key_leaves_places_for_the_next_and_that_one_for_another() {
        let admission = Admission::new(24, 1_000_000, Level::default());
        let takes_all = |name| {
            let mut places = Vec::new();
            while let Ok(place) = admission.enter(one_of_several(name), Some(10)) {
                places.push(place);
            }
            places
        };
        let greedy = takes_all("greedy");
        assert_eq!(greedy.len(), 12);
        let second = takes_all("second");
        assert_eq!((second.len(), takes_all("third").len()), (6, 3));
        let _third = takes_all("third");
        drop(greedy);
        assert!(takes_all("second").len() > 1, "what is given back is there for others");
    }

    #[test]
    fn one_key_leaves_room_for_the_bodies_of_others() {
        let admission = Admission::new(24, 1_000_000, Level::default());
        let mut places = Vec::new();
        while let Ok(place) = admission.enter(one_of_several("greedy"), None) {
            places.push(place);
        }
        assert_eq!(places.len(), LARGEST_BODIES / 2);
        admission.enter(one_of_several("ward"), None).unwrap();
    }

    #[test]
    fn the_request_after_the_last_place_is_turned_away_and_a_place_is_given_back() {
        let admission = Admission::new(2, 1_000_000, Level::default());
        let places = [
            admission.enter(ANYBODY, Some(10)).unwrap(),
            admission.enter(ANYBODY, Some(10)).unwrap(),
        ];
        assert_eq!(admission.enter(ANYBODY, Some(10)).unwrap_err().code(), Code::Overloaded);
        drop(places);
        let _again = [
            admission.enter(ANYBODY, Some(10)).unwrap(),
            admission.enter(ANYBODY, Some(10)).unwrap(),
        ];
    }

    #[test]
    fn bodies_of_unknown_length_count_as_the_largest() {
        let admission = Admission::new(100, 1_000_000, Level::default());
        let places: Vec<_> =
            (0..LARGEST_BODIES).map(|_| admission.enter(ANYBODY, None).unwrap()).collect();
        assert_eq!(admission.enter(ANYBODY, Some(10)).unwrap_err().code(), Code::Overloaded);
        drop(places);
        admission.enter(ANYBODY, Some(10)).unwrap();
    }

    #[test]
    fn a_body_that_announces_too_much_is_refused_before_it_is_read() {
        let admission = Admission::new(1, 1000, Level::default());
        assert_eq!(admission.enter(ANYBODY, Some(1001)).unwrap_err().code(), Code::TooLarge);
        admission.enter(ANYBODY, Some(1000)).unwrap();
    }
}
