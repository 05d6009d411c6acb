//! The real binary on real folders, archives and servers.

mod archives;
mod chest_ct;
mod downloads;
mod images;
mod interruptions;
mod layouts;
mod project;
mod zips;
