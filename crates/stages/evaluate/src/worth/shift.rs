//! Detects images that are ranked correctly but classified wrongly, because the scores of the
//! classes have shifted between the validation images and the test images.

use std::collections::BTreeMap;

use dataset::{ClassIndex, ClassIndices};
use metrics::{ClassOffsets, Predictions, Scorer, log_probability};
use serde::Serialize;

use super::words::score;

/// From this AUROC on, the ranking of the test images counts as right.
const HIGH_AUROC: f64 = 0.9;

/// A shift is reported if at least this much accuracy is lost compared with the validation images,
/// and if offsets can recover at least this much.
const LOST: f64 = 0.1;

/// The shift.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Shift {
    /// In a few sentences.
    pub(crate) in_words: String,
    /// Whether it explains the score: AUROC of at least 0.9, and both differences below of at least
    /// 0.1.
    pub(crate) is_shown: bool,
    /// On the validation images.
    pub(crate) validation: OnSplit,
    /// On the test images.
    pub(crate) test: OnSplit,
    /// By class: how far its score has shifted, in nats. The score is the logarithm of the
    /// probability less the mean of all classes' logarithms. It is averaged over the images of each
    /// class, then over the classes, so that a different mix of classes has no effect.
    pub(crate) moved: BTreeMap<String, f64>,
    /// The confusion that has grown most; none if none has.
    pub(crate) grown: Option<Confusion>,
    /// Accuracy on the test images with the best constant added to each class's score, found on
    /// these same images. An upper bound of a correction's effect; never applied.
    pub(crate) accuracy_with_best_offsets: f64,
    /// These constants, in nats.
    pub(crate) best_offsets: BTreeMap<String, f64>,
}

/// Scores on the images of a split.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct OnSplit {
    pub(crate) images: usize,
    pub(crate) accuracy: Option<f64>,
    /// One-against-rest AUROC, mean over the classes.
    pub(crate) auroc: Option<f64>,
}

/// A class confused with another more often than before.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Confusion {
    /// The class.
    pub(crate) actual: String,
    /// The class predicted instead.
    pub(crate) predicted: String,
    /// The count, and the number of test images of the class.
    pub(crate) test: [u64; 2],
    /// The same for the validation images.
    pub(crate) validation: [u64; 2],
}

impl OnSplit {
    fn of(predictions: &Predictions) -> Self {
        let summary = Scorer::new(predictions).summary();
        Self { images: predictions.len(), accuracy: summary.accuracy, auroc: summary.auroc }
    }
}

impl Shift {
    /// Compares the model's predictions for the two splits. None if there are no images.
    pub(crate) fn of(
        classes: &ClassIndices,
        validation: &Predictions,
        test: &Predictions,
    ) -> Option<Self> {
        if validation.is_empty() {
            return None;
        }
        let best = ClassOffsets::best(test)?;
        let named = |values: Vec<f64>| classes.names().iter().cloned().zip(values).collect();
        let mut shift = Self {
            in_words: String::new(),
            is_shown: false,
            validation: OnSplit::of(validation),
            test: OnSplit::of(test),
            moved: named(moved(validation, test)),
            grown: grown(classes, validation, test),
            accuracy_with_best_offsets: best.accuracy,
            best_offsets: named(best.offsets),
        };
        shift.is_shown = shift.explains_the_score();
        shift.in_words = shift.words();
        Some(shift)
    }

    fn explains_the_score(&self) -> bool {
        let (Some(auroc), Some(accuracy)) = (self.test.auroc, self.test.accuracy) else {
            return false;
        };
        let before = self.validation.accuracy.unwrap_or(0.0);
        auroc >= HIGH_AUROC
            && before - accuracy >= LOST
            && self.accuracy_with_best_offsets - accuracy >= LOST
    }

