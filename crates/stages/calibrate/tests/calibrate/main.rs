//! The real program on models whose answers are known.

// Always true here; it tells clippy that the helpers are test code too.
#![cfg(test)]

mod confidence;
mod output;
mod project;
