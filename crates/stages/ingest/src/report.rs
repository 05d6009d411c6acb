//! The results, for `report.json` and for people.

use std::collections::BTreeMap;
use std::path::Path;

use artifact::Digest;
use config::SplitRatios;
use dataset::{MANIFEST_FILE, Manifest, Split};
use serde::Serialize;
use serde_json::json;

use crate::corrections::CorrectionsReport;
use crate::inspect::Unreadable;
use crate::inventory::Unsupported;
use crate::layout::{PassedOver, Reason, unsupported_in_words};
use crate::source::Provenance;
use crate::split::SplitOrigin;

/// The report's name in the folder it describes.
pub(crate) const REPORT_FILE: &str = "report.json";

/// `report.json`. It depends only on the data and on the parameters that affect the result.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) source: Provenance,
    /// The folder of the source that holds the split or class folders.
    pub(crate) data_root: String,
    /// The digest of the manifest: paths, splits, classes, contents.
    pub(crate) data_digest: Digest,
    pub(crate) images: usize,
    pub(crate) splits: BTreeMap<Split, SplitReport>,
    /// How splits were drawn; none if the source has all three.
    pub(crate) draw: Option<Draw>,
    /// Images left out, according to `ingest.on_unreadable: skip`.
    pub(crate) unreadable: Vec<Unreadable>,
    pub(crate) passed_over: Vec<PassedOver>,
    /// Folders that were passed through although their names mention a split, if splits were drawn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) split_like: Vec<String>,
    /// The effect of corrections; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) corrections: Option<CorrectionsReport>,
}

/// One split.
#[derive(Debug, Serialize)]
pub(crate) struct SplitReport {
    pub(crate) origin: SplitOrigin,
    pub(crate) images: usize,
    /// Images of each class; classes without images are listed too.
    pub(crate) classes: BTreeMap<String, usize>,
}

/// The inputs of the splits that were drawn.
#[derive(Debug, Serialize)]
pub(crate) struct Draw {
    pub(crate) seed: u64,
    pub(crate) ratios: SplitRatios,
}

/// Counts the images of each split and class.
pub(crate) fn count_splits(
    manifest: &Manifest,
    origins: &BTreeMap<Split, SplitOrigin>,
) -> BTreeMap<Split, SplitReport> {
    let classes = manifest.classes();
    let count = |(split, origin): (&Split, &SplitOrigin)| {
        let mut counts: BTreeMap<String, usize> =
            classes.names().iter().map(|class| (class.clone(), 0)).collect();
        for record in manifest.split(*split) {
            *counts.entry(record.class.clone()).or_default() += 1;
        }
        let images = counts.values().sum();
        (*split, SplitReport { origin: *origin, images, classes: counts })
    };
    origins.iter().map(count).collect()
}

impl Report {
    /// Writes `report.json` into a folder.
    pub(crate) fn write(&self, folder: &Path) -> artifact::Result<()> {
        artifact::write_json(&folder.join(REPORT_FILE), self)
    }

    /// Logs warnings to read before training on this data.
    pub(crate) fn warn(&self) {
        for (split, report) in &self.splits {
            if report.origin == SplitOrigin::Absent {
                tracing::warn!("there is no {split} split: its share is 0");
                continue;
            }
            for (class, _) in report.classes.iter().filter(|(_, count)| **count == 0) {
                tracing::warn!("the {split} split has no image of class {class}");
            }
        }
        if !self.unreadable.is_empty() {
            let count = self.unreadable.len();
            tracing::warn!("left out {count} unreadable images; {REPORT_FILE} lists them");
        }
        if let Some(first) = self.split_like.first() {
            tracing::warn!(
                "splits were drawn, though {} folders are named like splits, such as {first}: if they \
                 are, name them train, valid and test, side by side",
                self.split_like.len()
            );
        }
        self.warn_of_what_is_not_read();
        if let Some(corrections) = &self.corrections {
            warn_of_corrections(corrections);
        }
    }

