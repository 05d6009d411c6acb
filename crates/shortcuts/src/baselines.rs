use dataset::{BaselineKind, ClassIndex};
use picture_checks::Facts;
use serde::Serialize;

use crate::features::{Feature, varying};
use crate::forest::{Forest, Tried};
use crate::neighbour::Neighbours;
use crate::sample;
use crate::tree::Labels;

/// A classifier that cannot know anything about tumours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// Always the most frequent class; its probabilities are the shares of the classes.
    MajorityClass,
    /// A random forest on width, height, colour mode, format and bytes per pixel.
    Metadata,
    /// A random forest on the shares of 32 bins of grey.
    GreyHistogram,
    /// A random forest on the outermost eighth of the picture at 16×16.
    Frame,
    /// The nearest neighbour of the picture at 32×32.
    ThumbnailNeighbour,
    /// A random forest on the picture at 16×16.
    ThumbnailForest,
}

impl Baseline {
    /// Every baseline, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::MajorityClass,
        Self::Metadata,
        Self::GreyHistogram,
        Self::Frame,
        Self::ThumbnailNeighbour,
        Self::ThumbnailForest,
    ];

    /// Its name in files: `grey_histogram`.
    pub fn name(self) -> &'static str {
        match self {
            Self::MajorityClass => "majority_class",
            Self::Metadata => "metadata",
            Self::GreyHistogram => "grey_histogram",
            Self::Frame => "frame",
            Self::ThumbnailNeighbour => "thumbnail_neighbour",
            Self::ThumbnailForest => "thumbnail_forest",
        }
    }

    /// What it looks at, for people: "brightness (a grey histogram of 32 bins)".
    pub fn looks_at(self) -> &'static str {
        match self {
            Self::MajorityClass => "nothing",
            Self::Metadata => "the file (size, colour mode, format, bytes per pixel)",
            Self::GreyHistogram => "brightness (a grey histogram of 32 bins)",
            Self::Frame => "the picture's edge (its outermost eighth)",
            Self::ThumbnailNeighbour => "the picture at 32×32 (nearest neighbour)",
            Self::ThumbnailForest => "the picture at 16×16 (random forest)",
        }
    }

    /// What it means when it does well.
    pub fn kind(self) -> BaselineKind {
        match self {
            Self::MajorityClass => BaselineKind::Majority,
            Self::Metadata | Self::GreyHistogram | Self::Frame => BaselineKind::Shortcut,
            Self::ThumbnailNeighbour | Self::ThumbnailForest => BaselineKind::CoarseLook,
        }
    }

    /// The features that its forest looks at, and how; `None` where it has no forest.
    fn features(self, training: &[&Facts]) -> Option<(Vec<Feature>, Tried)> {
        let (features, tried) = match self {
            Self::MajorityClass | Self::ThumbnailNeighbour => return None,
            Self::Metadata => (Feature::metadata(training), Tried::SquareRoot),
            Self::GreyHistogram => (Feature::histogram(), Tried::SquareRoot),
            Self::Frame => (Feature::frame(), Tried::Third),
            Self::ThumbnailForest => (Feature::grid(), Tried::SquareRoot),
        };
        Some((varying(features, training), tried))
    }
}

/// Baselines that cannot be fitted.
#[derive(Debug, thiserror::Error)]
pub enum FitError {
    /// Nothing to learn from.
    #[error("fit baselines: there are no training images")]
    NoTrainingImages,
    /// A label beyond the last class.
    #[error("fit baselines: a training image is of class {}; the last of {classes} is {}", found.0, classes - 1)]
    UnknownClass {
        /// The label.
        found: ClassIndex,
        /// How many classes there are.
        classes: usize,
    },
}

/// What a baseline says about images.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Which baseline.
    pub baseline: Baseline,
    /// How many classes there are.
    pub classes: usize,
    /// Probabilities of the classes, `[images, classes]`, row by row, in the order in which the
    /// images were asked for.
    pub probabilities: Vec<f64>,
}

impl Prediction {
    /// The probabilities of each image.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.probabilities.chunks_exact(self.classes)
    }
}

/// Every baseline, fitted on one training set.
pub struct Baselines {
    classes: usize,
    fitted_on: usize,
    fitted: Vec<(Baseline, Fitted)>,
}

enum Fitted {
    /// The same probabilities for any image.
    Constant(Vec<f64>),
    Forest(Forest),
    Neighbours(Neighbours),
}

