//! The real program in temporary folders.

// Always true here; it tells clippy that the helpers are test code too.
#![cfg(test)]

mod copies;
mod dicom;
mod faults;
mod pictures;
mod policies;
mod project;
mod splits;
