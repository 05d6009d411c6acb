//! Finds images that belong together.

use std::collections::BTreeMap;

use artifact::Digest;
use copies::{Limits, Relation};
use dataset::ImageRecord;
use serde::Serialize;

use crate::images::DecodedImage;

/// Two images with the same content, more or less.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CopyTie {
    /// Position of the first image in the manifest; always the smaller.
    pub(crate) a: usize,
    /// Position of the second.
    pub(crate) b: usize,
    /// The evidence that they are the same.
    pub(crate) evidence: Evidence,
    /// The changes from one to the other, without amounts: `mirrored, resized`.
    pub(crate) changes: String,
    /// The same with amounts.
    pub(crate) relation: String,
    /// Their distance; 0 for the same pixels.
    pub(crate) distance: f64,
}

/// The evidence that two images are the same, from the strongest on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Evidence {
    /// The same bytes.
    File,
    /// The same pixels, in another file.
    Pixels,
    /// The same picture, changed.
    Near,
}

/// Two images that look like neighbouring slices of one scan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScanTie {
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) distance: f64,
}

/// All ties of a data set.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Ties {
    pub(crate) copies: Vec<CopyTie>,
    pub(crate) scans: Vec<ScanTie>,
}

impl Ties {
    /// Finds all of them.
    pub(crate) fn find(images: &[ImageRecord], seen: &[DecodedImage]) -> Self {
        let signatures: Vec<_> = seen.iter().map(|image| image.signature.clone()).collect();
        let mut ties = Self { copies: same_files(images), scans: Vec::new() };
        for pair in copies::find(&signatures, Limits::default()) {
            let (a, b) = (pair.original.min(pair.copy), pair.original.max(pair.copy));
            match pair.relation {
                // Already found by their files.
                Relation::SamePixels if images[a].sha256 == images[b].sha256 => {}
                Relation::SamePixels => ties.copies.push(CopyTie {
                    a,
                    b,
                    evidence: Evidence::Pixels,
                    changes: "same pixels in another file".into(),
                    relation: "the same pixels in another file".into(),
                    distance: 0.0,
                }),
                Relation::Copy { transformation, distance } => {
                    let changes = transformation.changes();
                    let changes: Vec<String> = changes.iter().map(ToString::to_string).collect();
                    ties.copies.push(CopyTie {
                        a,
                        b,
                        evidence: Evidence::Near,
                        changes: changes.join(", "),
                        relation: transformation.to_string(),
                        distance: f64::from(distance),
                    });
                }
                Relation::SameScan { distance } => {
                    ties.scans.push(ScanTie { a, b, distance: f64::from(distance) });
                }
            }
        }
        ties
    }

    /// Pairs of copies with this evidence or stronger.
    pub(crate) fn copies_by(&self, evidence: Evidence) -> impl Iterator<Item = (usize, usize)> {
        self.copies.iter().filter(move |tie| tie.evidence <= evidence).map(|tie| (tie.a, tie.b))
    }

    /// Pairs of neighbouring slices.
    pub(crate) fn scan_pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.scans.iter().map(|tie| (tie.a, tie.b))
    }
}

/// Joins every image to the first one with the same bytes.
fn same_files(images: &[ImageRecord]) -> Vec<CopyTie> {
    let mut first: BTreeMap<Digest, usize> = BTreeMap::new();
    let mut ties = Vec::new();
    for (b, image) in images.iter().enumerate() {
        let a = *first.entry(image.sha256).or_insert(b);
        if a < b {
            ties.push(CopyTie {
                a,
                b,
                evidence: Evidence::File,
                changes: "same file".into(),
                relation: "the same file".into(),
                distance: 0.0,
            });
        }
    }
    ties
}
