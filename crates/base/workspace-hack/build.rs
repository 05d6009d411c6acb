//! Build scripts and macros share their features through this script, which does nothing.

fn main() {}
