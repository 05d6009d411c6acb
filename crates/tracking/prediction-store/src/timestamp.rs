use jiff::Timestamp;

use crate::{Result, StoreError};

/// Microseconds in a day without leap seconds, as UTC is kept here.
pub(crate) const DAY_US: i64 = 86_400_000_000;

/// A time from the database.
pub(crate) fn from_microseconds(microseconds: i64) -> Result<Timestamp> {
    Timestamp::from_microsecond(microseconds).map_err(|error| StoreError::InvalidRow {
        what: format!("the time {microseconds} µs: {error}"),
    })
}
