//! A labelled image set on disk and in memory: [`Split`]s, [`ClassIndices`] and the [`Manifest`],
//! which names every image with its class and digest; after validation, the [`ValidatedManifest`],
//! which also has copies, patients and exclusions.

/// With fewer images of a class in a split, results for the class are mostly chance: even 9 right
/// answers of 9 do not exclude that 3 of 10 are wrong (Wilson's interval at 95 %).
pub const FEW_OF_A_CLASS: usize = 10;

mod baseline;
mod class;
mod image_file;
mod lesions;
mod manifest;
mod split;
mod split_audit;
mod validated;

pub use baseline::{
    BASELINES_FILE, BaselineKind, BaselinePredictions, BaselinesError, FittedOn, read_baselines,
    write_baselines,
};
pub use class::{ClassIndex, ClassIndices, ClassIndicesError};
pub use image_file::{ImageFileError, read_image};
pub use lesions::{LESIONS_FILE, LesionBox, LesionsError, read_lesions, write_lesions};
pub use manifest::{ImageRecord, MANIFEST_FILE, Manifest, ManifestError};
pub use split::{Split, UnknownSplit};
pub use split_audit::{
    AuditAmong, BaselineAudit, DrawnScores, SPLIT_AUDIT_FILE, ScoreDifference, SplitAudit,
};
pub use validated::{Exclusion, GroupNumber, ValidatedManifest, ValidatedRecord};
