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

/// Everything that was found, for programs. A function of the data and the parameters.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// What it means.
    pub(crate) conclusion: &'a Conclusion,
    /// Each kind of finding, its policy and how many there are.
    pub(crate) findings: &'a [Verdict],
    /// The digest of the images that take part: paths, splits, classes, contents.
    pub(crate) data_digest: Digest,
    pub(crate) images: ImageCounts,
    pub(crate) classes: &'a [String],
    pub(crate) copies: &'a CopyCounts,
    pub(crate) leaks: &'a Leaks,
    pub(crate) label_conflicts: &'a [LabelConflict],
    pub(crate) same_scan: &'a SameScan,
    /// Every pair of copies but those of equal files, nearest first.
    pub(crate) copy_pairs: Vec<CopyPair>,
    pub(crate) patients: &'a PatientCounts,
    pub(crate) shortcuts: &'a crate::shortcut::Shortcuts,
    pub(crate) pictures: &'a Pictures,
    pub(crate) balance: &'a ClassBalance,
    pub(crate) intensity: &'a [IntensityStatistics],
    pub(crate) unreadable: &'a [Unreadable],
    /// Images that take no part, by path.
    pub(crate) excluded: BTreeMap<String, Exclusion>,
}

/// How many images there are.
#[derive(Debug, Serialize)]
pub(crate) struct ImageCounts {
    /// In all.
    pub(crate) all: usize,
    /// That take part, by split.
    pub(crate) included: BTreeMap<Split, usize>,
    /// That take no part.
    pub(crate) excluded: usize,
    /// That go to another split than `ingest` gave them.
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
