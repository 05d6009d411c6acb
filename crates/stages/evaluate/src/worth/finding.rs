//! The finding of interest, against everything else: is a shortcut as good at it as the model?

use dataset::{BaselineKind, ClassIndex};
use metrics::{Bootstrap, Difference, Groups, Predictions, Ranking};
use serde::Serialize;

use super::Rival;
use super::words::{difference_in_words, score};

/// A shortcut this close to the model's AUROC counts as equally good.
const AS_GOOD: f64 = 0.02;

/// Below this AUROC a shortcut does not detect the finding, however close the model is to it.
const FINDS: f64 = 0.8;

/// The model and the best shortcut, on the positive classes together against all others.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct FindingContest {
    /// In a sentence.
    pub(crate) in_words: String,
    /// The positive classes.
    pub(crate) classes: Vec<String>,
    /// The shortcut with the highest AUROC on these images: choosing it here favours it.
    pub(crate) shortcut: String,
    /// AUROC of the positive classes' summed probability: model, shortcut, and their difference.
    pub(crate) auroc: Difference,
    /// Whether the shortcut is as good: its AUROC is at least 0.8, and the model's is less than
    /// 0.02 above it or not shown to be above it.
    pub(crate) is_as_good: bool,
}

/// The inputs of the comparison.
pub(super) struct Finding<'a> {
    pub(super) names: &'a [String],
    pub(super) indices: &'a [ClassIndex],
    pub(super) bootstrap: Bootstrap,
    pub(super) groups: &'a Groups,
}

impl FindingContest {
    /// Compares the model with the best of the shortcuts; none if there is no shortcut, or no image
    /// of one of the two kinds.
    pub(super) fn of(finding: &Finding<'_>, model: &Predictions, rivals: &[Rival]) -> Option<Self> {
        let ranking = |predictions| Ranking::against_rest(predictions, finding.indices);
        let shortcuts = rivals.iter().filter(|rival| rival.kind == BaselineKind::Shortcut);
        let ranked = shortcuts.filter_map(|rival| {
            let ranking = ranking(&rival.predictions);
            Some((rival, ranking.auroc()?, ranking))
        });
        let (rival, of_rival, rival_ranking) =
            ranked.reduce(|best, it| if it.1 > best.1 { it } else { best })?;
        let model_ranking = ranking(model);
        let auroc = finding
            .bootstrap
            .differences(
                finding.groups,
                |sample| vec![model_ranking.auroc_in(sample)],
                |sample| vec![rival_ranking.auroc_in(sample)],
            )
            .pop()?;
        let gain = &auroc.difference;
        let is_won = gain.interval.is_some_and(|interval| interval.low > 0.0)
            && gain.value.is_some_and(|value| value >= AS_GOOD);
        let mut contest = Self {
            in_words: String::new(),
            classes: finding.names.to_vec(),
            shortcut: rival.name.clone(),
            auroc,
            is_as_good: of_rival >= FINDS && !is_won,
        };
        contest.in_words = contest.words();
        Some(contest)
    }

    fn words(&self) -> String {
        let spoken = |name: &String| name.replace('_', " ");
        let classes: Vec<String> = self.classes.iter().map(spoken).collect();
        let Difference { first, second, difference, .. } = &self.auroc;
        let is_worse = difference.interval.is_some_and(|interval| interval.high < 0.0);
        let standing = match self.is_as_good {
            true if is_worse => "is better than",
            true => "is as good as",
            false => "is not as good as",
        };
        format!(
            "At distinguishing {} from the rest, {} alone {standing} the model: AUROC {} against \
             {}, difference {}.",
            classes.join(", "),
            spoken(&self.shortcut),
            score(*second),
            score(*first),
            difference_in_words(difference)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 80 images, half of them positive; the score of a positive one is higher by `lead`, plus a
    /// spread that is the same for all.
    fn predictions(lead: f64) -> Predictions {
        let rows = (0..80_u32).map(|number| {
            let is_positive = number % 2 == 0;
            let spread = f64::from(number.wrapping_mul(2_654_435_761) >> 22) / 1024.0 * 0.5;
            let score = spread + if is_positive { lead } else { 0.0 };
            (ClassIndex(usize::from(!is_positive)), [score, 1.0 - score])
        });
        Predictions::new(2, rows).unwrap()
    }

    fn contest(model: f64, shortcut: f64) -> FindingContest {
        let rival = |name: &str, kind, lead| Rival {
            name: name.into(),
            kind,
            fitted_on: dataset::FittedOn::all(80),
            predictions: predictions(lead),
        };
        let rivals = [
            rival("majority_class", BaselineKind::Majority, 0.5),
            rival("grey_histogram", BaselineKind::Shortcut, shortcut),
            rival("frame", BaselineKind::Shortcut, 0.0),
        ];
        let finding = Finding {
            names: &["cancer".to_owned()],
            indices: &[ClassIndex(0)],
            bootstrap: Bootstrap { seed: 17, resamples: 300 },
            groups: &Groups::singletons(80),
        };
        FindingContest::of(&finding, &predictions(model), &rivals).unwrap()
    }

    #[test]
    fn a_shortcut_that_finds_as_much_is_named() {
        let found = contest(0.5, 0.45);
        assert!(found.is_as_good, "{found:?}");
        assert!(
            found
                .in_words
                .starts_with("At distinguishing cancer from the rest, grey histogram alone")
        );
    }

    #[test]
    fn a_shortcut_that_finds_more_is_called_better() {
        let found = contest(0.1, 0.45);
        assert!(found.is_as_good, "{found:?}");
        assert!(
            found.in_words.contains("grey histogram alone is better than the model"),
            "{found:?}"
        );
    }

    #[test]
    fn one_that_finds_less_or_nothing_is_not() {
        assert!(!contest(0.5, 0.2).is_as_good, "0.2 of a spread of 0.5 leaves half mixed");
        assert!(!contest(0.0, 0.0).is_as_good, "neither finds anything");
    }
}
