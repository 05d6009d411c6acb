//! Copies in more than one split, and contents with more than one label.

use std::collections::{BTreeMap, BTreeSet};

use dataset::{ImageRecord, Split};
use serde::Serialize;

use crate::groups::Groups;
use crate::ties::{Evidence, Ties};

/// Copies across splits, by kind of evidence; each count includes those of stronger evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Leaks {
    /// By equal files.
    pub(crate) by_file: LeakCount,
    /// By equal pixels as well.
    pub(crate) by_pixels: LeakCount,
    /// By near copies as well.
    pub(crate) by_near_copies: LeakCount,
}

/// Copies across splits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct LeakCount {
    /// Contents that are in more than one split.
    pub(crate) contents_in_several_splits: usize,
    /// Validation images with a copy in training, by class.
    pub(crate) valid_images: BTreeMap<String, usize>,
    /// Test images with a copy in training, by class.
    pub(crate) test_images: BTreeMap<String, usize>,
    /// Test images with a copy in validation and none in training.
    pub(crate) test_images_only_in_valid: usize,
}

/// One content with more than one label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LabelConflict {
    /// The weakest evidence that its images are the same.
    pub(crate) evidence: Evidence,
    /// The images and their labels.
    pub(crate) images: Vec<LabelledPath>,
}

/// An image and its class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LabelledPath {
    pub(crate) path: String,
    pub(crate) class: String,
    pub(crate) split: Split,
}

impl Leaks {
    /// Counts; `splits` are the new splits of the images.
    pub(crate) fn of(images: &[ImageRecord], splits: &[Split], ties: &Ties) -> Self {
        let count = |evidence| {
            let groups = Groups::of(images.len(), ties.copies_by(evidence));
            LeakCount::of(images, splits, &groups)
        };
        Self {
            by_file: count(Evidence::File),
            by_pixels: count(Evidence::Pixels),
            by_near_copies: count(Evidence::Near),
        }
    }
}

impl LeakCount {
    fn of(images: &[ImageRecord], splits: &[Split], groups: &Groups) -> Self {
        let mut count = Self::default();
        for members in groups.members() {
            let present: BTreeSet<Split> = members.iter().map(|image| splits[*image]).collect();
            if present.len() < 2 {
                continue;
            }
            count.contents_in_several_splits += 1;
            for image in members {
                let in_training = present.contains(&Split::Train);
                let counted = match (splits[image], in_training) {
                    (Split::Valid, true) => &mut count.valid_images,
                    (Split::Test, true) => &mut count.test_images,
                    (Split::Test, false) => {
                        count.test_images_only_in_valid += 1;
                        continue;
                    }
                    _ => continue,
                };
                *counted.entry(images[image].class.clone()).or_default() += 1;
            }
        }
        count
    }

    /// Validation and test images with a copy in training.
    pub(crate) fn leaked(&self) -> usize {
        self.valid_images.values().chain(self.test_images.values()).sum()
    }

    /// Test images with a copy in training.
    pub(crate) fn leaked_test_images(&self) -> usize {
        self.test_images.values().sum()
    }

    /// Validation images with a copy in training.
    pub(crate) fn leaked_valid_images(&self) -> usize {
        self.valid_images.values().sum()
    }
}

/// The contents with more than one label, by the strongest evidence that shows it.
pub(crate) fn label_conflicts(
    images: &[ImageRecord],
    splits: &[Split],
    ties: &Ties,
) -> Vec<LabelConflict> {
    let mut conflicts = Vec::new();
    let mut told: BTreeSet<usize> = BTreeSet::new();
    for evidence in [Evidence::File, Evidence::Pixels, Evidence::Near] {
        for members in Groups::of(images.len(), ties.copies_by(evidence)).members() {
            let classes: BTreeSet<&str> =
                members.iter().map(|image| images[*image].class.as_str()).collect();
            if classes.len() < 2 || members.iter().all(|image| told.contains(image)) {
                continue;
            }
            told.extend(&members);
            let labelled = members.iter().map(|image| LabelledPath {
                path: images[*image].path.clone(),
                class: images[*image].class.clone(),
                split: splits[*image],
            });
            conflicts.push(LabelConflict { evidence, images: labelled.collect() });
        }
    }
    conflicts
}

#[cfg(test)]
pub(crate) mod tests {
    use artifact::Digest;

    use super::*;
    use crate::ties::CopyTie;

    pub(crate) fn image(number: usize, class: &str, split: Split) -> ImageRecord {
        ImageRecord {
            path: format!("{split}/{class}/{number}.png"),
            split,
            class: class.into(),
            sha256: Digest::of(&number.to_le_bytes()),
            width: 1,
            height: 1,
        }
    }

    pub(crate) fn tie(a: usize, b: usize, evidence: Evidence) -> CopyTie {
        let (changes, relation) = (String::new(), String::new());
        CopyTie { a, b, evidence, changes, relation, distance: 0.0 }
    }

    fn leaks(images: &[ImageRecord], copies: Vec<CopyTie>) -> Leaks {
        let splits: Vec<Split> = images.iter().map(|image| image.split).collect();
        Leaks::of(images, &splits, &Ties { copies, scans: vec![] })
    }

    #[test]
    fn a_leak_counts_images_outside_training_by_class() {
        let images = [
            image(0, "a", Split::Train),
            image(1, "a", Split::Test),
            image(2, "a", Split::Test),
            image(3, "b", Split::Valid),
            image(4, "b", Split::Test),
            image(5, "b", Split::Train),
        ];
        let copies = vec![
            tie(0, 1, Evidence::File),
            tie(0, 2, Evidence::Pixels),
            tie(3, 4, Evidence::File),
            tie(3, 5, Evidence::Near),
        ];
        let leaks = leaks(&images, copies);
        assert_eq!(leaks.by_file.contents_in_several_splits, 2);
        assert_eq!(leaks.by_file.leaked_test_images(), 1);
        assert_eq!(leaks.by_file.test_images_only_in_valid, 1);
        assert_eq!(leaks.by_pixels.test_images["a"], 2);
        assert_eq!(leaks.by_near_copies.valid_images["b"], 1);
        assert_eq!(leaks.by_near_copies.test_images["b"], 1);
        assert_eq!(leaks.by_near_copies.leaked(), 4);
    }

    #[test]
    fn copies_within_a_split_are_no_leak() {
        let images = [image(0, "a", Split::Train), image(1, "a", Split::Train)];
        let leaks = leaks(&images, vec![tie(0, 1, Evidence::File)]);
        assert_eq!(leaks.by_near_copies, LeakCount::default());
    }

    #[test]
    fn a_conflict_is_told_once_by_its_surest_evidence() {
        let images = [
            image(0, "a", Split::Train),
            image(1, "b", Split::Train),
            image(2, "a", Split::Test),
            image(3, "b", Split::Test),
        ];
        let splits: Vec<Split> = images.iter().map(|image| image.split).collect();
        let copies = vec![tie(0, 1, Evidence::File), tie(2, 3, Evidence::Near)];
        let conflicts = label_conflicts(&images, &splits, &Ties { copies, scans: vec![] });
        let evidence: Vec<_> = conflicts.iter().map(|conflict| conflict.evidence).collect();
        assert_eq!(evidence, [Evidence::File, Evidence::Near]);
    }
}
