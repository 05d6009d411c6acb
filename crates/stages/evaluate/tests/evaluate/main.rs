//! The real program on models whose answers are known.

// Always true here; it tells clippy that the helpers are test code too.
#![cfg(test)]

mod folder;
mod leak;
mod project;
mod report;
mod scores;
