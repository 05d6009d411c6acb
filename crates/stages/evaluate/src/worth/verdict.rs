//! The verdict on the score, for programs and in words.

use std::collections::BTreeSet;

use dataset::{FEW_OF_A_CLASS, FittedOn};
use metrics::Difference;
use scoring::Unit;
use serde::Serialize;

use super::{Comparison, Contest, Rival};

/// The verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WorthVerdict {
    /// The model is clearly better than every baseline.
    BeatsAllBaselines,
    /// It is clearly better than the baselines, but one of them was fitted on fewer training images
    /// than the model, which may explain the difference.
    BaselinesSawFewer,
    /// It is clearly better than every shortcut, but not than a coarse look at the picture.
    BeatsShortcutsOnly,
    /// A shortcut may do as well.
    NotBetterThanAShortcut,
    /// There is nothing to compare it with.
    NothingToCompare,
    /// A class has so few test images, or patients, that every score is mostly chance.
    TooFewImages,
    /// The model was trained on shuffled labels.
    Control,
}

const NO_BASELINES: &str =
    "There are no baselines on these images, so what the score is worth is not known.";

/// The sentence for a model that was trained on shuffled labels.
const CONTROL: &str = "This model was trained on shuffled labels (train.permute_labels). It is the \
                       control: its score shows what can be scored without learning.";

impl Contest<'_> {
    /// The verdict, and the same in a sentence or two.
    pub(super) fn verdict(
        &self,
        baseline: Option<&Comparison>,
        shortcut: Option<&Comparison>,
        rivals: &[Rival],
    ) -> (WorthVerdict, String) {
        let few = self.few_of();
        let verdict = match WorthVerdict::of(baseline, shortcut, rivals) {
            _ if self.is_control => WorthVerdict::Control,
            WorthVerdict::NothingToCompare => WorthVerdict::NothingToCompare,
            _ if few.is_some() => WorthVerdict::TooFewImages,
            compared => compared,
        };
        (verdict, in_words(verdict, few.as_deref(), [baseline, shortcut], rivals))
    }

    /// Names the classes with too few test images for any verdict, or too few patients if these are
    /// known, in a sentence; `None` if there are none.
    fn few_of(&self) -> Option<String> {
        let unit = match self.test.unit {
            Unit::Slices => "images",
            Unit::Patients => "patients",
        };
        let classes = self.classes.names().iter().enumerate().map(|(index, name)| {
            let images = self.test.images.iter().filter(|image| image.actual.0 == index);
            let count = match self.test.unit {
                Unit::Slices => images.count(),
                Unit::Patients => images.map(|image| image.group).collect::<BTreeSet<_>>().len(),
            };
            (name, count)
        });
        let few: Vec<String> = classes
            .filter(|(_, count)| *count < FEW_OF_A_CLASS)
            .map(|(name, count)| format!("{count} of {name}"))
            .collect();
        (!few.is_empty()).then(|| {
            format!(
                "Fewer than {FEW_OF_A_CLASS} test {unit} of a class show nothing, whatever the score: {}.",
                few.join(", ")
            )
        })
    }
}

impl WorthVerdict {
    fn of(baseline: Option<&Comparison>, shortcut: Option<&Comparison>, rivals: &[Rival]) -> Self {
        let saw_all = rivals.iter().all(|rival| rival.fitted_on.is_all());
        match (baseline.map(Comparison::is_won), shortcut.map(Comparison::is_won)) {
            (None, _) => Self::NothingToCompare,
            (Some(true), _) | (Some(false), Some(true)) if !saw_all => Self::BaselinesSawFewer,
            (Some(true), _) => Self::BeatsAllBaselines,
            (Some(false), Some(true)) => Self::BeatsShortcutsOnly,
            (Some(false), _) => Self::NotBetterThanAShortcut,
        }
    }
}

/// `few` names the classes with too few test images.
fn in_words(
    verdict: WorthVerdict,
    few: Option<&str>,
    [baseline, shortcut]: [Option<&Comparison>; 2],
    rivals: &[Rival],
) -> String {
    let told = |it: Option<&Comparison>| it.map(Comparison::in_words).unwrap_or_default();
    match verdict {
        WorthVerdict::BeatsAllBaselines => {
            format!("The model is better than every baseline; the best is {}.", told(baseline))
        }
        WorthVerdict::BaselinesSawFewer => format!(
            "The model is not shown to be better than the baselines, because some were fitted on \
             fewer training images than the model: {}. As they are, the best is {}.",
            saw_fewer(rivals),
            told(baseline)
        ),
        WorthVerdict::BeatsShortcutsOnly => format!(
            "The model is better than every shortcut, but {} a coarse look at the picture: {}.",
            baseline.map_or("not shown to be better than", Comparison::standing),
            told(baseline)
        ),
        WorthVerdict::NotBetterThanAShortcut => format!(
            "The model is {} a baseline that knows nothing about anatomy: {}. \
             The score does not show that anything about tumours was learnt.",
            shortcut.map_or("not shown to be better than", Comparison::standing),
            told(shortcut)
        ),
        WorthVerdict::NothingToCompare => NO_BASELINES.to_owned(),
        WorthVerdict::TooFewImages => few.unwrap_or_default().to_owned(),
        WorthVerdict::Control => CONTROL.to_owned(),
    }
}

/// `grey histogram 2000 of 5301`, for baselines that did not see every image.
fn saw_fewer(rivals: &[Rival]) -> String {
    let fewer = rivals.iter().filter(|rival| !rival.fitted_on.is_all()).map(|rival| {
        let FittedOn { images, of } = rival.fitted_on;
        format!("{} {images} of {of}", rival.name.replace('_', " "))
    });
    fewer.collect::<Vec<_>>().join(", ")
}

impl Comparison {
    /// How the model compares with a baseline that it does not clearly beat.
    fn standing(&self) -> &'static str {
        match self.accuracy.difference.interval {
            Some(interval) if interval.high < 0.0 => "worse than",
            _ => "not shown to be better than",
        }
    }

    /// `the grey histogram alone (0.664 against 0.517; difference −0.147, 95 % −0.21 to −0.08)`
    fn in_words(&self) -> String {
        let Difference { first, second, difference, .. } = &self.accuracy;
        let score = |value: &Option<f64>| value.map_or("–".into(), |value| format!("{value:.3}"));
        let mut text = format!(
            "{}, {} against the model's {}",
            self.name.replace('_', " "),
            score(second),
            score(first)
        );
        if let (Some(value), Some(interval)) = (difference.value, difference.interval) {
            let difference = format!(
                " (difference {value:+.3}, 95 % interval {:+.3} to {:+.3})",
                interval.low, interval.high
            );
            // A real minus sign: lines are not broken after it.
            text.push_str(&difference.replace('-', "−"));
        }
        text
    }
}
