//! The score by the similarity of a test image to its nearest training image: if only look-alikes
//! are right, they may have been memorised.

use std::collections::BTreeSet;

use anyhow::Result;
use dataset::{ClassIndices, GroupNumber, Manifest};
use metrics::{Bootstrap, Estimate};
use rayon::prelude::*;
use scoring::{TestSet, read_picture};
use serde::Serialize;

use super::refits::{Compared, Copies, Refits, Trainings, mean_over};
use super::thumbnail::Thumbnail;
use super::training_pictures::TrainingPictures;
use super::words::{difference_in_words, score};

mod nearest;

use nearest::{Nearest, look_alikes, nearest, threshold};

/// Number of bins of the curve, and the least number of images in each.
const BINS: usize = 5;
const LEAST_IN_BIN: usize = 10;

/// How similarity is measured, for the reader.
const MEASURE: &str = "correlation of the greys at 32×32";

/// The results.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LookAlikes {
    /// In a sentence or two.
    pub(crate) in_words: String,
    /// How similarity is measured.
    pub(crate) measure: &'static str,
    /// Above it, two pictures are look-alikes; see `nearest::threshold`.
    pub(crate) threshold: f64,
    /// Training images that test images were compared with.
    pub(crate) training_images: usize,
    /// Test images with a look-alike in training.
    pub(crate) images: usize,
    /// Of these, those whose nearest training image is of the same class.
    pub(crate) of_same_class: usize,
    /// The score on the images without a look-alike; none if all have one.
    pub(crate) without: Option<WithoutLookAlikes>,
    /// Accuracy by similarity, from the least similar to the most.
    pub(crate) curve: Vec<CurveBin>,
    /// The effect of the look-alikes.
    pub(crate) effect: LookAlikeEffect,
}

/// The score on images without a look-alike in training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WithoutLookAlikes {
    /// Number of remaining images.
    pub(crate) images: usize,
    /// Top-1 accuracies on them, the model's first.
    pub(crate) accuracy: Vec<NamedAccuracy>,
}

/// Images of about the same similarity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CurveBin {
    /// The least and the greatest similarity in it.
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Test images.
    pub(crate) images: usize,
    /// Of these, those whose nearest training image is of the same class.
    pub(crate) of_same_class: usize,
    /// Top-1 accuracies on them, the model's first.
    pub(crate) accuracy: Vec<NamedAccuracy>,
}

/// The accuracy of the model or a baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct NamedAccuracy {
    /// `model`, or the baseline's name.
    pub(crate) name: String,
    pub(crate) accuracy: Estimate,
}

/// The effect of the look-alikes, measured by heads that were trained again.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum LookAlikeEffect {
    /// No training image looks like a test image, apart from copies.
    None,
    /// Heads were not trained.
    NotMeasured {
        /// The reason.
        reason: String,
    },
    /// Heads were trained without them, and without as many others.
    Measured {
        /// Training images that were left out.
        left_out: usize,
        /// Number of refits on as many images of each class.
        controls: usize,
        /// Accuracy on all test images: controls minus the refit without look-alikes. Both were
        /// trained without copies of test images.
        effect: Estimate,
    },
}

/// Whether the model, or a baseline, is right about each test image.
pub(crate) struct TestAnswers<'a> {
    /// `model`, or the baseline's name.
    pub(crate) name: &'a str,
    /// 1 if it is right, else 0, in the order of the test images.
    pub(crate) right: Vec<f64>,
}

/// The inputs of the search.
pub(crate) struct Search<'a> {
    pub(crate) test: &'a TestSet,
    pub(crate) classes: &'a ClassIndices,
    pub(crate) training: &'a TrainingPictures,
    pub(crate) bootstrap: Bootstrap,
}

/// The data for training heads again: the training images without copies of test images.
pub(crate) struct RefitWithoutCopies<'a> {
    pub(crate) refits: &'a Refits<'a>,
    pub(crate) without_copies: &'a Manifest,
}

/// The nearest training image of each test image, and the threshold of look-alikes.
pub(crate) struct NearestImages {
    nearest: Vec<Nearest>,
    of_same_class: Vec<bool>,
    threshold: f64,
    /// Positions of training images that look like a test image.
    training: Vec<usize>,
}

