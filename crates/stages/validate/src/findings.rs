//! All findings about a data set, before any of them is acted on.

use std::collections::{BTreeMap, BTreeSet};

use dataset::{ClassIndices, ImageRecord, Split};
use picture_checks::{
    ClassBalance, Described, Facts, IntensityStatistics, OutlierMeasure, Outliers,
    intensity_statistics,
};
use serde::Serialize;

use crate::groups::Groups;
use crate::images::DecodedImage;
use crate::leaks::{LabelConflict, Leaks, label_conflicts};
use crate::policy::{OddPictures, later_copies};
use crate::ties::{Evidence, Ties};

/// Classes with more than this many times the images of the smallest are out of balance: the
/// accuracy of a guess is then far from that of a fair coin.
const UNBALANCED: f64 = 3.0;

/// The findings.
#[derive(Debug, Clone)]
pub(crate) struct Findings {
    pub(crate) copies: CopyCounts,
    pub(crate) leaks: Leaks,
    pub(crate) label_conflicts: Vec<LabelConflict>,
    pub(crate) same_scan: SameScan,
    pub(crate) pictures: Pictures,
    pub(crate) odd: OddPictures,
    pub(crate) balance: ClassBalance,
    pub(crate) intensity: Vec<IntensityStatistics>,
}

/// The number of copies, in any split.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CopyCounts {
    /// Images.
    pub(crate) images: usize,
    /// Contents that differ by their bytes.
    pub(crate) distinct_files: usize,
    /// Contents that differ by their pixels.
    pub(crate) distinct_pixels: usize,
    /// Contents that are not near copies of each other either.
    pub(crate) distinct_pictures: usize,
    /// Near copies by the kind of change.
    pub(crate) near_copies: BTreeMap<String, usize>,
    /// Training images with the pixels of an earlier one.
    pub(crate) exact_in_training: usize,
    /// Training images that are near copies of an earlier one.
    pub(crate) near_in_training: usize,
}

/// Neighbouring slices.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct SameScan {
    /// Pairs of images that look like neighbouring slices.
    pub(crate) pairs: usize,
    /// Such pairs in different splits.
    pub(crate) pairs_across_splits: usize,
    /// Test images with such a neighbour in training.
    pub(crate) test_images_with_neighbour_in_training: usize,
}

/// Findings about single pictures.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Pictures {
    /// Images that show nothing.
    pub(crate) blank: Vec<String>,
    /// Images unlike all others.
    pub(crate) outliers: Vec<OutlierPicture>,
    /// The usual ranges.
    pub(crate) typical: Vec<picture_checks::TypicalRange>,
    /// Images with text or strokes.
    pub(crate) burnt_in_marks: Vec<MarkedPicture>,
    /// Share of marked images by class, over all splits.
    pub(crate) marked_share: BTreeMap<String, f64>,
}

/// An image unlike all others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct OutlierPicture {
    pub(crate) path: String,
    pub(crate) measure: OutlierMeasure,
    pub(crate) value: f64,
}

/// An image with text or strokes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MarkedPicture {
    pub(crate) path: String,
    pub(crate) marks: Vec<picture_checks::Mark>,
}

impl Findings {
    /// Collects the findings; `splits` are the new splits of the images.
    pub(crate) fn of(
        images: &[ImageRecord],
        splits: &[Split],
        seen: &[DecodedImage],
        ties: &Ties,
        classes: &ClassIndices,
    ) -> Self {
        let facts: Vec<&Facts> = seen.iter().map(|image| &image.facts).collect();
        let described: Vec<Described<'_>> = images
            .iter()
            .zip(&facts)
            .zip(splits)
            .map(|((image, facts), split)| Described {
                facts,
                class: classes.index(&image.class).expect("the classes are those of the images"),
                split: *split,
            })
            .collect();
        let counted = described.iter().map(|image| (image.class, image.split));
        let outliers = Outliers::of(&facts);
        Self {
            copies: CopyCounts::of(splits, ties),
            leaks: Leaks::of(images, splits, ties),
            label_conflicts: label_conflicts(images, splits, ties),
            same_scan: SameScan::of(splits, ties),
            odd: odd_pictures(&facts, &outliers),
            pictures: Pictures::of(images, &facts, outliers),
            balance: ClassBalance::of(classes.len(), counted),
            intensity: intensity_statistics(classes.len(), &described),
        }
    }

    /// How many times the images of the smallest class the largest has in training, if that is too
    /// many.
    pub(crate) fn imbalance(&self) -> Option<f64> {
        let training = self.balance.splits.iter().find(|it| it.split == Split::Train)?;
        training.largest_to_smallest.filter(|ratio| *ratio > UNBALANCED)
    }
}

