//! Features of what build scripts and macros are made of are shared through this script, which does nothing.

fn main() {}
