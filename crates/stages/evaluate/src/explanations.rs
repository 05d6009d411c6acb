//! Whether the maps of where the model looked can be trusted: this is tested, not assumed.
//!
//! A map that stays the same when the weights are shuffled shows the picture, not the model
//! (Adebayo et al. 2018, "Sanity checks for saliency maps"). A map is also useless if deleting its
//! places affects the answer no more than deleting other places (Petsiuk et al. 2018, "RISE", the
//! deletion curve). If the finding's position is known, the map should point there (Zhang et al.
//! 2016, the pointing game).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use artifact::Digest;
use classifier::ModelInput;
use classifier::architecture::{KERNEL_COEFFICIENTS, is_of_head};
use classifier::checkpoint::RunId;
use classifier::description::ModelDescription;
use classifier::ensemble;
use classifier::initialise::shuffled;
use classifier::model::{BatchSize, Heatmap, Input, Model};
use classifier::tensors::{self, TensorMap};
use dataset::{ClassIndex, LesionBox};
use metrics::{Bootstrap, Temperature};
use scoring::{Mask, Prediction, TestImage, TestSet, read_images};
use serde::Serialize;

mod deletion;
mod pointing;
mod randomisation;

pub(crate) use deletion::Deletion;
pub(crate) use pointing::PointingGame;
pub(crate) use randomisation::Randomisation;

/// Above this share, empty maps are mentioned in the report's list of actions.
const MANY_EMPTY: f64 = 0.05;

/// Number of images whose pictures are in memory at once.
const BATCH: usize = 12;

/// The results.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Explanations {
    /// The maps were not tested.
    NotTested {
        /// The reason.
        reason: String,
    },
    /// The maps were tested.
    Tested(Box<Tested>),
}

/// The test results for the maps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Tested {
    /// In a sentence or two.
    pub(crate) in_words: String,
    /// Whether they may be shown.
    pub(crate) verdict: MapVerdict,
    /// Test images whose maps were tested.
    pub(crate) images: usize,
    /// Of these, those whose map is 0 everywhere: nothing supports the predicted class.
    pub(crate) empty: usize,
    /// Number of network passes for the tests.
    pub(crate) passes: usize,
    /// The comparison with maps of shuffled weights.
    pub(crate) randomisation: Vec<Randomisation>,
    /// The effect of deleting the marked places; none if every map is empty.
    pub(crate) deletion: Option<Deletion>,
    /// Whether maps point at the lesion; none if no lesion is known.
    pub(crate) pointing: Option<PointingGame>,
}

/// Whether maps may be shown as explanations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum MapVerdict {
    /// They change with the weights, and the marked places matter.
    Passes,
    /// They hardly change when weights are shuffled.
    Unchanged,
    /// Deleting the marked places was not shown to do more than deleting as much elsewhere.
    NoBetterThanElsewhere,
    /// Every one of them is empty.
    Empty,
}

/// A model with predictions and maps of where it looked.
pub(crate) trait Subject {
    /// Logits of preprocessed images.
    fn logits(&self, images: &[Vec<f32>]) -> Result<Vec<Vec<f32>>>;
    /// The places in an image that support a class.
    fn map(&self, image: &[f32], class: ClassIndex) -> Result<Heatmap>;
}

impl Subject for Model {
    fn logits(&self, images: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
        let outputs = self.output(Input::Images(&images), BatchSize::Fixed)?;
        Ok(outputs.into_iter().map(|output| output.logits).collect())
    }

    fn map(&self, image: &[f32], class: ClassIndex) -> Result<Heatmap> {
        Ok(self.grad_cam(image, class)?)
    }
}

/// The weights that are shuffled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    /// The weights of the features, with a row for each class.
    Head,
    /// The convolutions.
    Base,
}

/// The inputs of the tests.
pub(crate) struct Examination<'a> {
    pub(crate) test: &'a TestSet,
    pub(crate) predictions: &'a [Prediction],
    pub(crate) input: &'a ModelInput,
    pub(crate) temperature: Temperature,
    /// The cover of deleted places.
    pub(crate) mask: Mask,
    pub(crate) bootstrap: Bootstrap,
    /// Number of test images to use, at most.
    pub(crate) images: usize,
    /// The lesions, by the image's path, in shares of its width and height.
    pub(crate) lesions: &'a BTreeMap<String, LesionBox>,
}

/// One image to test.
pub(crate) struct Case {
    /// Its position among the test images.
    place: usize,
    /// The model's input.
    seen: Vec<f32>,
    predicted: ClassIndex,
    /// The probability of the predicted class.
    probability: f64,
    map: Heatmap,
}

impl Case {
    fn is_empty(&self) -> bool {
        is_empty(&self.map)
    }
}

fn is_empty(map: &Heatmap) -> bool {
    map.values.iter().all(|value| *value <= 0.0)
}

/// The model with the weights of a part shuffled.
///
/// # Errors
/// When its weights cannot be read, or the network cannot be built.
pub(crate) fn with_shuffled(model: &Model, folder: &Path, part: Part, seed: u64) -> Result<Model> {
    let path = folder.join(ModelDescription::WEIGHTS_FILE);
    let weights = tensors::read::<RunId>(&path)?.tensors;
    let classes = model.classes().len();
    let belongs = |stored: &str, shape: &[usize]| {
        let name = ensemble::own_name(stored);
        match part {
            Part::Base => !is_of_head(name),
            // The weights that give each class its logit: for a kernel head, the coefficients of each
            // support vector.
            Part::Head => {
                name == KERNEL_COEFFICIENTS
                    || name.starts_with("classifier.") && shape.len() == 2 && shape[0] == classes
            }
        }
    };
    let weights: TensorMap = shuffled(weights, belongs, seed);
    model.with_weights(&weights).context("shuffle the model's weights")
}

