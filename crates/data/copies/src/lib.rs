//! Finds copies among pictures: the same pixels in another file, and the same picture turned by
//! quarters, mirrored, cropped, resized, compressed again, brighter or darker, drawn on. Slices
//! that are likely to be neighbours in one scan are distinguished from copies.
//!
//! ```text
//! a decoded picture
//!   ↓ digest of its pixels, brightness at 88 × 88                  Signature    signature
//!   ├─ equal digests ─────────────────────────────→ same pixels    Relation     pair
//!   ↓ low frequencies, of all and of 16 crops                      Descriptor   descriptor
//!   ↓ turned to lie as the others do, in their deviations          Deviation    likeness
//!   ↓ like directions share keys                                   HashTables   hashing
//!   ↓ the likeliest few for each picture                           Candidate    candidates
//!   ↓ where one lies in the other: at 44 × 44, then at 88 × 88     Frame        alignment
//!   ↓ is the fine structure the same, block by block?              Agreement    agreement
//!   ├─ in most blocks ────────────────────────────→ a copy         Relation     pair
//!   │    └─ what was done to it, in words                          Change       transformation
//!   └─ fairly, in nearly all ─────────────────────→ same scan?     Relation     pair
//! pairs
//!   ↓ joined                                                       GroupNumber  groups
//! ```
//!
//! # What it finds
//!
//! Copies that are turned by 90°, 180° or 270°, mirrored, cropped by up to 5 % a side, halved,
//! doubled or resized unevenly, compressed to JPEG at quality 40, 15 to 40 levels brighter or
//! darker, at 80 to 120 % of the contrast, and several of these at once. Of 200 copies made in each
//! way all were found among 14,200 pictures (199 of those cropped and saved as JPEG), and no two
//! phantoms were mistaken for copies (`examples/recall`). Crops by up to about 10 % are found in
//! most cases, and pen strokes and watermarks do no harm while most of the picture is free of them.
//!
//! The change is named correctly in nearly all cases; a change of contrast by a few percent cannot
//! be distinguished from compression.
//!
//! Among the 944 pictures of a public set of chest scans, 153 have the pixels of an earlier one,
//! all in equal files. Besides these it finds about 180 pairs of copies, 60 of them across splits,
//! and about 270 pairs of slices, all within one class. [`Limits`] explains how the limits were
//! chosen.
//!
//! # What it cannot find
//!
//! - Copies turned by other angles, sheared, cut to less than about four fifths, or inset in a
//!   larger picture.
//! - Copies of pictures whose shorter side has less than 36 pixels, and of pictures with nearly no
//!   structure: these are tied by equal pixels only.
//! - Negatives.
//! - Two windows of one slice, soft tissue and lung, do not count as copies; at best as the same
//!   scan.
//! - Slices far apart in one scan. "Same scan" is only a suspicion, and the more pictures of
//!   similar anatomy there are, the more unrelated pairs are suspected: 72 pairs among 14,200
//!   pictures.
//! - Pixels do not show which of two pictures was made from the other. The one that shows more is
//!   called the original.
//!
//! # Cost
//!
//! A signature takes 8 kB and less than a millisecond for 224 × 224 pixels. Each picture is
//! compared with a bounded number of others, which the hash tables find in time that grows with the
//! logarithm of their number: n log n in all. Large groups of copies do not change that: of
//! pictures with equal pixels only one is searched for, and of pictures that share a key too often
//! only a bounded number is compared, which joins them into one group by few pairs.
//!
//! The result depends on the pictures and their order, not on the number of threads.

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
