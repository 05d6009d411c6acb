//! `report.json`.

use std::collections::BTreeMap;

use artifact::Digest;
use dataset::{Exclusion, Split};
use picture_checks::{ClassBalance, IntensityStatistics};
use serde::Serialize;

use crate::findings::{CopyCounts, Pictures, SameScan};
use crate::ingested::Unreadable;
use crate::leaks::{LabelConflict, Leaks};
use crate::patient_counts::PatientCounts;
use crate::policy::Verdict;
use crate::ties::Evidence;
use crate::verdict::Conclusion;

/// The file's name in the folder that `validate` writes.
pub(crate) const REPORT_FILE: &str = "report.json";

/// All findings, for programs. It depends only on the data and the parameters.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// Their meaning.
    pub(crate) conclusion: &'a Conclusion,
    /// Each kind of finding, its policy and its count.
    pub(crate) findings: &'a [Verdict],
    /// The digest of the images in use: paths, splits, classes, contents.
    pub(crate) data_digest: Digest,
    pub(crate) images: ImageCounts,
    pub(crate) classes: &'a [String],
    pub(crate) copies: &'a CopyCounts,
    pub(crate) leaks: &'a Leaks,
    pub(crate) label_conflicts: &'a [LabelConflict],
    pub(crate) same_scan: &'a SameScan,
    /// Every pair of copies except those of equal files, nearest first.
    pub(crate) copy_pairs: Vec<CopyPair>,
    pub(crate) patients: &'a PatientCounts,
    pub(crate) shortcuts: &'a crate::shortcut::Shortcuts,
    pub(crate) pictures: &'a Pictures,
    pub(crate) balance: &'a ClassBalance,
    pub(crate) intensity: &'a [IntensityStatistics],
    pub(crate) unreadable: &'a [Unreadable],
    /// Images that are not used, by path.
    pub(crate) excluded: BTreeMap<String, Exclusion>,
}

/// Numbers of images.
#[derive(Debug, Serialize)]
pub(crate) struct ImageCounts {
    /// In all.
    pub(crate) all: usize,
    /// In use, by split.
    pub(crate) included: BTreeMap<Split, usize>,
    /// Not in use.
    pub(crate) excluded: usize,
    /// In another split than `ingest` gave them.
    pub(crate) moved: usize,
}

/// Two images with the same content.
#[derive(Debug, Serialize)]
pub(crate) struct CopyPair {
    pub(crate) a: String,
    pub(crate) b: String,
    pub(crate) evidence: Evidence,
    pub(crate) relation: String,
    pub(crate) distance: f64,
}
