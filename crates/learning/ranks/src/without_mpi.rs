//! In place of the MPI library where the program is not linked to one: there is never a connection.

use std::time::Duration;

/// No value of it exists.
#[derive(Debug)]
pub(crate) enum Connection {}

impl Connection {
    pub(crate) fn set_time_limit(&self, _: Duration) {
        match *self {}
    }

    pub(crate) fn time_spent(&self) -> Duration {
        match *self {}
    }

    pub(crate) fn sum<T>(&self, _: &mut [T]) {
        match *self {}
    }

    pub(crate) fn broadcast<T>(&self, _: &mut [T]) {
        match *self {}
    }

    pub(crate) fn wait_for_all(&self) {
        match *self {}
    }

    pub(crate) fn abort(&self, _: u8) {
        match *self {}
    }
}
