//! Serves the registry's champion, and follows it: `serve.follow`.
//!
//! ```text
//! the alias champion of registry.model            champion
//!   ↓ another version: its files, each checked     serve.folder/registry/<digest>
//! loaded, checked, first image predicted           model::swap
//!   ↓
//! it answers from now on, between two batches      follow
//! ```
//!
//! Several servers follow the same alias, each for itself. They look at different moments, so that
//! they do not load a model at the same time. A server that cannot reach the registry, or cannot
//! use the new version, goes on with the one that it has.

pub(crate) mod champion;
pub(crate) mod follow;
