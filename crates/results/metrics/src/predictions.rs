//! A predictor's probabilities for labelled images.

use dataset::ClassIndex;

use crate::confusion::ConfusionMatrix;
use crate::labelled::{Labelled, LabelledError};

/// How far the sum of an image's probabilities may be from 1: the rounding of f32 values and of
/// decimals in a CSV.
const SUM_TOLERANCE: f64 = 1e-4;

/// Class probabilities of labelled images, `[images, classes]`, checked: each is a number from 0 to
/// 1, each row adds up to 1, each label is an existing class. Scores computed from them may be
/// undefined, which is reported as `None`, but never fail.
#[derive(Debug, Clone, PartialEq)]
pub struct Predictions(Labelled);

/// A finite score of one image, and whether the image is positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BinaryScore {
    score: f64,
    positive: bool,
}

/// A score that cannot be ranked or averaged.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("a score is {0}; expected a finite number")]
pub struct NotFinite(pub f64);

impl BinaryScore {
    /// A score and whether its image is positive.
    ///
    /// # Errors
    /// When the score is NaN or infinite.
    pub fn new(score: f64, positive: bool) -> Result<Self, NotFinite> {
        if score.is_finite() { Ok(Self { score, positive }) } else { Err(NotFinite(score)) }
    }

    /// The higher, the more likely the image is positive. Often a probability.
    pub fn score(self) -> f64 {
        self.score
    }

    /// Whether the image is positive.
    pub fn is_positive(self) -> bool {
        self.positive
    }

    /// A score known to be finite: a probability that was checked, or a sum of some.
    pub(crate) fn of_checked(score: f64, positive: bool) -> Self {
        Self { score, positive }
    }
}

impl Predictions {
    /// Gathers one `(class, probabilities)` per image.
    ///
    /// # Errors
    /// When a row does not hold one probability per class, adding up to 1 within 1e-4, or an image
    /// is of a class beyond the last.
    pub fn new<R: AsRef<[f64]>>(
        classes: usize,
        rows: impl IntoIterator<Item = (ClassIndex, R)>,
    ) -> Result<Self, LabelledError> {
        Labelled::new(classes, rows, check).map(Self)
    }

    /// Rows that are probabilities by construction.
    pub(crate) fn of(labelled: Labelled) -> Self {
        Self(labelled)
    }

    /// Number of classes: the columns.
    pub fn classes(&self) -> usize {
        self.0.classes()
    }

    /// Number of images: the rows.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of an image.
    ///
    /// # Panics
    /// When there is no such image.
    pub fn actual(&self, image: usize) -> ClassIndex {
        self.0.actual(image)
    }

    /// The probability of each class for an image.
    ///
    /// # Panics
    /// When there is no such image.
    pub fn probabilities(&self, image: usize) -> &[f64] {
        self.0.row(image)
    }

    /// The most probable class of an image, as in [`most_probable`].
    ///
    /// # Panics
    /// When there is no such image.
    pub fn predicted(&self, image: usize) -> ClassIndex {
        predicted(self.0.row(image))
    }

    /// Every image's class and probabilities, in order.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = (ClassIndex, &[f64])> {
        self.0.rows()
    }

    /// How many images of each class were predicted as each class.
    pub fn confusion_matrix(&self) -> ConfusionMatrix {
        let pairs = self.rows().map(|(actual, row)| (actual, predicted(row)));
        ConfusionMatrix::of(self.classes(), pairs)
    }

    /// The predictions for `images`, in that order; an image may appear several times.
    ///
    /// # Panics
    /// When there is no such image.
    #[must_use]
    pub fn select(&self, images: &[usize]) -> Self {
        Self(self.0.select(images))
    }

    /// Each image scored by the summed probability of the classes in `positive`, and whether it is
    /// of one of these: `[normal]` against all cancers, or all cancers against `normal`. A class
    /// named twice counts once; one beyond the last has the probability 0.
    pub fn against_rest(&self, positive: &[ClassIndex]) -> Vec<BinaryScore> {
        let columns: Vec<bool> =
            (0..self.classes()).map(|class| positive.contains(&ClassIndex(class))).collect();
        let score = |row: &[f64]| -> f64 {
            row.iter().zip(&columns).filter(|(_, positive)| **positive).map(|(p, _)| p).sum()
        };
        self.rows()
            .map(|(actual, row)| BinaryScore::of_checked(score(row), columns[actual.0]))
            .collect()
    }
}

