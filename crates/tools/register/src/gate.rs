//! Whether a model may become the champion. Numbers only: no server, no files.

use std::collections::HashMap;
use std::fmt;

use metrics::{
    Bootstrap, Difference, Groups, Interval, PairedOutcomes, Predictions, Sample, Scorer, Summary,
    smallest_passing_gain,
};
use services::{BaselineRule, PromotionConfig, PromotionMetric, PromotionTest};

/// The data of the model that may become the champion.
#[derive(Debug)]
pub(crate) struct Challenge<'a> {
    /// Its predictions for images without copies in its training.
    pub(crate) predictions: &'a Predictions,
    /// Whether it beat every baseline.
    pub(crate) beats_baselines: bool,
    /// The present champion, if there is one.
    pub(crate) champion: Option<Champion<'a>>,
}

/// The present champion, on images that neither was trained on.
#[derive(Debug)]
pub(crate) struct Champion<'a> {
    /// Its identity.
    pub(crate) name: ChampionName,
    /// Its predictions.
    pub(crate) predictions: &'a Predictions,
    /// The challenger's predictions for the same images.
    pub(crate) challenger: &'a Predictions,
    /// Which of them belong together: one number for each image.
    pub(crate) groups: &'a [u32],
}

/// The name of a champion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChampionName {
    /// A version of the registered model.
    Version(u64),
    /// The model that was kept for comparison.
    Kept,
}

impl fmt::Display for ChampionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(number) => write!(f, "the champion, version {number}"),
            Self::Kept => f.write_str("the present model"),
        }
    }
}

/// The rules of the gate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    pub(crate) promotion: PromotionConfig,
    pub(crate) bootstrap: Bootstrap,
}

/// The gate's decision.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    /// The reason, in a sentence.
    pub(crate) reason: String,
    /// The model's own score, on the images it was not trained on.
    pub(crate) score: Option<f64>,
    /// The comparison of the two, if there is a champion.
    pub(crate) comparison: Option<Comparison>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Promoted,
    Challenger,
}

impl Outcome {
    /// As `--json` prints it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Challenger => "challenger",
        }
    }
}

/// Two models on the same images.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) against: ChampionName,
    pub(crate) images: usize,
    pub(crate) challenger: Option<f64>,
    pub(crate) champion: Option<f64>,
    pub(crate) gain: Option<f64>,
    pub(crate) interval: Option<Interval>,
    pub(crate) p_value: Option<f64>,
    /// The smallest gain of accuracy, in images, that could pass with this many images; none if
    /// none could.
    pub(crate) smallest_passing_gain: Option<u64>,
}

impl Gate {
    /// Compares a model with the minimum, the baselines and the champion.
    pub(crate) fn judge(&self, challenge: &Challenge<'_>) -> Verdict {
        let score = self.score(&Scorer::new(challenge.predictions));
        let comparison = challenge.champion.as_ref().map(|champion| self.compare(champion));
        let refusal = self
            .too_low(score, challenge.predictions.len())
            .or_else(|| self.beaten_by_a_baseline(challenge.beats_baselines))
            .or_else(|| comparison.as_ref().and_then(|comparison| self.not_better(comparison)));
        let (outcome, reason) = match (refusal, &comparison) {
            (Some(reason), _) => (Outcome::Challenger, reason),
            (None, None) => (Outcome::Promoted, self.first(score)),
            (None, Some(comparison)) => (Outcome::Promoted, self.beats(comparison)),
        };
        Verdict { outcome, reason, score, comparison }
    }

    fn first(&self, score: Option<f64>) -> String {
        format!(
            "there is no champion yet, and {} {} is not below promotion.minimum {}",
            self.metric(),
            shown(score),
            self.promotion.minimum
        )
    }

    fn beats(&self, comparison: &Comparison) -> String {
        format!(
            "{}; p = {} is not above promotion.alpha {}",
            self.in_words(comparison),
            shown_p(comparison.p_value),
            self.promotion.alpha
        )
    }

    fn too_low(&self, score: Option<f64>, images: usize) -> Option<String> {
        let (metric, minimum) = (self.metric(), self.promotion.minimum);
        match score {
            None => Some(format!(
                "{metric} is undefined on the {images} test images that training has no copy of"
            )),
            Some(score) if score < minimum => Some(format!(
                "{metric} {score:.3} on {images} test images that training has no copy of is below \
                 promotion.minimum {minimum}"
            )),
            Some(_) => None,
        }
    }

    fn beaten_by_a_baseline(&self, beats_baselines: bool) -> Option<String> {
        let is_required = self.promotion.baselines == BaselineRule::Require;
        (is_required && !beats_baselines).then(|| {
            "it is not clearly better than every baseline, which promotion.baselines requires"
                .to_owned()
        })
    }

