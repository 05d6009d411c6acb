//! The real program in temporary folders.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

mod copies;
mod dicom;
mod faults;
mod pictures;
mod policies;
mod project;
mod splits;