    fn words(&self) -> String {
        let (validation, test) = (&self.validation, &self.test);
        let (accuracy, before) = (score(test.accuracy), score(validation.accuracy));
        if !self.is_shown {
            return format!(
                "The accuracy is {accuracy} on the test images and {before} on the validation \
                 images; the best constant per class would make it {:.3}.",
                self.accuracy_with_best_offsets
            );
        }
        let most = |a: &&(&String, &f64), b: &&(&String, &f64)| a.1.abs().total_cmp(&b.1.abs());
        let moved: Vec<(&String, &f64)> = self.moved.iter().collect();
        let moved = moved.iter().max_by(most).map_or(String::new(), |(class, nats)| {
            let way = if **nats > 0.0 { "rose" } else { "fell" };
            format!(" The score of {} {way} by {:.2} nats.", spoken(class), nats.abs())
        });
        let grown = self.grown.as_ref().map_or(String::new(), Confusion::in_words);
        format!(
            "The classes' scores have moved between validation and test: the images are in the right \
             order (AUROC {}), but the accuracy is {accuracy} against {before} on the validation \
             images.{grown}{moved} With the best constant per class, found on these very labels and \
             never applied, the accuracy would be {:.3}.",
            score(test.auroc),
            self.accuracy_with_best_offsets
        )
    }
}

impl Confusion {
    /// ` 72 of 92 adenocarcinoma are taken for large cell carcinoma, 2 of 23 on validation.`
    fn in_words(&self) -> String {
        let ([test, of_test], [validation, of_validation]) = (self.test, self.validation);
        format!(
            " {test} of {of_test} {} are taken for {}, {validation} of {of_validation} on \
             validation.",
            spoken(&self.actual),
            spoken(&self.predicted)
        )
    }
}

fn spoken(class: &str) -> String {
    class.replace('_', " ")
}

/// See [`Shift::moved`]. Classes without images in either split are ignored.
fn moved(validation: &Predictions, test: &Predictions) -> Vec<f64> {
    let classes = validation.classes();
    let (before, after) = (mean_scores(validation), mean_scores(test));
    let both: Vec<(&Vec<f64>, &Vec<f64>)> =
        before.iter().zip(&after).filter_map(|(a, b)| a.as_ref().zip(b.as_ref())).collect();
    let count = both.len().max(1) as f64;
    (0..classes)
        .map(|class| both.iter().map(|(a, b)| b[class] - a[class]).sum::<f64>() / count)
        .collect()
}

/// The mean scores of the images of each class; none if it has no image.
fn mean_scores(predictions: &Predictions) -> Vec<Option<Vec<f64>>> {
    let classes = predictions.classes();
    let mut sums = vec![(vec![0.0; classes], 0_u32); classes];
    for (actual, row) in predictions.rows() {
        let logs: Vec<f64> = row.iter().map(|it| log_probability(*it)).collect();
        let mean = logs.iter().sum::<f64>() / classes as f64;
        let (sum, count) = &mut sums[actual.0];
        sum.iter_mut().zip(logs).for_each(|(sum, log)| *sum += log - mean);
        *count += 1;
    }
    let mean = |(sum, count): (Vec<f64>, u32)| {
        (count > 0).then(|| sum.into_iter().map(|it| it / f64::from(count)).collect())
    };
    sums.into_iter().map(mean).collect()
}