impl Search<'_> {
    /// Compares every test image with every training image. None if training has one class only,
    /// because the threshold cannot be determined then.
    ///
    /// # Errors
    /// When a test image cannot be read.
    pub(crate) fn find(&self) -> Result<Option<NearestImages>> {
        let pictures = &self.training.pictures;
        let Some(threshold) = threshold(pictures, self.bootstrap.seed) else { return Ok(None) };
        let read = |image| read_picture(image).map(|picture| Thumbnail::of(&picture));
        let thumbnails: Vec<_> = self.test.images.par_iter().map(read).collect();
        let thumbnails: Vec<Thumbnail> = thumbnails.into_iter().collect::<Result<_, _>>()?;
        let nearest = nearest(&thumbnails, pictures);
        let of_same_class = self.test.images.iter().zip(&nearest).map(|(image, nearest)| {
            self.classes.name(image.actual) == Some(pictures[nearest.picture].class.as_str())
        });
        Ok(Some(NearestImages {
            of_same_class: of_same_class.collect(),
            training: look_alikes(&thumbnails, pictures, threshold),
            nearest,
            threshold,
        }))
    }

    /// Trains heads without the look-alikes, and controls. None if there are no look-alikes.
    ///
    /// # Errors
    /// When a head cannot be trained.
    pub(crate) fn train_again(
        &self,
        found: &NearestImages,
        again: &RefitWithoutCopies<'_>,
    ) -> Result<Option<Compared>> {
        let known: BTreeSet<&str> =
            again.without_copies.records().iter().map(|image| image.path.as_str()).collect();
        let of_place = |place: &usize| self.training.pictures[*place].path.clone();
        let paths =
            found.training.iter().map(of_place).filter(|path| known.contains(path.as_str()));
        // Each counts separately: unlike copies, none represents another.
        let left_out: Copies =
            paths.zip(0..).map(|(path, number)| (path, GroupNumber(number))).collect();
        if left_out.is_empty() {
            return Ok(None);
        }
        again.refits.compare(again.without_copies, &left_out, "look-alikes").map(Some)
    }

    /// The curve, the score without look-alikes, and their effect. `answers` begin with the
    /// model's.
    pub(crate) fn tell(
        &self,
        found: &NearestImages,
        answers: &[TestAnswers<'_>],
        again: Option<&Compared>,
    ) -> LookAlikes {
        let all = 0..self.test.images.len();
        let is_alike = |place: &usize| found.nearest[*place].similarity > found.threshold;
        let (alike, rest): (Vec<usize>, Vec<usize>) = all.partition(is_alike);
        let without = (!rest.is_empty()).then(|| WithoutLookAlikes {
            images: rest.len(),
            accuracy: self.accuracies(answers, &rest),
        });
        let effect = self.effect(again);
        LookAlikes {
            in_words: in_words(alike.len(), without.as_ref(), &effect),
            measure: MEASURE,
            threshold: found.threshold,
            training_images: self.training.pictures.len(),
            images: alike.len(),
            of_same_class: alike.iter().filter(|place| found.of_same_class[**place]).count(),
            without,
            curve: self.curve(found, answers),
            effect,
        }
    }

    fn curve(&self, found: &NearestImages, answers: &[TestAnswers<'_>]) -> Vec<CurveBin> {
        let mut places: Vec<usize> = (0..found.nearest.len()).collect();
        let similarity = |place: usize| found.nearest[place].similarity;
        places.sort_by(|a, b| similarity(*a).total_cmp(&similarity(*b)));
        let bins = (places.len() / LEAST_IN_BIN).clamp(1, BINS);
        let edge = |bin: usize| bin * places.len() / bins;
        let bin = |bin: usize| {
            let places = &places[edge(bin)..edge(bin + 1)];
            let (first, last) = (*places.first()?, *places.last()?);
            Some(CurveBin {
                from: similarity(first),
                to: similarity(last),
                images: places.len(),
                of_same_class: places.iter().filter(|it| found.of_same_class[**it]).count(),
                accuracy: self.accuracies(answers, places),
            })
        };
        (0..bins).filter_map(bin).collect()
    }

    fn accuracies(&self, answers: &[TestAnswers<'_>], places: &[usize]) -> Vec<NamedAccuracy> {
        let accuracy = |answers: &TestAnswers<'_>| NamedAccuracy {
            name: answers.name.to_owned(),
            accuracy: mean_over(&self.bootstrap, self.test, places, &answers.right),
        };
        answers.iter().map(accuracy).collect()
    }

    fn effect(&self, again: Option<&Compared>) -> LookAlikeEffect {
        match again {
            None => LookAlikeEffect::None,
            Some(Err(reason)) => LookAlikeEffect::NotMeasured { reason: reason.clone() },
            Some(Ok(trainings)) => LookAlikeEffect::Measured {
                left_out: trainings.left_out,
                controls: trainings.controls.len(),
                effect: self.gain(trainings),
            },
        }
    }

    fn gain(&self, trainings: &Trainings) -> Estimate {
        let all: Vec<usize> = (0..self.test.images.len()).collect();
        mean_over(&self.bootstrap, self.test, &all, &trainings.accuracy_gains())
    }
}

fn in_words(
    images: usize,
    without: Option<&WithoutLookAlikes>,
    effect: &LookAlikeEffect,
) -> String {
    let have = if images == 1 { "image has" } else { "images have" };
    let rest = match without {
        Some(WithoutLookAlikes { images, accuracy }) => {
            let value = accuracy.first().and_then(|model| model.accuracy.value);
            format!("on the {images} others the accuracy is {}", score(value))
        }
        None => "there are no others".into(),
    };
    let worth = match effect {
        LookAlikeEffect::None => String::new(),
        LookAlikeEffect::NotMeasured { reason } => {
            format!(" What they are worth was not measured: {reason}.")
        }
        LookAlikeEffect::Measured { left_out, effect, .. } => format!(
            " A head trained without the {left_out} training images that look like a test image \
             loses {} against heads trained without as many others.",
            difference_in_words(effect)
        ),
    };
    format!("{images} test {have} a look-alike in training; {rest}.{worth}")
}

#[cfg(test)]
mod tests;
