//! The real binary on real folders, archives and servers.

// Always true here; it marks the modules' helpers as test code for clippy.
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
