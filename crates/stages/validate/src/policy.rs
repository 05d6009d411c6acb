//! The consequences of findings: images left out, warnings, failure.

use std::collections::{BTreeMap, BTreeSet};

use config::{FindingPolicy, NoticePolicy, ValidationPolicy};
use dataset::{Exclusion, ImageRecord, Split};
use serde::Serialize;

use crate::groups::Groups;
use crate::ties::{Evidence, Ties};

/// Images with an unusual picture, by their position in the manifest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OddPictures {
    pub(crate) blank: BTreeSet<usize>,
    pub(crate) outliers: BTreeSet<usize>,
    pub(crate) burnt_in_marks: BTreeSet<usize>,
}

/// A kind of finding, its policy in the configuration, and its count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    /// The key below `validation.policy`.
    pub(crate) finding: &'static str,
    pub(crate) policy: Policy,
    /// Number of findings; 0 if there are none.
    pub(crate) count: usize,
    /// The finding in words.
    pub(crate) in_words: String,
}

/// The policy in the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Policy {
    Ignore,
    Warn,
    Drop,
    Fail,
}

impl From<FindingPolicy> for Policy {
    fn from(policy: FindingPolicy) -> Self {
        match policy {
            FindingPolicy::Ignore => Self::Ignore,
            FindingPolicy::Warn => Self::Warn,
            FindingPolicy::Drop => Self::Drop,
            FindingPolicy::Fail => Self::Fail,
        }
    }
}

impl From<NoticePolicy> for Policy {
    fn from(policy: NoticePolicy) -> Self {
        match policy {
            NoticePolicy::Ignore => Self::Ignore,
            NoticePolicy::Warn => Self::Warn,
            NoticePolicy::Fail => Self::Fail,
        }
    }
}

/// Leaving images out would leave a class without any.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "leave out images of class {class}: validation.policy drops all of its {images} training \
     images; set those findings to warn, or resplit"
)]
pub(crate) struct ClassLost {
    class: String,
    images: usize,
}

/// Why each image is left out, if it is. Of several reasons only the first in the order below is
/// kept: a conflict before a leak before a copy.
///
/// # Errors
/// When a class would have no training images left.
pub(crate) fn exclusions(
    images: &[ImageRecord],
    splits: &[Split],
    ties: &Ties,
    odd: &OddPictures,
    policy: &ValidationPolicy,
) -> Result<Vec<Option<Exclusion>>, ClassLost> {
    let mut excluded = vec![None; images.len()];
    let mut drop = |policy: FindingPolicy, reason: Exclusion, concerned: BTreeSet<usize>| {
        if policy != FindingPolicy::Drop {
            return;
        }
        for image in concerned.into_iter().filter(|image| splits[*image] == Split::Train) {
            excluded[image].get_or_insert(reason);
        }
    };
    drop(policy.label_conflicts, Exclusion::LabelConflict, in_conflict(images, ties));
    drop(policy.leaks, Exclusion::Leak, in_several_splits(splits, ties));
    drop(policy.blank, Exclusion::Blank, odd.blank.clone());
    drop(policy.exact_copies, Exclusion::ExactCopy, later_copies(splits, ties, Evidence::Pixels));
    drop(policy.near_copies, Exclusion::NearCopy, later_copies(splits, ties, Evidence::Near));
    drop(policy.outliers, Exclusion::Outlier, odd.outliers.clone());
    drop(policy.burnt_in_marks, Exclusion::BurntInMark, odd.burnt_in_marks.clone());
    refuse_lost_classes(images, splits, &excluded)?;
    Ok(excluded)
}

fn in_conflict(images: &[ImageRecord], ties: &Ties) -> BTreeSet<usize> {
    let groups = Groups::of(images.len(), ties.copies_by(Evidence::Near)).members();
    let is_conflict = |members: &Vec<usize>| {
        members.iter().any(|image| images[*image].class != images[members[0]].class)
    };
    groups.into_iter().filter(is_conflict).flatten().collect()
}

