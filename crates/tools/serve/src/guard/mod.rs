//! What stands between a request and its answer: an id, where it comes from, a key, a rate, safe
//! headers, and a net under whatever panics.

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
