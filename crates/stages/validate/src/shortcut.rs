//! Baselines that cannot know anything about tumours, and their scores.

use anyhow::{Context, Result};
use dataset::{
    BaselineKind, BaselinePredictions, ClassIndices, Exclusion, GroupNumber, ImageRecord, Split,
    SplitAudit,
};
use serde::Serialize;
use shortcuts::{LabelledPicture, Scores, Shortcut, ShortcutReport};

use crate::groups::Groups;
use crate::images::DecodedImage;

/// The results.
#[derive(Debug, Serialize)]
pub(crate) struct Shortcuts {
    #[serde(flatten)]
    pub(crate) report: ShortcutReport,
    /// Shortcuts, in sentences: first those that distinguish a class from most others, and most
    /// clearly.
    #[serde(skip)]
    pub(crate) claims: Vec<String>,
    #[serde(skip)]
    pub(crate) predictions: Vec<BaselinePredictions>,
}

/// The images, and their splits after validation.
#[derive(Clone, Copy)]
pub(crate) struct PlacedImages<'a> {
    pub(crate) images: &'a [ImageRecord],
    pub(crate) seen: &'a [DecodedImage],
    pub(crate) splits: &'a [Split],
    pub(crate) excluded: &'a [Option<Exclusion>],
    /// Images that splits must keep together.
    pub(crate) groups: &'a Groups,
    /// The group of copies of an image, if any.
    pub(crate) duplicate_groups: &'a [Option<GroupNumber>],
}

/// The best score without looking at the anatomy.
pub(crate) struct BestBaseline<'a> {
    pub(crate) looks_at: &'a str,
    pub(crate) scores: &'a Scores,
}

impl<'a> PlacedImages<'a> {
    /// The positions of the images in use.
    fn included(&self) -> Vec<usize> {
        (0..self.images.len()).filter(|at| self.excluded[*at].is_none()).collect()
    }

    fn pictures(&self, places: &[usize], classes: &ClassIndices) -> Vec<LabelledPicture<'a>> {
        let picture = |at: &usize| LabelledPicture {
            facts: &self.seen[*at].facts,
            class: classes
                .index(&self.images[*at].class)
                .expect("the classes are those of the images"),
            split: self.splits[*at],
            duplicate_group: self.duplicate_groups[*at],
            group: self.groups.of_image(*at),
        };
        places.iter().map(picture).collect()
    }

    /// The effect of the split on the scores of simple baselines, among all classes and among those
    /// of `positive` that have images.
    pub(crate) fn audit_split(
        &self,
        classes: &ClassIndices,
        positive: &[String],
        seed: u64,
    ) -> SplitAudit {
        let pictures = self.pictures(&self.included(), classes);
        let positive: Vec<_> =
            positive.iter().filter_map(|class| classes.index(class).ok()).collect();
        shortcuts::audit_split(&pictures, classes, &positive, seed)
    }
}

impl Shortcuts {
    /// Fits the baselines on the training images in use, and scores them on the others.
    ///
    /// # Errors
    /// When there are no training images.
    pub(crate) fn look_for(
        placed: &PlacedImages<'_>,
        classes: &ClassIndices,
        seed: u64,
    ) -> Result<Self> {
        let places = placed.included();
        let findings = shortcuts::Findings::of(&placed.pictures(&places, classes), classes, seed)
            .context("fit the baselines that do not see the anatomy")?;
        let predictions = findings.by_path(|at| placed.images[places[at]].path.clone());
        let mut shortcuts: Vec<_> = findings.report.verdict.shortcuts.iter().collect();
        let clearest = |it: &Shortcut| (it.others.len(), it.lowest_auroc);
        shortcuts.sort_by(|a, b| {
            let (a, b) = (clearest(a), clearest(b));
            b.0.cmp(&a.0).then(b.1.total_cmp(&a.1))
        });
        let claims = shortcuts.into_iter().map(|shortcut| shortcut.in_words.clone()).collect();
        Ok(Self { report: findings.report, claims, predictions })
    }

    /// The baseline without knowledge of the anatomy that has the highest accuracy on the test
    /// images; of equals the first. None if there are no test images.
    pub(crate) fn best(&self) -> Option<BestBaseline<'_>> {
        self.report
            .baselines
            .iter()
            .filter(|it| it.kind != BaselineKind::CoarseLook)
            .filter_map(|it| {
                let test = it.scores.iter().find(|scores| scores.split == Split::Test)?;
                Some(BestBaseline { looks_at: &it.looks_at, scores: &test.all })
            })
            .reduce(|best, it| if it.scores.accuracy > best.scores.accuracy { it } else { best })
    }
}
