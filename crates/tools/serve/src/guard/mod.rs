//! The layers between a request and its answer: an id, the origin, a key, a rate limit, safe
//! headers, and a handler for panics.

pub(crate) mod audit;
pub(crate) mod headers;
pub(crate) mod keys;
pub(crate) mod origin;
pub(crate) mod panics;
pub(crate) mod rate;
pub(crate) mod reload;
pub(crate) mod request_id;
pub(crate) mod revoked;
pub(crate) mod roles;
