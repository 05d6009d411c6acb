//! The real binary on real folders, archives and servers.

// Always true here; it tells clippy that the modules' helpers are test code too.
#![cfg(test)]

mod archives;
mod chest_ct;
mod corrections;
mod dicom;
mod downloads;
mod images;
mod interruptions;
mod layouts;
mod project;
mod zips;
