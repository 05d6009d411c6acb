use dataset::{ClassIndex, FittedOn, GroupNumber};
use picture_checks::Facts;

use crate::baseline::{Baseline, Learner, View};
use crate::features::{Feature, varying};
use crate::forest::{FeaturesPerBranch, Forest};
use crate::kernel::{Kernel, KernelTrainingSet};
use crate::neighbour::Neighbours;
use crate::picture::LabelledPicture;
use crate::rows::{Rows, Scaled};
use crate::tree::Labels;

/// The difference between features, in standard deviations, that counts as small: a class nearer
/// than this is hardly more probable. For thumbnails it is one level of grey.
const SMALL_DIFFERENCE: f64 = 1.0 / 32.0;

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

/// A baseline's predictions for images.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Which baseline.
    pub baseline: Baseline,
    /// The images that it was fitted on.
    pub fitted_on: FittedOn,
    /// How its choices were made, for people; or why it could not be fitted and only knows how
    /// frequent each class is.
    pub remark: Option<String>,
    /// How many classes there are.
    pub classes: usize,
    /// Probabilities of the classes, `[images, classes]`, row by row, in the order of the images
    /// requested.
    pub probabilities: Vec<f64>,
}

impl Prediction {
    /// The probabilities of each image.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.probabilities.chunks_exact(self.classes)
    }
}

/// Pictures to learn from.
pub(crate) struct BaselineTrainingSet<'a> {
    pub(crate) pictures: Vec<&'a Facts>,
    pub(crate) labels: Vec<usize>,
    /// Groups that must not be divided between fitting and validation.
    pub(crate) groups: Vec<GroupNumber>,
    pub(crate) classes: usize,
    pub(crate) seed: u64,
}

/// Every baseline, fitted on one training set.
pub struct Baselines {
    classes: usize,
    fitted: Vec<(Baseline, FittedBaseline)>,
}

struct FittedBaseline {
    on: FittedOn,
    model: Model,
    remark: Option<String>,
}

enum Model {
    /// The same probabilities for any image.
    Constant(Vec<f64>),
    Forest(Forest),
    Thumbnails(Neighbours),
    Neighbours(Scaled, Neighbours),
    Kernel(Vec<Feature>, Kernel),
}