impl CopyCounts {
    fn of(splits: &[Split], ties: &Ties) -> Self {
        let images = splits.len();
        let distinct = |evidence| Groups::of(images, ties.copies_by(evidence)).members().len();
        let mut near_copies = BTreeMap::new();
        for tie in ties.copies.iter().filter(|tie| tie.evidence == Evidence::Near) {
            *near_copies.entry(tie.changes.clone()).or_default() += 1;
        }
        let exact_in_training = later_copies(splits, ties, Evidence::Pixels).len();
        Self {
            images,
            distinct_files: distinct(Evidence::File),
            distinct_pixels: distinct(Evidence::Pixels),
            distinct_pictures: distinct(Evidence::Near),
            near_copies,
            exact_in_training,
            near_in_training: later_copies(splits, ties, Evidence::Near).len() - exact_in_training,
        }
    }
}

impl SameScan {
    fn of(splits: &[Split], ties: &Ties) -> Self {
        let across = || ties.scan_pairs().filter(|(a, b)| splits[*a] != splits[*b]);
        let tested: BTreeSet<usize> = across()
            .filter_map(|(a, b)| match (splits[a], splits[b]) {
                (Split::Train, Split::Test) => Some(b),
                (Split::Test, Split::Train) => Some(a),
                _ => None,
            })
            .collect();
        Self {
            pairs: ties.scans.len(),
            pairs_across_splits: across().count(),
            test_images_with_neighbour_in_training: tested.len(),
        }
    }
}

fn odd_pictures(facts: &[&Facts], outliers: &Outliers) -> OddPictures {
    let places = |is_odd: fn(&Facts) -> bool| {
        facts.iter().enumerate().filter(|(_, it)| is_odd(it)).map(|(place, _)| place).collect()
    };
    OddPictures {
        blank: places(Facts::is_blank),
        outliers: outliers.outliers.iter().map(|outlier| outlier.image).collect(),
        burnt_in_marks: places(|facts| !facts.marks.is_empty()),
    }
}

impl Pictures {
    fn of(images: &[ImageRecord], facts: &[&Facts], outliers: Outliers) -> Self {
        let pairs = || images.iter().zip(facts);
        let blank = pairs().filter(|(_, facts)| facts.is_blank());
        let marked = pairs().filter(|(_, facts)| !facts.marks.is_empty());
        let mut marked_share: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for (image, facts) in pairs() {
            let (marked, all) = marked_share.entry(image.class.clone()).or_default();
            *marked += f64::from(u8::from(!facts.marks.is_empty()));
            *all += 1.0;
        }
        Self {
            blank: blank.map(|(image, _)| image.path.clone()).collect(),
            outliers: outliers
                .outliers
                .into_iter()
                .map(|outlier| OutlierPicture {
                    path: images[outlier.image].path.clone(),
                    measure: outlier.measure,
                    value: outlier.value,
                })
                .collect(),
            typical: outliers.typical,
            burnt_in_marks: marked
                .map(|(image, facts)| MarkedPicture {
                    path: image.path.clone(),
                    marks: facts.marks.clone(),
                })
                .collect(),
            marked_share: marked_share
                .into_iter()
                .map(|(class, (marked, all))| (class, marked / all))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaks::tests::tie;
    use crate::ties::ScanTie;

    #[test]
    fn copies_are_counted_by_each_kind_of_evidence() {
        let splits = [Split::Train, Split::Train, Split::Train, Split::Test, Split::Train];
        let mut near = tie(2, 4, Evidence::Near);
        near.changes = "mirrored".into();
        let copies = vec![tie(0, 1, Evidence::File), tie(1, 3, Evidence::Pixels), near];
        let counts = CopyCounts::of(&splits, &Ties { copies, scans: vec![] });
        assert_eq!(
            (counts.distinct_files, counts.distinct_pixels, counts.distinct_pictures),
            (4, 3, 2)
        );
        assert_eq!((counts.exact_in_training, counts.near_in_training), (1, 1));
        assert_eq!(counts.near_copies["mirrored"], 1);
    }

    #[test]
    fn a_neighbour_in_training_counts_each_test_image_once() {
        let splits = [Split::Train, Split::Test, Split::Train, Split::Valid];
        let scans = [(0, 1), (1, 2), (2, 3)].map(|(a, b)| ScanTie { a, b, distance: 0.1 }).to_vec();
        let scans = SameScan::of(&splits, &Ties { copies: vec![], scans });
        assert_eq!((scans.pairs, scans.pairs_across_splits), (3, 3));
        assert_eq!(scans.test_images_with_neighbour_in_training, 1);
    }
}