fn in_several_splits(splits: &[Split], ties: &Ties) -> BTreeSet<usize> {
    let groups = Groups::of(splits.len(), ties.copies_by(Evidence::Near)).members();
    let is_leak =
        |members: &Vec<usize>| members.iter().any(|image| splits[*image] != splits[members[0]]);
    groups.into_iter().filter(is_leak).flatten().collect()
}

/// Training images with a copy among earlier training images.
pub(crate) fn later_copies(splits: &[Split], ties: &Ties, evidence: Evidence) -> BTreeSet<usize> {
    let groups = Groups::of(splits.len(), ties.copies_by(evidence)).members();
    groups
        .into_iter()
        .flat_map(|members| {
            members.into_iter().filter(|image| splits[*image] == Split::Train).skip(1)
        })
        .collect()
}

fn refuse_lost_classes(
    images: &[ImageRecord],
    splits: &[Split],
    excluded: &[Option<Exclusion>],
) -> Result<(), ClassLost> {
    let mut left: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (index, image) in images.iter().enumerate().filter(|(it, _)| splits[*it] == Split::Train) {
        let (all, kept) = left.entry(&image.class).or_default();
        *all += 1;
        *kept += usize::from(excluded[index].is_none());
    }
    match left.into_iter().find(|(_, (_, kept))| *kept == 0) {
        Some((class, (images, _))) => Err(ClassLost { class: class.to_owned(), images }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaks::tests::{image, tie};

    fn policy(change: impl FnOnce(&mut ValidationPolicy)) -> ValidationPolicy {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../params.yaml");
        let mut policy = config::Params::load(file.as_ref()).unwrap().validation.policy;
        change(&mut policy);
        policy
    }

    fn images() -> Vec<ImageRecord> {
        vec![
            image(0, "a", Split::Train),
            image(1, "a", Split::Train),
            image(2, "a", Split::Test),
            image(3, "b", Split::Train),
            image(4, "b", Split::Train),
        ]
    }

    fn ties() -> Ties {
        let copies = vec![tie(0, 2, Evidence::File), tie(3, 4, Evidence::Near)];
        Ties { copies, scans: vec![] }
    }

    fn excluded(policy: &ValidationPolicy) -> Vec<Option<Exclusion>> {
        let images = images();
        let splits: Vec<Split> = images.iter().map(|image| image.split).collect();
        exclusions(&images, &splits, &ties(), &OddPictures::default(), policy).unwrap()
    }

    #[test]
    fn a_warning_leaves_everything_in() {
        assert_eq!(excluded(&policy(|_| {})), [None; 5]);
    }

    #[test]
    fn only_the_training_side_of_a_leak_goes() {
        let found = excluded(&policy(|policy| policy.leaks = FindingPolicy::Drop));
        assert_eq!(found, [Some(Exclusion::Leak), None, None, None, None]);
    }

    #[test]
    fn of_copies_in_training_the_first_stays() {
        let near = excluded(&policy(|policy| policy.near_copies = FindingPolicy::Drop));
        assert_eq!(near, [None, None, None, None, Some(Exclusion::NearCopy)]);
        let exact = excluded(&policy(|policy| policy.exact_copies = FindingPolicy::Drop));
        assert_eq!(exact, [None; 5]);
    }

    #[test]
    fn a_class_is_never_dropped_whole() {
        let images = [image(0, "a", Split::Train), image(1, "a", Split::Test)];
        let ties = Ties { copies: vec![tie(0, 1, Evidence::File)], scans: vec![] };
        let drop = policy(|policy| policy.leaks = FindingPolicy::Drop);
        let splits = [Split::Train, Split::Test];
        let error = exclusions(&images, &splits, &ties, &OddPictures::default(), &drop);
        assert_eq!(error, Err(ClassLost { class: "a".into(), images: 1 }));
    }
}
