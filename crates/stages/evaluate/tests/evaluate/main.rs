//! The real program on models with known answers.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

mod folder;
mod leak;
mod project;
mod report;
mod scores;