/// The confusion whose share of its class has grown most between the splits.
fn grown(
    classes: &ClassIndices,
    validation: &Predictions,
    test: &Predictions,
) -> Option<Confusion> {
    let (before, after) = (validation.confusion_matrix(), test.confusion_matrix());
    let pairs = (0..classes.len()).flat_map(|a| (0..classes.len()).map(move |b| (a, b)));
    let grown = pairs.filter(|(a, b)| a != b).filter_map(|(actual, predicted)| {
        let (actual, predicted) = (ClassIndex(actual), ClassIndex(predicted));
        let of = [after.support(actual), before.support(actual)];
        let counts = [after.count(actual, predicted), before.count(actual, predicted)];
        let share = |at: usize| (of[at] > 0).then(|| counts[at] as f64 / of[at] as f64);
        let growth = share(0)? - share(1)?;
        (growth > 0.0).then(|| {
            let name = |class| classes.name(class).unwrap_or("?").to_owned();
            let confusion = Confusion {
                actual: name(actual),
                predicted: name(predicted),
                test: [counts[0], of[0]],
                validation: [counts[1], of[1]],
            };
            (growth, confusion)
        })
    });
    grown.reduce(|best, it| if it.0 > best.0 { it } else { best }).map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images of three classes, each distinguished by a logit of about 2, with `shift` added to the
    /// last.
    fn predictions(images: usize, shift: f64) -> Predictions {
        let rows = (0..images).map(|number| {
            let actual = number % 3;
            let mut logits = [0.0; 3];
            logits[actual] = 2.0 + (number % 7) as f64 / 20.0;
            logits[2] += shift;
            let sum: f64 = logits.iter().map(|it| it.exp()).sum();
            (ClassIndex(actual), logits.map(|it| it.exp() / sum))
        });
        Predictions::new(3, rows).unwrap()
    }

    fn shift(of: f64) -> Shift {
        let classes = ClassIndices::of_names(["adeno", "normal", "squamous_cell"]);
        Shift::of(&classes, &predictions(63, 0.0), &predictions(126, of)).unwrap()
    }

    #[test]
    fn a_planted_shift_is_recovered_in_size() {
        let found = shift(3.0);
        assert!(found.is_shown, "{found:?}");
        // Centred, 3 nats on one of three classes are +2 on it and −1 on each other.
        for (class, expected) in [("squamous_cell", 2.0), ("adeno", -1.0), ("normal", -1.0)] {
            assert!((found.moved[class] - expected).abs() < 1e-9, "{class}: {found:?}");
        }
        assert_eq!(found.test.auroc, Some(1.0));
        assert!((found.test.accuracy.unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(found.accuracy_with_best_offsets, 1.0);
        let grown = found.grown.unwrap();
        assert_eq!(
            (grown.predicted.as_str(), grown.test, grown.validation),
            ("squamous_cell", [42, 42], [0, 21])
        );
        for part in
            ["AUROC 1.000", "42 of 42 adeno are taken for squamous cell", "rose by 2.00 nats"]
        {
            assert!(found.in_words.contains(part), "{}", found.in_words);
        }
    }

    #[test]
    fn where_nothing_moved_none_is_told() {
        let found = shift(0.0);
        assert!(!found.is_shown && found.grown.is_none(), "{found:?}");
        assert!(found.moved.values().all(|nats| nats.abs() < 1e-9), "{found:?}");
    }

    #[test]
    fn another_mix_of_classes_is_no_shift() {
        let rows = predictions(63, 0.0);
        let mixed: Vec<usize> = (0..63).filter(|it| it % 3 == 0 || it % 9 == 1).collect();
        let classes = ClassIndices::of_names(["a", "b", "c"]);
        let found = Shift::of(&classes, &rows, &rows.select(&mixed)).unwrap();
        assert!(found.moved.values().all(|nats| nats.abs() < 0.05), "{found:?}");
    }

    #[test]
    fn a_wrong_order_is_no_shift() {
        let rows = (0..60).map(|number: usize| {
            let said = (number / 3) % 2;
            (ClassIndex(number % 2), [said as f64, 1.0 - said as f64])
        });
        let test = Predictions::new(2, rows).unwrap();
        let classes = ClassIndices::of_names(["a", "b"]);
        let validation = (0..20).map(|it: usize| {
            let first = if it.is_multiple_of(2) { 0.9 } else { 0.1 };
            (ClassIndex(it % 2), [first, 1.0 - first])
        });
        let validation = Predictions::new(2, validation).unwrap();
        assert!(!Shift::of(&classes, &validation, &test).unwrap().is_shown);
    }
}