    fn not_better(&self, comparison: &Comparison) -> Option<String> {
        if comparison.images == 0 {
            return Some(format!(
                "nothing can be compared: training of one of the two has a copy of every test \
                 image (the other is {})",
                comparison.against
            ));
        }
        let Some(gain) = comparison.gain else {
            return Some(format!(
                "{} is undefined on the {} images that both can be compared on",
                self.metric(),
                comparison.images
            ));
        };
        let words = self.in_words(comparison);
        let min_gain = self.promotion.min_gain;
        if gain <= 0.0 {
            return Some(format!("{words}; that is no gain"));
        }
        if gain < min_gain {
            return Some(format!("{words}; that is below promotion.min_gain {min_gain}"));
        }
        let alpha = self.promotion.alpha;
        match comparison.p_value {
            Some(p_value) if p_value <= alpha => None,
            p_value => Some(format!(
                "{words}; that could be chance: p = {} is above promotion.alpha {alpha}",
                shown_p(p_value)
            )),
        }
    }

    fn compare(&self, champion: &Champion<'_>) -> Comparison {
        let groups = Groups::of(champion.groups.iter().copied());
        let [challenger, present] = [champion.challenger, champion.predictions].map(Scorer::new);
        let difference = self.difference(&challenger, &present, &groups);
        let p_value = match self.promotion.test {
            PromotionTest::PairedBootstrap => difference.p_value,
            PromotionTest::Mcnemar => Some(
                PairedOutcomes::of(hits(champion.challenger), hits(champion.predictions)).p_value(),
            ),
        };
        Comparison {
            against: champion.name,
            images: champion.challenger.len(),
            challenger: difference.first,
            champion: difference.second,
            gain: difference.difference.value,
            interval: difference.difference.interval,
            p_value,
            smallest_passing_gain: self.smallest_passing_gain(champion.groups),
        }
    }

    fn difference(
        &self,
        challenger: &Scorer<'_>,
        champion: &Scorer<'_>,
        groups: &Groups,
    ) -> Difference {
        let score =
            |scorer: &Scorer<'_>, sample: &Sample| vec![self.pick(&scorer.summary_in(sample))];
        let differences = self.bootstrap.differences(
            groups,
            |sample| score(challenger, sample),
            |sample| score(champion, sample),
        );
        differences[0]
    }

    fn score(&self, scorer: &Scorer<'_>) -> Option<f64> {
        self.pick(&scorer.summary())
    }

    fn pick(&self, summary: &Summary<Option<f64>>) -> Option<f64> {
        match self.promotion.metric {
            PromotionMetric::Accuracy => summary.accuracy,
            PromotionMetric::BalancedAccuracy => summary.balanced_accuracy,
            PromotionMetric::MacroF1 => summary.macro_average.f1,
            PromotionMetric::Auroc => summary.auroc,
            PromotionMetric::AveragePrecision => summary.average_precision,
            PromotionMetric::CohenKappa => summary.cohen_kappa,
            PromotionMetric::MatthewsCorrelation => summary.matthews_correlation,
        }
    }

    /// The smallest number of images by which a model could pass that is right on all images that
    /// the champion is right on; each image is in a separate group as far as there are groups.
    fn smallest_passing_gain(&self, groups: &[u32]) -> Option<u64> {
        let alpha = self.promotion.alpha;
        if self.promotion.test == PromotionTest::Mcnemar {
            return smallest_passing_gain(groups.len() as u64, alpha);
        }
        let order = spread_over(groups);
        let groups = Groups::of(groups.iter().copied());
        let passes = |won: &usize| {
            let mut is_won = vec![false; order.len()];
            order[..*won].iter().for_each(|image| is_won[*image] = true);
            let share = |sample: &Sample| {
                let images = sample.images();
                let won = images.iter().filter(|image| is_won[**image]).count();
                vec![(!images.is_empty()).then(|| won as f64 / images.len() as f64)]
            };
            let nothing = |sample: &Sample| vec![(!sample.images().is_empty()).then_some(0.0)];
            let difference = self.bootstrap.differences(&groups, share, nothing)[0];
            difference.p_value.is_some_and(|p_value| p_value <= alpha)
        };
        // A handful is enough; if this many are not, there are too few groups for any number.
        const MOST_TRIED: usize = 50;
        (1..=order.len().min(MOST_TRIED)).find(passes).map(|won| won as u64)
    }