impl Examination<'_> {
    /// Draws the images, makes their maps and tests them. `shuffled` makes the model with shuffled
    /// weights.
    ///
    /// # Errors
    /// When an image cannot be used, or a network cannot run.
    pub(crate) fn examine<S: Subject, T: Subject>(
        &self,
        subject: &S,
        shuffled: impl Fn(Part) -> Result<T>,
    ) -> Result<Tested> {
        let started = Instant::now();
        let places = self.drawn();
        tracing::info!("testing the maps of {} test images", places.len());
        let cases = self.cases(subject, &places)?;
        let mut passes = cases.len();
        let mut randomisation = Vec::new();
        for part in [Part::Head, Part::Base] {
            randomisation.push(self.against_shuffled(part, &shuffled(part)?, &cases)?);
            passes += cases.iter().filter(|case| !case.is_empty()).count();
        }
        let deletion = self.delete(subject, &cases)?;
        passes += deletion.as_ref().map_or(0, |deletion| deletion.passes);
        let pointing = self.point(&cases);
        let empty = cases.iter().filter(|case| case.is_empty()).count();
        tracing::info!("tested them in {:.1} s", started.elapsed().as_secs_f64());
        let verdict = MapVerdict::of(&randomisation, deletion.as_ref());
        let mut tested = Tested {
            in_words: String::new(),
            verdict,
            images: cases.len(),
            empty,
            passes,
            randomisation,
            deletion,
            pointing,
        };
        tested.in_words = tested.words();
        Ok(tested)
    }

    /// Positions of the images, drawn so that no class and no end of the list is preferred.
    fn drawn(&self) -> Vec<usize> {
        let key = |image: &TestImage| {
            let seed = self.bootstrap.seed.to_le_bytes();
            Digest::of_fields([&seed[..], b"explanations", image.name.as_bytes()])
        };
        let images = self.test.images.iter().enumerate();
        let mut keyed: Vec<(Digest, usize)> =
            images.map(|(place, image)| (key(image), place)).collect();
        keyed.sort_unstable();
        let mut places: Vec<usize> =
            keyed.into_iter().take(self.images).map(|(_, place)| place).collect();
        places.sort_unstable();
        places
    }

    fn cases(&self, subject: &impl Subject, places: &[usize]) -> Result<Vec<Case>> {
        let bar = terminal::items_bar(places.len() as u64, "maps");
        let mut cases = Vec::with_capacity(places.len());
        for batch in places.chunks(BATCH) {
            let images: Vec<TestImage> =
                batch.iter().map(|place| self.test.images[*place].clone()).collect();
            for (place, seen) in batch.iter().zip(read_images(&images, self.input)?) {
                let prediction = &self.predictions[*place];
                cases.push(Case {
                    place: *place,
                    map: subject.map(&seen, prediction.predicted)?,
                    predicted: prediction.predicted,
                    probability: prediction.confidence(),
                    seen,
                });
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        Ok(cases)
    }
}

impl MapVerdict {
    fn of(randomisation: &[Randomisation], deletion: Option<&Deletion>) -> Self {
        match deletion {
            None => Self::Empty,
            Some(_) if randomisation.iter().any(|it| !it.changes) => Self::Unchanged,
            Some(deletion) if !deletion.is_better => Self::NoBetterThanElsewhere,
            Some(_) => Self::Passes,
        }
    }
}

impl Explanations {
    /// Whether maps may be shown: yes, unless a test has failed.
    pub(crate) fn may_be_shown(&self) -> bool {
        match self {
            Self::NotTested { .. } => true,
            Self::Tested(tested) => tested.passes(),
        }
    }
}

impl Tested {
    /// Whether maps may be shown as explanations.
    pub(crate) fn passes(&self) -> bool {
        self.verdict == MapVerdict::Passes
    }

    /// Whether there are too many empty maps to ignore.
    pub(crate) fn has_many_empty(&self) -> bool {
        self.empty as f64 > MANY_EMPTY * self.images as f64
    }

    fn words(&self) -> String {
        let verdict = match self.verdict {
            MapVerdict::Passes => {
                "The maps change when weights are shuffled, and deleting what they mark changes the \
                 answer more than deleting as much elsewhere"
            }
            MapVerdict::Unchanged => {
                "The maps hardly change when weights are shuffled: they show the picture, not what \
                 the model learnt, and are not shown"
            }
            MapVerdict::NoBetterThanElsewhere => {
                "Deleting what the maps mark is not shown to change the answer more than deleting as \
                 much elsewhere: they explain nothing, and are not shown"
            }
            MapVerdict::Empty => "Every map is empty: there is nothing to show",
        };
        let empty = match self.empty {
            0 => String::new(),
            empty => format!(" {empty} of {} maps are empty.", self.images),
        };
        let pointing =
            self.pointing.as_ref().map_or(String::new(), |it| format!(" {}", it.in_words()));
        format!("{verdict}.{empty}{pointing}")
    }
}

#[cfg(test)]
mod tests;
