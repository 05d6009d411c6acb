//! Cross-validation of a training by epochs, fold by fold; finished folds are kept in the work
//! folder.

use anyhow::{Context, Result, anyhow, ensure};
use classifier::learner::Learner;
use classifier::solved;
use config::{DescentParams, TrainParams};
use dataset::Split;
use fit::TrainingImages;
use fit::cross_validation::{Fold, FoldLogits};
use fit::solve::{Examples, SolveInputs};
use solvers::epochs::Logits;
use solvers::{Choice, CrossValidatedImages, EpochSearch, folds};

use crate::{Training, processes};

/// The solved head that a training starts from.
#[derive(Debug)]
pub(crate) struct SolvedStart {
    /// The head's first input.
    pub(crate) examples: Examples,
    /// The choice for it, made on all training images.
    pub(crate) choice: Choice,
}

impl Training<'_> {
    /// Finds after how many epochs to stop, and whether training beats its start. In each fold the
    /// head is solved again, without the held-out images.
    pub(crate) fn cross_validate(
        &self,
        descent: &DescentParams,
        start: Option<&SolvedStart>,
        params: &TrainParams,
    ) -> Result<EpochSearch> {
        let labels = self.images.labels_in_order(Split::Train);
        let groups = self.inputs.groups(self.images.names_in_order(Split::Train));
        let folds = folds::assign(&labels, &groups, descent.folds as usize, params.seed)
            .map_err(|error| anyhow!(error.in_words(self.images.class_names())))
            .context("deal the training images to train.descent.folds")?;
        let trained = (0..folds.count())
            .map(|fold| {
                let (number, of) = (fold + 1, folds.count());
                let (shown, held_out) = folds.divide(fold);
                if let Some(done) = self.ranks.first_decides(|| self.work.fold(number))? {
                    tracing::info!("fold {number}/{of} is done already");
                    return Ok((held_out, done));
                }
                let images = self.images.holding_out(&held_out);
                let mut learner = self.learner_of_fold(descent, start, &shown, &images, params)?;
                let extractor = &self.extractor;
                let starts_from_solved = start.is_some();
                let ranks = self.ranks;
                let fold =
                    Fold { number, of, images: &images, extractor, starts_from_solved, ranks };
                processes::share_state(&mut learner, ranks)?;
                let logits = fold.train(&mut learner, descent)?;
                if ranks.is_first() {
                    self.work.keep_fold(number, &logits)?;
                }
                Ok((held_out, logits))
            })
            .collect::<Result<Vec<_>>>()?;
        let classes = self.images.classes();
        let held =
            CrossValidatedImages { labels: &labels, classes, groups: &groups, folds: &folds };
        let epochs = 0..descent.epochs as usize;
        let epochs = epochs.map(|epoch| together(&trained, |fold| fold.epochs.get(epoch)));
        let epochs = epochs.collect::<Result<Vec<_>>>()?;
        let first = start.map(|_| together(&trained, |fold| fold.start.as_ref())).transpose()?;
        Ok(held.search(first.as_ref(), &epochs)?)
    }

    fn learner_of_fold(
        &self,
        descent: &DescentParams,
        start: Option<&SolvedStart>,
        shown: &[usize],
        images: &TrainingImages,
        params: &TrainParams,
    ) -> Result<Learner> {
        let mut weights = self.inputs.weights.clone();
        if let Some(SolvedStart { examples, choice }) = start {
            let examples = examples.at(shown);
            let problem = SolveInputs::new(self.solver()?, &examples, images, params);
            weights.extend(solved::tensors_of(&problem.fit(choice)?));
        }
        self.new_learner(&weights, descent, images, params)
    }
}

/// The logits of all folds in the order of the training images.
fn together<'a>(
    trained: &'a [(Vec<usize>, FoldLogits)],
    logits: impl Fn(&'a FoldLogits) -> Option<&'a Logits>,
) -> Result<Logits> {
    let images = trained.iter().map(|(held_out, _)| held_out.len()).sum();
    let mut rows = vec![Vec::new(); images];
    for (held_out, fold) in trained {
        let logits = logits(fold).context("find the logits of a fold")?;
        ensure!(logits.len() == held_out.len(), "find a row of logits for each image of a fold");
        for (place, row) in held_out.iter().zip(logits) {
            rows[*place].clone_from(row);
        }
    }
    Ok(rows)
}