    fn warn_of_what_is_not_read(&self) {
        let left_out = |reason| self.passed_over.iter().filter(move |it| it.reason == reason);
        let unsupported = unsupported_in_words(&self.passed_over);
        if let Some(first) = left_out(Reason::UnsupportedFormat).next() {
            let advice = first.format.map_or("convert them", Unsupported::advice);
            tracing::warn!(
                "left out files in formats that are not read: {unsupported}; the first is {}; {advice}",
                first.path
            );
        }
        if let Some(first) = left_out(Reason::DanglingLink).next() {
            let count = left_out(Reason::DanglingLink).count();
            tracing::warn!("left out {count} links to nothing; the first is {}", first.path);
        }
        if let Some(first) = left_out(Reason::DicomWithoutImage).next() {
            let count = left_out(Reason::DicomWithoutImage).count();
            tracing::warn!(
                "left out {count} DICOM files that hold no image (directories, reports, plans); the \
                 first is {}",
                first.path
            );
        }
        let told = [Reason::UnsupportedFormat, Reason::DanglingLink, Reason::DicomWithoutImage];
        let others = self.passed_over.iter().filter(|it| !told.contains(&it.reason));
        let count: usize = others.map(|it| it.files.unwrap_or(1)).sum();
        if count > 0 {
            tracing::info!(
                "passed over {count} files that are no images or are to be ignored; {REPORT_FILE} \
                 lists them"
            );
        }
    }

    /// What scripts ask for: where the images are, and how many in each split and class.
    pub(crate) fn facts(&self, folder: &Path) -> serde_json::Value {
        let counts =
            |split: &SplitReport| json!({"images": split.images, "classes": split.classes});
        let splits = self.splits.iter().map(|(split, it)| (split.name().to_owned(), counts(it)));
        json!({
            "program": "ingest",
            "output": folder,
            "manifest": folder.join(MANIFEST_FILE),
            "report": folder.join(REPORT_FILE),
            "images": self.images,
            "splits": splits.collect::<serde_json::Map<_, _>>(),
        })
    }

    /// A table of classes and splits, and the path of the images.
    pub(crate) fn summary(&self, folder: &Path) -> String {
        let mut rows: Vec<(String, Vec<usize>)> = Vec::new();
        if let Some(train) = self.splits.get(&Split::Train) {
            for class in train.classes.keys() {
                let counts = self.splits.values().map(|split| split.classes[class]).collect();
                rows.push((class.clone(), counts));
            }
        }
        rows.push(("all".to_owned(), self.splits.values().map(|split| split.images).collect()));
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let mut text = format!("{:width$}", "");
        for split in self.splits.keys() {
            text.push_str(&format!("  {:>6}", split.name()));
        }
        text.push('\n');
        for (name, counts) in rows {
            text.push_str(&format!("{name:width$}"));
            for count in counts {
                text.push_str(&format!("  {count:>6}"));
            }
            text.push('\n');
        }
        text.push_str(&format!("{} images in {}\n", self.images, folder.display()));
        if let Some(corrections) = &self.corrections {
            text.push_str(&format!(
                "corrections: {} added to train, {} relabelled there, {} disputed, {} known already\n",
                corrections.added.len(),
                corrections.relabelled.len(),
                corrections.disputed.len(),
                corrections.known.len()
            ));
        }
        text
    }
}

/// Logs the corrections that need attention.
fn warn_of_corrections(report: &CorrectionsReport) {
    if !report.disputed.is_empty() {
        let count = report.disputed.len();
        tracing::warn!(
            "{count} validation and test images have another class than their correction; \
             they keep it, and {REPORT_FILE} lists them for someone to look at"
        );
    }
    if !report.unreadable.is_empty() {
        let count = report.unreadable.len();
        tracing::warn!("left out {count} unreadable corrections; {REPORT_FILE} lists them");
    }
}
