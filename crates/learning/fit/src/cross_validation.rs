//! Cross-validation of a training by epochs: each fold is held out of one whole training.

use anyhow::Result;
use classifier::features::Extractor;
use classifier::learner::Learner;
use config::DescentParams;
use dataset::Split;
use ranks::Ranks;
use serde::{Deserialize, Serialize};
use solvers::epochs::Logits;

use crate::{Epoch, TrainingImages, standardise};

/// Logits for the images of a fold, from trainings without it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FoldLogits {
    /// Before the first epoch; none if training starts from a random head.
    pub start: Option<Logits>,
    /// After each epoch.
    pub epochs: Vec<Logits>,
}

/// A fold, and the data for a training without it.
#[derive(Debug)]
pub struct Fold<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// The number of folds.
    pub of: usize,
    /// All but the fold as training images, the fold as validation images.
    pub images: &'a TrainingImages,
    /// Computes the output of the frozen part for images.
    pub extractor: &'a Extractor,
    /// Whether the learner starts from a solved head, whose logits are worth recording.
    pub starts_from_solved: bool,
    /// The processes that train together.
    pub ranks: &'a Ranks,
}

impl Fold<'_> {
    /// Trains for all epochs, and predicts the fold after each.
    ///
    /// # Errors
    /// When an image cannot be used, or the loss is no longer finite.
    pub fn train(&self, learner: &mut Learner, descent: &DescentParams) -> Result<FoldLogits> {
        standardise(learner, self.extractor, self.images, self.ranks)?;
        let start = self.starts_from_solved.then(|| self.ask(learner)).transpose()?;
        let mut epochs = Vec::new();
        for number in 1..=descent.epochs {
            let epoch = Epoch::new(descent, number, descent.epochs);
            let report = epoch.run(learner, self.extractor, self.images, self.ranks)?;
            tracing::info!("fold {}/{}, {report}", self.number, self.of);
            epochs.push(report.logits);
        }
        Ok(FoldLogits { start, epochs })
    }

    fn ask(&self, learner: &Learner) -> Result<Logits> {
        let requests = self.images.requests_in_order(Split::Valid);
        let mut logits = Vec::with_capacity(requests.len());
        self.extractor.for_each_batch(&requests, self.images.batch_size(), |activations| {
            logits.extend(learner.logits(activations)?);
            Ok(())
        })?;
        Ok(logits)
    }
}
