//! Values in the form that both databases can store.

use artifact::Digest;

use crate::{Result, StoreError};

/// Text that both databases can store: PostgreSQL has no NUL in its text.
pub(crate) fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// An id or a digest from its text.
pub(crate) fn parsed<T>(text: &str) -> Result<T>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| StoreError::InvalidRow { what: error.to_string() })
}

/// A digest that may be missing, from its text.
pub(crate) fn parsed_digest(text: Option<&str>) -> Result<Option<Digest>> {
    text.map(parsed).transpose()
}
