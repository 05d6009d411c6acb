//! Finds copies among pictures.

mod agreement;
mod alignment;
mod candidates;
mod descriptor;
mod frame;
mod groups;
mod hashing;
mod likeness;
mod pair;
mod plane;
mod signature;
mod symmetry;
#[cfg(test)]
mod textures;
mod transformation;

pub use frame::Frame;
pub use groups::{GroupNumber, groups};
pub use pair::{Limits, Pair, Relation, find};
pub use signature::{PixelDigest, Signature};
pub use symmetry::Symmetry;
pub use transformation::{Change, Transformation};
