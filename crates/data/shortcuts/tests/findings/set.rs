//! A labelled data set in memory.

use std::io::Cursor;

use dataset::{ClassIndex, ClassIndices, GroupNumber, Split, SplitAudit};
use image::{GrayImage, ImageFormat};
use picture_checks::Facts;
use shortcuts::{Findings, FitError, LabelledPicture, Shortcut, audit_split};

pub(crate) struct Item {
    pub(crate) facts: Facts,
    pub(crate) class: usize,
    pub(crate) split: Split,
    pub(crate) duplicate_group: Option<u32>,
    /// None if it is in a group of its own.
    pub(crate) group: Option<u32>,
}

pub(crate) struct Set {
    pub(crate) names: ClassIndices,
    pub(crate) items: Vec<Item>,
}

impl Item {
    pub(crate) fn new(picture: &GrayImage, class: usize, split: Split) -> Self {
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        let decoded = imaging::decode(png.get_ref()).unwrap();
        let facts = Facts::of(&decoded, png.get_ref().len() as u64);
        Self { facts, class, split, duplicate_group: None, group: None }
    }
}

impl Set {
    fn pictures(&self) -> Vec<LabelledPicture<'_>> {
        let numbered = self.items.iter().enumerate();
        numbered
            .map(|(at, item)| LabelledPicture {
                facts: &item.facts,
                class: ClassIndex(item.class),
                split: item.split,
                duplicate_group: item.duplicate_group.map(GroupNumber),
                group: GroupNumber(item.group.unwrap_or(1_000_000 + at as u32)),
            })
            .collect()
    }

    pub(crate) fn try_findings(&self, seed: u64) -> Result<Findings, FitError> {
        Findings::of(&self.pictures(), &self.names, seed)
    }

    /// The effect of the split, among all classes and among these.
    pub(crate) fn audit(&self, positive: &[usize], seed: u64) -> SplitAudit {
        let positive: Vec<_> = positive.iter().copied().map(ClassIndex).collect();
        audit_split(&self.pictures(), &self.names, &positive, seed)
    }

    pub(crate) fn findings(&self, seed: u64) -> Findings {
        self.try_findings(seed).unwrap()
    }

    /// The claims, and the sentences.
    pub(crate) fn claims(&self, seed: u64) -> Vec<Shortcut> {
        self.findings(seed).report.verdict.shortcuts
    }
}

/// Three in five for training, the others for validation and test, for each class: the number
/// within the class decides.
pub(crate) fn split_of(number_in_class: usize) -> Split {
    match number_in_class % 5 {
        3 => Split::Valid,
        4 => Split::Test,
        _ => Split::Train,
    }
}