    /// The score's name in config.yaml, with spaces.
    pub(crate) fn metric(&self) -> &'static str {
        match self.promotion.metric {
            PromotionMetric::Accuracy => "accuracy",
            PromotionMetric::BalancedAccuracy => "balanced accuracy",
            PromotionMetric::MacroF1 => "macro F1",
            PromotionMetric::Auroc => "AUROC",
            PromotionMetric::AveragePrecision => "average precision",
            PromotionMetric::CohenKappa => "Cohen's kappa",
            PromotionMetric::MatthewsCorrelation => "Matthews' correlation",
        }
    }

    fn in_words(&self, comparison: &Comparison) -> String {
        let interval = comparison.interval.map_or_else(String::new, |interval| {
            format!(", 95 % interval {:+.3} to {:+.3}", interval.low, interval.high)
        });
        format!(
            "{} {} against {} of {}, on the same {} images (difference {}{})",
            self.metric(),
            shown(comparison.challenger),
            shown(comparison.champion),
            comparison.against,
            comparison.images,
            comparison.gain.map_or_else(|| "undefined".into(), |gain| format!("{gain:+.3}")),
            interval
        )
    }
}

/// The condition for passing: `with 88 images, a gain in accuracy below 0.045 (4 images) cannot
/// pass`.
impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let images = self.images;
        match self.smallest_passing_gain {
            Some(gain) => write!(
                f,
                "with {images} images, a gain in accuracy below {:.3} ({gain} images) cannot pass",
                gain as f64 / images as f64
            ),
            None => write!(f, "with {images} images, no gain in accuracy could pass"),
        }
    }
}

fn hits(predictions: &Predictions) -> impl Iterator<Item = bool> {
    (0..predictions.len()).map(|image| predictions.predicted(image) == predictions.actual(image))
}

/// All images, ordered so that the first ones are of different groups.
fn spread_over(groups: &[u32]) -> Vec<usize> {
    let mut seen: HashMap<u32, usize> = HashMap::new();
    let mut order: Vec<(usize, usize)> = Vec::with_capacity(groups.len());
    for (image, group) in groups.iter().enumerate() {
        let earlier = seen.entry(*group).or_default();
        order.push((*earlier, image));
        *earlier += 1;
    }
    order.sort_unstable();
    order.into_iter().map(|(_, image)| image).collect()
}

fn shown(score: Option<f64>) -> String {
    score.map_or_else(|| "undefined".into(), |score| format!("{score:.3}"))
}

fn shown_p(p_value: Option<f64>) -> String {
    p_value.map_or_else(|| "undefined".into(), |p_value| format!("{p_value:.4}"))
}

#[cfg(test)]
mod tests {
    use dataset::ClassIndex;

    use super::*;

    /// Two classes in turn; the first `right` images are predicted correctly.
    fn predictions(images: usize, right: impl Fn(usize) -> bool) -> Predictions {
        let row = |image: usize| {
            let actual = image % 2;
            let says_first = (actual == 0) == right(image);
            let p = if says_first { 0.8 } else { 0.2 };
            (ClassIndex(actual), [p, 1.0 - p])
        };
        Predictions::new(2, (0..images).map(row)).unwrap()
    }

    fn gate(change: impl FnOnce(&mut PromotionConfig)) -> Gate {
        let mut promotion = PromotionConfig::default();
        change(&mut promotion);
        Gate { promotion, bootstrap: Bootstrap::of_seed(3) }
    }

    fn judge(gate: &Gate, challenger: &Predictions, champion: Option<&Predictions>) -> Verdict {
        let groups: Vec<u32> = (0..challenger.len() as u32).collect();
        let champion = champion.map(|predictions| Champion {
            name: ChampionName::Version(4),
            predictions,
            challenger,
            groups: &groups,
        });
        let challenge = Challenge { predictions: challenger, beats_baselines: false, champion };
        gate.judge(&challenge)
    }

    #[test]
    fn the_first_model_needs_the_minimum_alone() {
        let gate = gate(|_| ());
        let verdict = judge(&gate, &predictions(20, |image| image < 10), None);
        assert_eq!(verdict.outcome, Outcome::Promoted, "{}", verdict.reason);
        let verdict = judge(&gate, &predictions(20, |image| image < 9), None);
        assert_eq!(verdict.outcome, Outcome::Challenger);
        assert!(verdict.reason.contains("0.450") && verdict.reason.contains("promotion.minimum"));
    }