fn check(image: usize, row: &[f64]) -> Result<(), LabelledError> {
    // A NaN is in no range.
    if let Some(&value) = row.iter().find(|value| !(0.0..=1.0).contains(*value)) {
        return Err(LabelledError::NotAProbability { image, value });
    }
    let sum: f64 = row.iter().sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(LabelledError::Sum { image, sum });
    }
    Ok(())
}

fn predicted(row: &[f64]) -> ClassIndex {
    most_probable(row).expect("rows have a class and hold numbers: checked when gathered")
}

/// The class with the highest probability, or the highest logit; of equal ones the first, as in
/// `numpy.argmax`. `None` if there is no class, or a value is not a number.
pub fn most_probable(probabilities: &[f64]) -> Option<ClassIndex> {
    let mut best: Option<(usize, f64)> = None;
    for (index, &probability) in probabilities.iter().enumerate() {
        if probability.is_nan() {
            return None;
        }
        if best.is_none_or(|(_, highest)| probability > highest) {
            best = Some((index, probability));
        }
    }
    best.map(|(index, _)| ClassIndex(index))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Predictions from `(class, probabilities)`.
    pub(crate) fn predictions<const C: usize>(rows: &[(usize, [f64; C])]) -> Predictions {
        Predictions::new(C, rows.iter().map(|(class, row)| (ClassIndex(*class), row))).unwrap()
    }

    #[test]
    fn the_first_of_equally_probable_classes_wins() {
        assert_eq!(most_probable(&[0.2, 0.4, 0.4]), Some(ClassIndex(1)));
        assert_eq!(most_probable(&[0.25; 4]), Some(ClassIndex(0)));
    }

    #[test]
    fn a_probability_that_is_not_a_number_predicts_nothing() {
        assert_eq!(most_probable(&[0.9, f64::NAN]), None);
        assert_eq!(most_probable(&[]), None);
    }

    #[test]
    fn what_cannot_be_a_prediction_is_refused_with_its_image() {
        let refused = |classes, second: (usize, &[f64])| {
            let rows = [(ClassIndex(0), &[0.5, 0.5][..]), (ClassIndex(second.0), second.1)];
            Predictions::new(classes, rows).unwrap_err()
        };
        let image = 1;
        assert_eq!(
            refused(2, (0, &[1.0])),
            LabelledError::RowLength { image, found: 1, classes: 2 }
        );
        assert_eq!(
            refused(2, (2, &[0.5, 0.5])).to_string(),
            "image 1 is of class 2; the last of 2 is 1"
        );
        assert_eq!(
            refused(2, (0, &[1.5, -0.5])),
            LabelledError::NotAProbability { image, value: 1.5 }
        );
        assert_eq!(refused(2, (0, &[0.5, 0.25])), LabelledError::Sum { image, sum: 0.75 });
        let nan = refused(2, (0, &[f64::NAN, 0.5]));
        assert!(
            matches!(nan, LabelledError::NotAProbability { image: 1, value } if value.is_nan())
        );
        let none = Predictions::new(0, [] as [(ClassIndex, [f64; 0]); 0]);
        assert_eq!(none.unwrap_err(), LabelledError::NoClasses);
    }

    #[test]
    fn probabilities_of_single_precision_add_up() {
        let third = f64::from(1.0_f32 / 3.0);
        assert_eq!(predictions(&[(0, [third; 3])]).len(), 1);
    }

    #[test]
    fn images_are_selected_in_order_and_as_often_as_named() {
        let all = predictions(&[(0, [0.9, 0.1]), (1, [0.4, 0.6]), (1, [0.7, 0.3])]);
        let selected = all.select(&[2, 0, 2]);
        assert_eq!(selected, predictions(&[(1, [0.7, 0.3]), (0, [0.9, 0.1]), (1, [0.7, 0.3])]));
        assert_eq!(selected.predicted(0), ClassIndex(0));
        assert!(all.select(&[]).is_empty());
    }

    #[test]
    fn several_classes_against_the_rest_add_up_their_probabilities() {
        let all = predictions(&[(0, [0.5, 0.25, 0.25]), (1, [0.125, 0.125, 0.75])]);
        let cancer = all.against_rest(&[ClassIndex(2), ClassIndex(0), ClassIndex(2)]);
        assert_eq!(
            cancer,
            [BinaryScore::new(0.75, true).unwrap(), BinaryScore::new(0.875, false).unwrap()]
        );
    }

    #[test]
    fn a_score_without_a_place_in_an_order_is_refused() {
        assert_eq!(BinaryScore::new(f64::INFINITY, true), Err(NotFinite(f64::INFINITY)));
        assert!(BinaryScore::new(f64::NAN, false).is_err());
    }
}
