use dataset::{ClassIndex, ClassIndices, Split};
use metrics::{Predictions, Ranking, auroc_of_pair, auroc_one_vs_rest};
use serde::Serialize;

/// How well a baseline does on one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitScores {
    /// The split.
    pub split: Split,
    /// On all of its images, as publications count.
    pub all: Scores,
    /// On those that have no copy in training. None if no image has a copy, since it would equal
    /// `all`, and if every image has one.
    pub without_copies: Option<Scores>,
}

/// How well a baseline does on some images. Undefined scores, such as the AUROC of a class without
/// images, are none.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// How many images.
    pub images: usize,
    /// Share of the images whose most probable class is theirs.
    pub accuracy: f64,
    /// Mean recall of the classes.
    pub balanced_accuracy: Option<f64>,
    /// Mean AUROC of each class against the rest.
    pub auroc: Option<f64>,
    /// Each class against the rest, in class order.
    pub classes: Vec<ClassScore>,
    /// Each pair of classes, by its images alone: (0, 1), (0, 2), … (1, 2), …
    pub pairs: Vec<PairScore>,
}

/// One class against the rest.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassScore {
    /// Its name.
    pub class: String,
    /// Images of it.
    pub images: usize,
    /// Share of these that are recognised.
    pub recall: Option<f64>,
    /// AUROC of its probability against the rest.
    pub auroc: Option<f64>,
}

/// One class against another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairScore {
    /// The names of both.
    pub classes: [String; 2],
    /// AUROC by the images of these two alone: the mean of both directions (Hand and Till 2001).
    pub auroc: Option<f64>,
}

/// The pairs of classes, each once.
pub(crate) fn pairs(classes: usize) -> impl Iterator<Item = [ClassIndex; 2]> {
    (0..classes).flat_map(move |a| (a + 1..classes).map(move |b| [ClassIndex(a), ClassIndex(b)]))
}

impl Scores {
    /// Scores predictions. None where there are none.
    pub(crate) fn of(predictions: &Predictions, names: &ClassIndices) -> Option<Self> {
        if predictions.is_empty() {
            return None;
        }
        let confusion = predictions.confusion_matrix();
        let name = |class: ClassIndex| names.name(class).unwrap_or_default().to_owned();
        let of_class = |class: ClassIndex| {
            let images = confusion.support(class) as usize;
            ClassScore {
                class: name(class),
                images,
                recall: (images > 0).then(|| confusion.class_scores(class).recall),
                auroc: Ranking::against_rest(predictions, &[class]).auroc(),
            }
        };
        let of_pair = |[a, b]: [ClassIndex; 2]| PairScore {
            classes: [name(a), name(b)],
            auroc: auroc_of_pair(predictions, a, b),
        };
        Some(Self {
            images: predictions.len(),
            accuracy: confusion.accuracy(),
            balanced_accuracy: confusion.balanced_accuracy(),
            auroc: auroc_one_vs_rest(predictions),
            classes: confusion.classes().map(of_class).collect(),
            pairs: pairs(names.len()).map(of_pair).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_hand_computed() {
        let rows = [
            (ClassIndex(0), [0.6, 0.4, 0.0]),
            (ClassIndex(0), [0.3, 0.7, 0.0]),
            (ClassIndex(1), [0.2, 0.8, 0.0]),
            (ClassIndex(1), [0.4, 0.5, 0.1]),
        ];
        let predictions = Predictions::new(3, rows).unwrap();
        let names = ClassIndices::of_names(["a", "b", "c"]);
        let scores = Scores::of(&predictions, &names).unwrap();
        assert_eq!((scores.images, scores.accuracy), (4, 0.75));
        assert_eq!(scores.balanced_accuracy, Some(0.75));
        // No image of class c: its AUROC, and the mean of all, are undefined.
        assert_eq!(scores.auroc, None);
        assert_eq!((scores.classes[0].recall, scores.classes[2].recall), (Some(0.5), None));
        // Scores of a: 0.6, 0.3 against 0.2, 0.4: 3 of 4 pairs are in order.
        assert_eq!(scores.classes[0].auroc, Some(0.75));
        // By b's probability: 0.8, 0.5 against 0.4, 0.7: 3 of 4 as well.
        assert_eq!(scores.pairs[0].classes, ["a", "b"]);
        assert_eq!(scores.pairs[0].auroc, Some(0.75));
        assert_eq!((scores.pairs.len(), scores.pairs[1].auroc), (3, None));
        assert_eq!(Scores::of(&predictions.select(&[]), &names), None);
    }

    #[test]
    fn aurocs_are_those_of_scikit_learn() {
        let probabilities = [
            [0.5, 0.3, 0.2],
            [0.2, 0.6, 0.2],
            [0.4, 0.4, 0.2],
            [0.1, 0.7, 0.2],
            [0.3, 0.3, 0.4],
            [0.5, 0.4, 0.1],
            [0.2, 0.2, 0.6],
            [0.1, 0.1, 0.8],
            [0.4, 0.2, 0.4],
        ];
        let classes = (0..9).map(|at| ClassIndex(at / 3));
        let predictions = Predictions::new(3, classes.zip(probabilities)).unwrap();
        let scores = Scores::of(&predictions, &ClassIndices::of_names(["a", "b", "c"])).unwrap();
        // (roc_auc_score(y[m] == a, P[m, a]) + roc_auc_score(y[m] == b, P[m, b])) / 2, where m are
        // the images of a and b; roc_auc_score(y, P, multi_class="ovr")
        let pairs: Vec<f64> = scores.pairs.iter().filter_map(|pair| pair.auroc).collect();
        for (found, expected) in pairs.iter().zip([10.5 / 18.0, 16.0 / 18.0, 17.5 / 18.0]) {
            assert!((found - expected).abs() < 1e-12, "{pairs:?}");
        }
        assert_eq!(pairs.len(), 3);
        assert!((scores.auroc.unwrap() - 0.814_814_814_814_814_8).abs() < 1e-12, "{scores:?}");
    }
}