    #[test]
    fn a_clear_gain_passes_by_either_test_and_a_lucky_one_does_not() {
        let champion = predictions(100, |image| image < 60);
        let clearly = predictions(100, |image| image < 75);
        let luckily = predictions(100, |image| image < 58 || (60..65).contains(&image));
        for test in [PromotionTest::PairedBootstrap, PromotionTest::Mcnemar] {
            let gate = gate(|promotion| promotion.test = test);
            let verdict = judge(&gate, &clearly, Some(&champion));
            assert_eq!(verdict.outcome, Outcome::Promoted, "{test:?}: {}", verdict.reason);
            // 5 won, 2 lost: p = 0.45 by McNemar.
            let verdict = judge(&gate, &luckily, Some(&champion));
            assert_eq!(verdict.outcome, Outcome::Challenger, "{test:?}");
            assert!(verdict.reason.contains("could be chance"), "{}", verdict.reason);
        }
    }

    #[test]
    fn mcnemars_p_value_is_the_exact_one() {
        let gate = gate(|promotion| promotion.test = PromotionTest::Mcnemar);
        let champion = predictions(100, |image| image < 60);
        let verdict = judge(&gate, &predictions(100, |image| image < 66), Some(&champion));
        let comparison = verdict.comparison.unwrap();
        assert!((comparison.p_value.unwrap() - 2.0 / 64.0).abs() < 1e-12, "{comparison:?}");
        assert_eq!(comparison.smallest_passing_gain, Some(6));
        assert_eq!(verdict.outcome, Outcome::Promoted);
    }

    #[test]
    fn the_same_model_is_no_gain() {
        let champion = predictions(40, |image| image < 30);
        let verdict = judge(&gate(|_| ()), &champion, Some(&champion));
        assert_eq!(verdict.outcome, Outcome::Challenger);
        assert!(verdict.reason.ends_with("that is no gain"), "{}", verdict.reason);
    }

    #[test]
    fn a_gain_below_the_least_one_stays_challenger_however_sure() {
        let gate = gate(|promotion| promotion.min_gain = 0.2);
        let champion = predictions(100, |image| image < 60);
        let verdict = judge(&gate, &predictions(100, |image| image < 75), Some(&champion));
        assert_eq!(verdict.outcome, Outcome::Challenger);
        assert!(verdict.reason.contains("promotion.min_gain 0.2"), "{}", verdict.reason);
    }

    #[test]
    fn baselines_stop_a_model_only_where_that_is_asked_for() {
        let gate = gate(|promotion| promotion.baselines = BaselineRule::Require);
        let verdict = judge(&gate, &predictions(20, |_| true), None);
        assert_eq!(verdict.outcome, Outcome::Challenger);
        assert!(verdict.reason.contains("promotion.baselines"), "{}", verdict.reason);
    }

    #[test]
    fn the_smallest_passing_gain_passes_and_one_less_does_not() {
        let gate = gate(|_| ());
        let champion = predictions(60, |image| image < 30);
        let gain = judge(&gate, &champion, Some(&champion)).comparison.unwrap();
        let gain = gain.smallest_passing_gain.unwrap() as usize;
        let by = |gain: usize| {
            judge(&gate, &predictions(60, |image| image < 30 + gain), Some(&champion)).outcome
        };
        assert_eq!((by(gain), by(gain - 1)), (Outcome::Promoted, Outcome::Challenger), "{gain}");
        assert!((3..=6).contains(&gain), "{gain}");
    }

    #[test]
    fn what_stands_together_counts_once() {
        // 15 of 100 images won, but all of one patient.
        let champion = predictions(100, |image| image < 60);
        let challenger = predictions(100, |image| image < 75);
        let groups: Vec<u32> =
            (0..100).map(|image| u32::from(!(60..75).contains(&image))).collect();
        let groups: Vec<u32> =
            groups.iter().enumerate().map(|(at, lone)| lone * (at as u32 + 1)).collect();
        let champion = Champion {
            name: ChampionName::Version(1),
            predictions: &champion,
            challenger: &challenger,
            groups: &groups,
        };
        let challenge =
            Challenge { predictions: &challenger, beats_baselines: true, champion: Some(champion) };
        let verdict = gate(|_| ()).judge(&challenge);
        assert_eq!(verdict.outcome, Outcome::Challenger, "{}", verdict.reason);
    }

    #[test]
    fn nothing_in_common_decides_nothing() {
        let none = predictions(0, |_| true);
        let challenger = predictions(20, |_| true);
        let name = ChampionName::Kept;
        let champion = Champion { name, predictions: &none, challenger: &none, groups: &[] };
        let challenge =
            Challenge { predictions: &challenger, beats_baselines: true, champion: Some(champion) };
        let verdict = gate(|_| ()).judge(&challenge);
        assert_eq!(verdict.outcome, Outcome::Challenger);
        assert!(verdict.reason.contains("nothing can be compared"), "{}", verdict.reason);
    }

    #[test]
    fn images_are_spread_over_groups() {
        assert_eq!(spread_over(&[7, 7, 8, 7, 9]), [0, 2, 4, 1, 3]);
    }
}
