//! Baselines that can know nothing of tumours, and what they score.

use std::collections::BTreeMap;

use dataset::{BaselineKind, BaselinePredictions, ClassIndices, ImageRecord, Split};
use serde::Serialize;

/// What was found.
#[derive(Debug, Serialize)]
pub(crate) struct Shortcuts {
    /// Shortcuts, in words.
    pub(crate) claims: Vec<String>,
    #[serde(skip)]
    pub(crate) predictions: Vec<BaselinePredictions>,
}

impl Shortcuts {
    pub(crate) fn look_for(
        images: &[ImageRecord],
        splits: &[Split],
        classes: &ClassIndices,
    ) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for (image, _) in images.iter().zip(splits).filter(|(_, split)| **split == Split::Train) {
            *counts.entry(&image.class).or_default() += 1;
        }
        let most = counts.iter().max_by_key(|(_, count)| **count).map(|(class, _)| *class);
        let row: Vec<f64> = classes
            .names()
            .iter()
            .map(|name| f64::from(u8::from(Some(name.as_str()) == most)))
            .collect();
        let others = images.iter().zip(splits).filter(|(_, split)| **split != Split::Train);
        let majority = BaselinePredictions {
            name: "majority_class".into(),
            kind: BaselineKind::Majority,
            images: others.map(|(image, _)| (image.path.clone(), row.clone())).collect(),
        };
        Self { claims: vec![], predictions: vec![majority] }
    }

    pub(crate) fn best_in_words(&self) -> (String, String) {
        ("–".into(), "no baseline".into())
    }
}