impl Baselines {
    /// Fits every baseline on training images, or on a stratified draw of
    /// [`MOST_TRAINING_IMAGES`](crate::MOST_TRAINING_IMAGES) of them. `classes` is how many classes
    /// there are; some may have no training image, and are then never predicted.
    ///
    /// # Errors
    /// When there are no training images, or a label is beyond the last class.
    pub fn fit(
        classes: usize,
        training: &[(&Facts, ClassIndex)],
        seed: u64,
    ) -> Result<Self, FitError> {
        if let Some((_, found)) = training.iter().find(|(_, class)| class.0 >= classes) {
            return Err(FitError::UnknownClass { found: *found, classes });
        }
        if training.is_empty() {
            return Err(FitError::NoTrainingImages);
        }
        let labels: Vec<usize> = training.iter().map(|(_, class)| class.0).collect();
        let shares = shares(&labels, classes);
        let drawn = sample::stratified(&labels, classes, sample::MOST_TRAINING_IMAGES, seed);
        let pictures: Vec<&Facts> = drawn.iter().map(|at| training[*at].0).collect();
        let labels: Vec<usize> = drawn.iter().map(|at| labels[*at]).collect();
        let fit = |baseline: Baseline| {
            let fitted = match baseline {
                Baseline::ThumbnailNeighbour => {
                    Fitted::Neighbours(Neighbours::of(&pictures, &labels))
                }
                _ => grow(baseline, &pictures, Labels { of_rows: &labels, classes }, seed)
                    .map_or_else(|| Fitted::Constant(shares.clone()), Fitted::Forest),
            };
            (baseline, fitted)
        };
        let fitted = Baseline::ALL.into_iter().map(fit).collect();
        Ok(Self { classes, fitted_on: drawn.len(), fitted })
    }

    /// How many training images the baselines were fitted on.
    pub fn fitted_on(&self) -> usize {
        self.fitted_on
    }

    /// What every baseline says about images, in the order of [`Baseline::ALL`].
    pub fn predict(&self, images: &[&Facts]) -> Vec<Prediction> {
        let predict = |(baseline, fitted): &(Baseline, Fitted)| {
            let probabilities = match fitted {
                Fitted::Constant(shares) => {
                    std::iter::repeat_n(shares, images.len()).flatten().copied().collect()
                }
                Fitted::Neighbours(neighbours) => neighbours.probabilities(images, self.classes),
                Fitted::Forest(forest) => forest.probabilities(images),
            };
            Prediction { baseline: *baseline, classes: self.classes, probabilities }
        };
        self.fitted.iter().map(predict).collect()
    }
}

/// The share of each class.
fn shares(labels: &[usize], classes: usize) -> Vec<f64> {
    let count = |class| labels.iter().filter(|label| **label == class).count();
    (0..classes).map(|class| count(class) as f64 / labels.len() as f64).collect()
}

/// Grows a baseline's forest; `None` where it has none, or there is nothing to tell apart.
fn grow(baseline: Baseline, pictures: &[&Facts], labels: Labels<'_>, seed: u64) -> Option<Forest> {
    let (features, tried) = baseline.features(pictures)?;
    let has_several_classes = labels.of_rows.iter().any(|label| *label != labels.of_rows[0]);
    if features.is_empty() || !has_several_classes {
        return None;
    }
    Some(Forest::fit(features, tried, pictures, labels, seed, baseline as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::facts_of;

    fn training() -> Vec<(Facts, ClassIndex)> {
        let picture =
            |at: u32| (facts_of(20 + at, 20, |x, _| x as u8), ClassIndex((at % 4 / 3) as usize));
        (0..20).map(picture).collect()
    }

    fn borrowed(training: &[(Facts, ClassIndex)]) -> Vec<(&Facts, ClassIndex)> {
        training.iter().map(|(facts, class)| (facts, *class)).collect()
    }

    #[test]
    fn every_baseline_gives_every_image_probabilities() {
        let training = training();
        let baselines = Baselines::fit(3, &borrowed(&training), 1).unwrap();
        let asked: Vec<&Facts> = training.iter().map(|(facts, _)| facts).take(7).collect();
        let predictions = baselines.predict(&asked);
        assert_eq!(predictions.iter().map(|it| it.baseline).collect::<Vec<_>>(), Baseline::ALL);
        for prediction in predictions {
            assert_eq!(prediction.rows().len(), 7);
            for row in prediction.rows() {
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{prediction:?}");
            }
        }
    }

    #[test]
    fn the_majority_baseline_knows_the_shares_of_the_classes() {
        let training = training();
        let baselines = Baselines::fit(3, &borrowed(&training), 1).unwrap();
        let predictions = baselines.predict(&[&training[3].0]);
        assert_eq!(predictions[0].probabilities, [0.75, 0.25, 0.0]);
    }

    #[test]
    fn one_class_alone_is_always_predicted() {
        let training: Vec<_> =
            training().into_iter().map(|(facts, _)| (facts, ClassIndex(1))).collect();
        let baselines = Baselines::fit(2, &borrowed(&training), 1).unwrap();
        for prediction in baselines.predict(&[&training[3].0]) {
            assert_eq!(prediction.probabilities, [0.0, 1.0], "{prediction:?}");
        }
    }

    #[test]
    fn no_training_images_and_unknown_classes_are_refused() {
        assert!(matches!(Baselines::fit(2, &[], 1), Err(FitError::NoTrainingImages)));
        let training = training();
        let Err(error) = Baselines::fit(1, &borrowed(&training), 1) else { panic!("fitted") };
        assert!(error.to_string().contains("is of class 1; the last of 1 is 0"), "{error}");
    }
}
