//! The model that is served, the one before it, and the thread that runs them.

pub(crate) mod engine;
pub(crate) mod host;
pub(crate) mod served;
pub(crate) mod shelf;
pub(crate) mod swap;
