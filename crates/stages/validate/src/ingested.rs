//! The report of `ingest`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dataset::{ImageRecord, Split};
use serde::Deserialize;

/// The part of `artifacts/data_ingestion/report.json` that is used here.
#[derive(Debug, Deserialize)]
pub(crate) struct IngestReport {
    splits: BTreeMap<Split, SplitReport>,
    /// Files that were left out because they could not be decoded.
    pub(crate) unreadable: Vec<Unreadable>,
    /// Images whose class a person corrected.
    corrections: Option<Corrections>,
}

#[derive(Debug, Deserialize)]
struct Corrections {
    added: Vec<Corrected>,
    relabelled: Vec<Corrected>,
}

#[derive(Debug, Deserialize)]
struct Corrected {
    path: String,
}

#[derive(Debug, Deserialize)]
struct SplitReport {
    origin: String,
}

/// A file that `ingest` left out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
pub(crate) struct Unreadable {
    pub(crate) path: String,
    pub(crate) reason: String,
}

impl IngestReport {
    /// Reads the report in the folder that `ingest` wrote.
    pub(crate) fn read(folder: &Path) -> artifact::Result<Self> {
        artifact::read_json(&folder.join("report.json"))
    }

    /// Which images must stay in training: those that corrections added or relabelled. The
    /// corrected model has seen them, or they became known through it, so they cannot test another
    /// model.
    pub(crate) fn bound_to_training(&self, images: &[ImageRecord]) -> Vec<bool> {
        let corrections = self.corrections.iter();
        let corrected = corrections.flat_map(|it| it.added.iter().chain(&it.relabelled));
        let paths: BTreeSet<&str> = corrected.map(|image| image.path.as_str()).collect();
        images.iter().map(|image| paths.contains(image.path.as_str())).collect()
    }

    /// The splits whose images `ingest` chose itself. If it drew any, it drew them from the
    /// training images, which then count as its choice too.
    pub(crate) fn drawn_splits(&self) -> Vec<Split> {
        let is_drawn = |report: &SplitReport| report.origin == "drawn";
        if !self.splits.values().any(is_drawn) {
            return Vec::new();
        }
        let mut drawn: Vec<Split> =
            self.splits.iter().filter(|(_, report)| is_drawn(report)).map(|(it, _)| *it).collect();
        if !drawn.contains(&Split::Train) {
            drawn.push(Split::Train);
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(splits: &str) -> Vec<Split> {
        let text = format!("{{\"splits\": {splits}, \"unreadable\": [], \"images\": 3}}");
        let report: IngestReport = serde_json::from_str(&text).unwrap();
        report.drawn_splits()
    }

    #[test]
    fn a_source_with_all_splits_leaves_nothing_to_move() {
        let splits = r#"{"train": {"origin": "folder"}, "test": {"origin": "folder"}}"#;
        assert!(drawn(splits).is_empty());
    }

    #[test]
    fn what_was_drawn_came_out_of_training() {
        let splits = r#"{"train": {"origin": "folder"}, "valid": {"origin": "drawn"}, "test": {"origin": "folder"}}"#;
        assert_eq!(drawn(splits), [Split::Valid, Split::Train]);
    }
}
