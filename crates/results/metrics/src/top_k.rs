//! Whether the class is among the most probable ones.

use dataset::ClassIndex;

use crate::mean;
use crate::predictions::Predictions;

/// The share of images whose class is among the `k` most probable; `None` without images.
///
/// Of equally probable classes the one with the highest index comes first, as in scikit-learn's
/// `top_k_accuracy_score`. [`most_probable`](crate::most_probable) returns the first of them, as
/// `numpy.argmax`, so the top-1 accuracy differs from the accuracy if probabilities tie. All
/// classes count as in the top `k` when there are no more than `k`.
pub fn top_k_accuracy(predictions: &Predictions, k: usize) -> Option<f64> {
    let hit = |(actual, row)| if rank(row, actual) < k { 1.0 } else { 0.0 };
    mean(predictions.rows().map(hit))
}

/// How many classes come before `class`.
fn rank(row: &[f64], class: ClassIndex) -> usize {
    let own = row[class.0];
    let before = |&(other, &probability): &(usize, &f64)| {
        probability > own || (probability == own && other > class.0)
    };
    row.iter().enumerate().filter(before).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictions::tests::predictions;

    #[test]
    fn the_class_counts_when_it_is_among_the_first_k() {
        // The example of scikit-learn's documentation.
        let rows = [
            (0, [0.5, 0.2, 0.3]),
            (1, [0.3, 0.4, 0.3]),
            (2, [0.2, 0.4, 0.4]),
            (2, [0.7, 0.2, 0.1]),
        ];
        let predictions = predictions(&rows);
        assert_eq!(top_k_accuracy(&predictions, 0), Some(0.0));
        assert_eq!(top_k_accuracy(&predictions, 2), Some(0.75));
        assert_eq!(top_k_accuracy(&predictions, 3), Some(1.0));
        assert_eq!(top_k_accuracy(&predictions, 9), Some(1.0));
    }

    #[test]
    fn of_equally_probable_classes_the_highest_index_comes_first() {
        let tied = |actual| predictions(&[(actual, [0.25; 4])]);
        assert_eq!(top_k_accuracy(&tied(3), 1), Some(1.0));
        assert_eq!(top_k_accuracy(&tied(1), 2), Some(0.0));
        assert_eq!(top_k_accuracy(&tied(1), 3), Some(1.0));
    }

    #[test]
    fn without_images_there_is_no_share() {
        assert_eq!(top_k_accuracy(&predictions::<3>(&[]), 2), None);
    }
}
