//! A threshold on a score, chosen for a specificity, with its sensitivity and specificity.

use serde::{Deserialize, Serialize};

use crate::predictions::BinaryScore;
use crate::proportion::Proportion;
use crate::ranking::{Called, Ranking};

/// The threshold with the highest sensitivity that keeps a required specificity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// Images with at least this score are called positive. It is midway between two scores that
    /// occur, so that rounding does not affect any image.
    pub threshold: f64,
    /// The requested specificity.
    pub required_specificity: f64,
    /// How many negative images may be called positive before the requirement fails. 0 means that
    /// there are so few negatives that only a flawless threshold meets it.
    pub tolerated_false_positives: u64,
    /// Of the positive images, those found.
    pub sensitivity: Proportion,
    /// Of the negative images, those called negative. On these images never below the requirement.
    pub specificity: Proportion,
}

/// Why there is no such threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "reason", rename_all = "snake_case", deny_unknown_fields)]
pub enum NoOperatingPoint {
    /// There are no positive images.
    #[error("there are no positive images to find")]
    NoPositives,
    /// There are no negative images.
    #[error("there are no negative images to leave alone")]
    NoNegatives,
    /// Too many negatives score as high as the highest positive.
    #[error(
        "no threshold finds a single positive image at a specificity of {required}: the highest \
         that does has {best}, with {negatives} negatives"
    )]
    OutOfReach {
        /// The requested specificity.
        required: f64,
        /// The highest specificity at which a positive image is found.
        best: f64,
        /// Negative images.
        negatives: u64,
    },
}

/// Sensitivity and specificity of a given threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtThreshold {
    /// Of the positive images, those with at least this score; `None` if there are none.
    pub sensitivity: Option<Proportion>,
    /// Of the negative images, those with a lower score; `None` if there are none.
    pub specificity: Option<Proportion>,
}

impl OperatingPoint {
    /// Chooses the threshold on the ranked images. Of those with the highest sensitivity at a
    /// specificity of at least `required_specificity`, it is the one with the highest specificity.
    ///
    /// # Errors
    /// When there are no positive or no negative images, or none of the positives can be found.
    pub fn at_specificity(
        ranking: &Ranking,
        required_specificity: f64,
    ) -> Result<Self, NoOperatingPoint> {
        let steps: Vec<(f64, Called)> = ranking.called().collect();
        let all = steps.last().map_or(Called { positives: 0, negatives: 0 }, |(_, all)| *all);
        if all.positives == 0 {
            return Err(NoOperatingPoint::NoPositives);
        }
        if all.negatives == 0 {
            return Err(NoOperatingPoint::NoNegatives);
        }
        let specificity =
            |called: Called| (all.negatives - called.negatives) as f64 / all.negatives as f64;
        // Going down, the sensitivity never falls and the specificity never rises: the last step
        // that gains a positive within the requirement is the choice.
        let gains = |&index: &usize| {
            let before = index.checked_sub(1).map_or(0, |before| steps[before].1.positives);
            steps[index].1.positives > before
        };
        let first = (0..steps.len()).find(gains).expect("there are positives");
        let chosen = (first..steps.len())
            .take_while(|&index| specificity(steps[index].1) >= required_specificity)
            .filter(gains)
            .last();
        let Some(chosen) = chosen else {
            return Err(NoOperatingPoint::OutOfReach {
                required: required_specificity,
                best: specificity(steps[first].1),
                negatives: all.negatives,
            });
        };
        let (score, called) = steps[chosen];
        let share = |hits, of| Proportion::new(hits, of).expect("neither kind is empty");
        Ok(Self {
            threshold: steps.get(chosen + 1).map_or(score, |(below, _)| midway(*below, score)),
            required_specificity,
            tolerated_false_positives: tolerated(all.negatives, required_specificity),
            sensitivity: share(called.positives, all.positives),
            specificity: share(all.negatives - called.negatives, all.negatives),
        })
    }
}