impl Baselines {
    /// Fits every baseline on all of the training images. `classes` is how many classes there are;
    /// some may have no training image, and are then never predicted.
    ///
    /// # Errors
    /// When there are no training images, or a label is beyond the last class.
    pub fn fit(
        classes: usize,
        training: &[&LabelledPicture<'_>],
        seed: u64,
    ) -> Result<Self, FitError> {
        let lesson = BaselineTrainingSet::of(classes, training, seed)?;
        let fit = |baseline| (baseline, lesson.fit(baseline));
        Ok(Self { classes, fitted: Baseline::all().map(fit).collect() })
    }

    /// The predictions of every baseline for images, in the order of [`Baseline::all`].
    pub fn predict(&self, images: &[&Facts]) -> Vec<Prediction> {
        let predict = |(baseline, fitted): &(Baseline, FittedBaseline)| Prediction {
            baseline: *baseline,
            fitted_on: fitted.on,
            remark: fitted.remark.clone(),
            classes: self.classes,
            probabilities: fitted.model.probabilities(images),
        };
        self.fitted.iter().map(predict).collect()
    }
}

impl<'a> BaselineTrainingSet<'a> {
    pub(crate) fn of(
        classes: usize,
        training: &[&LabelledPicture<'a>],
        seed: u64,
    ) -> Result<Self, FitError> {
        if let Some(picture) = training.iter().find(|picture| picture.class.0 >= classes) {
            return Err(FitError::UnknownClass { found: picture.class, classes });
        }
        if training.is_empty() {
            return Err(FitError::NoTrainingImages);
        }
        Ok(Self {
            pictures: training.iter().map(|picture| picture.facts).collect(),
            labels: training.iter().map(|picture| picture.class.0).collect(),
            groups: training.iter().map(|picture| picture.group).collect(),
            classes,
            seed,
        })
    }

    fn fit(&self, baseline: Baseline) -> FittedBaseline {
        let model = match baseline {
            Baseline::MajorityClass => Ok(None),
            Baseline::THUMBNAIL_NEIGHBOUR => Ok(Some(Model::Thumbnails(self.thumbnails()))),
            Baseline::Of(view, learner) => self.learn(view, learner),
        };
        let on = FittedOn::all(self.pictures.len());
        let shares = || Model::Constant(self.shares());
        match model {
            Ok(model) => {
                let remark = match &model {
                    Some(Model::Kernel(_, kernel)) => Some(kernel.remark.clone()),
                    _ => None,
                };
                FittedBaseline { on, model: model.unwrap_or_else(shares), remark }
            }
            // A comparison with a model can then see that it was fitted on nothing.
            Err(error) => FittedBaseline {
                on: FittedOn { images: 0, ..on },
                model: shares(),
                remark: Some(format!("not fitted: {error}")),
            },
        }
    }

    /// None if there are no classes to distinguish, or no features to distinguish them by.
    fn learn(&self, view: View, learner: Learner) -> solvers::Result<Option<Model>> {
        let features = varying(view.features(&self.pictures), &self.pictures);
        let has_several_classes = self.labels.iter().any(|label| *label != self.labels[0]);
        if features.is_empty() || !has_several_classes {
            return Ok(None);
        }
        Ok(Some(match learner {
            Learner::Forest => Model::Forest(self.forest(view, features)),
            Learner::Neighbour => {
                let scaled = view.scaled(features, &self.pictures);
                let rows = Rows::of_features(&scaled, &self.pictures);
                let neighbours = Neighbours::of(rows, &self.labels, self.classes, SMALL_DIFFERENCE);
                Model::Neighbours(scaled, neighbours)
            }
            Learner::Kernel => {
                let kernel = Kernel::fit(&KernelTrainingSet {
                    values: &values(&features, &self.pictures),
                    columns: features.len(),
                    labels: &self.labels,
                    groups: &self.groups,
                    classes: self.classes,
                    seed: self.seed,
                })?;
                Model::Kernel(features, kernel)
            }
        }))
    }

    pub(crate) fn forest(&self, view: View, features: Vec<Feature>) -> Forest {
        let labels = Labels { of_rows: &self.labels, classes: self.classes };
        Forest::fit(features, view.tried(), &self.pictures, labels, self.seed, view.stream())
    }

    fn thumbnails(&self) -> Neighbours {
        Neighbours::of(Rows::of_thumbnails(&self.pictures), &self.labels, self.classes, 1.0)
    }

    /// The share of each class.
    fn shares(&self) -> Vec<f64> {
        let count = |class| self.labels.iter().filter(|label| **label == class).count();
        (0..self.classes).map(|class| count(class) as f64 / self.labels.len() as f64).collect()
    }
}

impl Model {
    /// `[images, classes]`, row by row.
    fn probabilities(&self, images: &[&Facts]) -> Vec<f64> {
        match self {
            Self::Constant(shares) => {
                std::iter::repeat_n(shares, images.len()).flatten().copied().collect()
            }
            Self::Forest(forest) => forest.probabilities(images),
            Self::Thumbnails(neighbours) => neighbours.probabilities(&Rows::of_thumbnails(images)),
            Self::Neighbours(scaled, neighbours) => {
                neighbours.probabilities(&Rows::of_features(scaled, images))
            }
            Self::Kernel(features, kernel) => kernel
                .probabilities(&values(features, images))
                .expect("as many features as it was fitted on"),
        }
    }
}

/// These features of the pictures, row by row.
fn values(features: &[Feature], pictures: &[&Facts]) -> Vec<f32> {
    let row = |facts: &&Facts| features.iter().map(|feature| feature.of(facts)).collect::<Vec<_>>();
    pictures.iter().flat_map(row).collect()
}

impl View {
    /// The features; for thumbnails the grid that forests and kernels use.
    pub(crate) fn features(self, training: &[&Facts]) -> Vec<Feature> {
        match self {
            Self::Metadata => Feature::metadata(training),
            Self::GreyHistogram => Feature::histogram(),
            Self::GreyHistogram256 => Feature::levels(),
            Self::Frame => Feature::frame(),
            Self::Together => {
                [Feature::metadata(training), Feature::histogram(), Feature::frame()].concat()
            }
            Self::Thumbnail => Feature::grid(),
        }
    }

