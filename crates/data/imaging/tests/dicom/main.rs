//! DICOM files, written by dicom-rs, with values worked out by hand.
#![cfg(test)]

mod file;
mod frames;
mod hostile;
mod identity;
#[path = "../mutate/mod.rs"]
mod mutate;
mod refusals;
mod structure;
mod tables;
mod values;
