//! Empty by design: see Cargo.toml.