    fn scaled(self, features: Vec<Feature>, training: &[&Facts]) -> Scaled {
        match self {
            Self::Metadata | Self::Together => Scaled::each(features, training),
            Self::GreyHistogram | Self::GreyHistogram256 | Self::Frame | Self::Thumbnail => {
                Scaled::alike(features, training)
            }
        }
    }

    fn tried(self) -> FeaturesPerBranch {
        match self {
            Self::Frame | Self::Together => FeaturesPerBranch::Third,
            Self::Metadata | Self::GreyHistogram | Self::GreyHistogram256 | Self::Thumbnail => {
                FeaturesPerBranch::SquareRoot
            }
        }
    }

    /// Forests of different views share no random numbers.
    fn stream(self) -> u64 {
        match self {
            Self::Metadata => 1,
            Self::GreyHistogram => 2,
            Self::Frame => 3,
            Self::Thumbnail => 5,
            Self::GreyHistogram256 => 6,
            Self::Together => 7,
        }
    }
}

#[cfg(test)]
mod tests {
    use dataset::Split;

    use super::*;
    use crate::picture::tests::facts_of;

    fn training() -> Vec<(Facts, ClassIndex)> {
        let picture =
            |at: u32| (facts_of(20 + at, 20, |x, _| x as u8), ClassIndex((at % 4 / 3) as usize));
        (0..20).map(picture).collect()
    }

    fn fit(classes: usize, training: &[(Facts, ClassIndex)]) -> Result<Baselines, FitError> {
        let numbered = (0..).zip(training);
        let pictures: Vec<_> = numbered
            .map(|(group, (facts, class))| LabelledPicture {
                facts,
                class: *class,
                split: Split::Train,
                duplicate_group: None,
                group: GroupNumber(group),
            })
            .collect();
        Baselines::fit(classes, &pictures.iter().collect::<Vec<_>>(), 1)
    }

    #[test]
    fn every_baseline_gives_every_image_probabilities() {
        let training = training();
        let baselines = fit(3, &training).unwrap();
        let asked: Vec<&Facts> = training.iter().map(|(facts, _)| facts).take(7).collect();
        let predictions = baselines.predict(&asked);
        assert!(predictions.iter().map(|it| it.baseline).eq(Baseline::all()));
        for prediction in predictions {
            assert_eq!(prediction.rows().len(), 7);
            assert_eq!(prediction.fitted_on, FittedOn::all(20));
            for row in prediction.rows() {
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{prediction:?}");
            }
        }
    }

    #[test]
    fn the_majority_baseline_knows_the_shares_of_the_classes() {
        let training = training();
        let baselines = fit(3, &training).unwrap();
        let predictions = baselines.predict(&[&training[3].0]);
        assert_eq!(predictions[0].probabilities, [0.75, 0.25, 0.0]);
    }

    #[test]
    fn one_class_alone_is_always_predicted() {
        let training: Vec<_> =
            training().into_iter().map(|(facts, _)| (facts, ClassIndex(1))).collect();
        let baselines = fit(2, &training).unwrap();
        for prediction in baselines.predict(&[&training[3].0]) {
            assert_eq!(prediction.probabilities, [0.0, 1.0], "{prediction:?}");
        }
    }

    #[test]
    fn no_training_images_and_unknown_classes_are_refused() {
        assert!(matches!(fit(2, &[]), Err(FitError::NoTrainingImages)));
        let training = training();
        let Err(error) = fit(1, &training) else { panic!("fitted") };
        assert!(error.to_string().contains("is of class 1; the last of 1 is 0"), "{error}");
    }
}