impl AtThreshold {
    /// Counts images on both sides of `threshold`; those at it are called positive.
    pub fn of(scores: &[BinaryScore], threshold: f64) -> Self {
        let count = |wanted: fn(&BinaryScore, f64) -> bool| {
            scores.iter().filter(|image| wanted(image, threshold)).count() as u64
        };
        let positives = count(|image, _| image.is_positive());
        let found = count(|image, threshold| image.is_positive() && image.score() >= threshold);
        let negatives = scores.len() as u64 - positives;
        let alarms = count(|image, threshold| !image.is_positive() && image.score() >= threshold);
        Self {
            sensitivity: Proportion::new(found, positives),
            specificity: Proportion::new(negatives - alarms, negatives),
        }
    }
}

/// A number above `low` and at most `high`.
fn midway(low: f64, high: f64) -> f64 {
    let middle = low + (high - low) / 2.0;
    // Two neighbouring floats have nothing between them, and the distance of huge ones is infinite.
    if middle > low && middle <= high { middle } else { high }
}

/// The most of `negatives` that may be called positive at a specificity of `required`.
fn tolerated(negatives: u64, required: f64) -> u64 {
    let keeps = |alarms: &u64| (negatives - alarms) as f64 / negatives as f64 >= required;
    (0..=negatives).take_while(keeps).last().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(negatives: &[f64], positives: &[f64]) -> Vec<BinaryScore> {
        let score = |positive| move |&score: &f64| BinaryScore::new(score, positive).unwrap();
        negatives.iter().map(score(false)).chain(positives.iter().map(score(true))).collect()
    }

    fn choose(
        negatives: &[f64],
        positives: &[f64],
        required: f64,
    ) -> Result<OperatingPoint, NoOperatingPoint> {
        let scores = scores(negatives, positives);
        OperatingPoint::at_specificity(&Ranking::new(&scores), required)
    }

    /// Ten negatives at 0.0, 0.1 … 0.9.
    fn tenths() -> Vec<f64> {
        (0..10).map(|tenth| f64::from(tenth) / 10.0).collect()
    }

    #[test]
    fn the_threshold_finds_most_within_the_specificity_and_lies_between_scores() {
        let chosen = choose(&tenths(), &[0.25, 0.75, 0.85, 0.95], 0.9).unwrap();
        // 0.95 and 0.85 cost the one negative at 0.9; 0.75 would cost that at 0.8 too.
        assert_eq!((chosen.sensitivity.hits, chosen.sensitivity.of), (2, 4));
        assert_eq!((chosen.specificity.hits, chosen.specificity.of), (9, 10));
        assert!((chosen.threshold - 0.825).abs() < 1e-12, "{}", chosen.threshold);
        assert_eq!(chosen.tolerated_false_positives, 1);

        let stricter = choose(&tenths(), &[0.25, 0.75, 0.85, 0.95], 0.95).unwrap();
        assert_eq!((stricter.sensitivity.hits, stricter.specificity.hits), (1, 10));
        assert!((stricter.threshold - 0.925).abs() < 1e-12, "{}", stricter.threshold);
        assert_eq!(stricter.tolerated_false_positives, 0);
    }

    #[test]
    fn no_negative_is_given_away_for_nothing() {
        // At 0.9 one of ten may be called positive, but that would find no further positive.
        let chosen = choose(&tenths(), &[0.95], 0.9).unwrap();
        assert_eq!((chosen.sensitivity.share, chosen.specificity.share), (1.0, 1.0));
    }

    #[test]
    fn ties_are_called_together() {
        let chosen = choose(&[0.1, 0.2, 0.3, 0.5], &[0.5, 0.8], 0.9).unwrap();
        assert_eq!((chosen.sensitivity.hits, chosen.specificity.hits), (1, 4));
        let looser = choose(&[0.1, 0.2, 0.3, 0.5], &[0.5, 0.8], 0.75).unwrap();
        assert_eq!((looser.sensitivity.hits, looser.specificity.hits), (2, 3));
        assert!((looser.threshold - 0.4).abs() < 1e-12, "{}", looser.threshold);
    }

    #[test]
    fn counting_at_the_threshold_gives_what_was_promised() {
        let (negatives, positives) = (tenths(), [0.05, 0.35, 0.6, 0.6, 0.9, 0.97]);
        for required in [0.0, 0.5, 0.8, 0.9, 1.0] {
            let chosen = choose(&negatives, &positives, required).unwrap();
            let counted = AtThreshold::of(&scores(&negatives, &positives), chosen.threshold);
            assert_eq!(counted.sensitivity, Some(chosen.sensitivity));
            assert_eq!(counted.specificity, Some(chosen.specificity));
            assert!(chosen.specificity.share >= required);
        }
    }

    #[test]
    fn no_other_threshold_finds_more() {
        let (negatives, positives) = (tenths(), [0.05, 0.35, 0.6, 0.6, 0.9, 0.97]);
        let all = scores(&negatives, &positives);
        for required in [0.3, 0.7, 0.9, 0.95] {
            let chosen = choose(&negatives, &positives, required).unwrap();
            let most = (0..=1000)
                .map(|step| AtThreshold::of(&all, f64::from(step) / 1000.0))
                .filter(|at| at.specificity.unwrap().share >= required)
                .map(|at| at.sensitivity.unwrap().hits)
                .max();
            assert_eq!(Some(chosen.sensitivity.hits), most, "at {required}");
        }
    }

    #[test]
    fn what_cannot_be_reached_says_why() {
        let reached = choose(&[0.9, 0.2], &[0.5], 0.9);
        let reason = NoOperatingPoint::OutOfReach { required: 0.9, best: 0.5, negatives: 2 };
        assert_eq!(reached, Err(reason));
        assert_eq!(
            reason.to_string(),
            "no threshold finds a single positive image at a specificity of 0.9: the highest that \
             does has 0.5, with 2 negatives"
        );
        assert_eq!(choose(&[0.9], &[], 0.9), Err(NoOperatingPoint::NoPositives));
        assert_eq!(choose(&[], &[0.9], 0.9), Err(NoOperatingPoint::NoNegatives));
        assert_eq!(choose(&[], &[], 0.9), Err(NoOperatingPoint::NoPositives));
        let constant = choose(&[0.5; 3], &[0.5; 3], 0.9);
        assert!(matches!(constant, Err(NoOperatingPoint::OutOfReach { best: 0.0, .. })));
    }

    #[test]
    fn a_decimal_requirement_is_met_by_the_same_share() {
        // 27 of 30 is 0.9, and 19 of 20 is 0.95, to the last bit.
        for (negatives, tolerated, required) in [(30, 3, 0.9), (20, 1, 0.95)] {
            let low = vec![0.1; negatives - tolerated];
            let negatives = [low, vec![0.7; tolerated]].concat();
            let chosen = choose(&negatives, &[0.6], required).unwrap();
            assert_eq!(chosen.tolerated_false_positives, tolerated as u64);
            assert_eq!(chosen.sensitivity.hits, 1);
        }
    }

    #[test]
    fn between_neighbouring_floats_the_higher_is_the_threshold() {
        let high = 0.5_f64;
        let chosen = choose(&[high.next_down()], &[high], 1.0).unwrap();
        assert_eq!((chosen.threshold, chosen.specificity.share), (high, 1.0));
        assert_eq!(midway(-f64::MAX, f64::MAX), f64::MAX);
    }

    #[test]
    fn a_threshold_without_images_of_a_kind_has_no_share_of_them() {
        let only_negatives = AtThreshold::of(&scores(&[0.2, 0.5], &[]), 0.5);
        assert_eq!(only_negatives.sensitivity, None);
        assert_eq!(only_negatives.specificity.unwrap().hits, 1);
    }

    #[test]
    fn a_point_that_is_not_there_is_written_with_its_reason() {
        let json = serde_json::to_value(choose(&[0.9], &[0.5], 0.9).unwrap_err()).unwrap();
        assert_eq!(json["reason"], "out_of_reach");
        assert_eq!(json["negatives"], 1);
    }
}
