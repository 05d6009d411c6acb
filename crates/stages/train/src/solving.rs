//! Heads that are solved: chosen by cross-validation on the training split, then solved on all of it.

use anyhow::{Context, Result, bail};
use classifier::checkpoint::{EpochRow, ValidationScores};
use classifier::learner::Learner;
use classifier::solved::{self, Solved, SolvedHead};
use classifier::tensors::TensorMap;
use config::{SolveParams, TrainParams};
use dataset::Split;
use fit::solve::{Examples, SolveInputs, solver_of};
use fit::validation_scores;
use solvers::{Kind, Search};

use crate::cross_validation::SolvedStart;
use crate::work::{Origin, Scored};
use crate::{Training, tracked};

/// There are no steps, so there is no step size.
const NO_LEARNING_RATE: f64 = 0.0;

impl Training<'_> {
    /// Chooses, solves, scores, and writes the checkpoint.
    pub(crate) fn solve(&mut self, solve: &SolveParams, params: &TrainParams) -> Result<()> {
        let train = Examples::gather(&self.extractor, &self.images, Split::Train)?;
        let valid = Examples::gather(&self.extractor, &self.images, Split::Valid)?;
        let problem = self.problem(&train, params)?;
        let search = self.search(&problem, solve)?;
        let choice = search.choice().clone();
        let head = problem.solve(&choice, &self.inputs.base, &self.inputs.weights, self.backend)?;
        let on_train = self.score(&head, &train)?;
        let on_valid = self.score(&head, &valid)?;
        let row = EpochRow {
            epoch: 1,
            learning_rate: NO_LEARNING_RATE,
            train_loss: on_train.loss.unwrap_or(f64::NAN),
            train_accuracy: on_train.accuracy.unwrap_or(f64::NAN),
            valid_loss: on_valid.loss.unwrap_or(f64::NAN),
            valid_accuracy: on_valid.accuracy.unwrap_or(f64::NAN),
        };
        tracked::tell_search(&self.tracked, &search);
        let scored = Scored { row, validation: on_valid };
        let solved = Solved { choice, search };
        let origin = Origin { solved: Some(solved), epochs: None };
        self.work.keep_solved(&head.checkpoint()?, &self.inputs, scored, origin)?;
        tracked::tell_history(&self.tracked, self.work.history());
        Ok(())
    }

    /// The head to start from if layers below it learn too: its first input, and the choice for it.
    pub(crate) fn solve_below(
        &self,
        learner: &Learner,
        solve: &SolveParams,
        params: &TrainParams,
    ) -> Result<SolvedStart> {
        let examples = Examples::through(learner, &self.extractor, &self.images)?;
        let search = self.search(&self.problem(&examples, params)?, solve)?;
        tracked::tell_search(&self.tracked, &search);
        let choice = search.choice().clone();
        let learns = self.inputs.base.architecture.cuts_that_learn();
        if !choice.cuts.iter().any(|cut| learns.contains(cut)) {
            bail!(
                "train the layers below the head: it was chosen to read {} alone, which they do not change; \
                 let each set of train.solve.cuts have one of {}",
                choice.cuts.join(", "),
                learns.join(", "),
            );
        }
        Ok(SolvedStart { examples, choice })
    }

    /// The tensors of that head, solved on all training images.
    pub(crate) fn head_of(&self, start: &SolvedStart, params: &TrainParams) -> Result<TensorMap> {
        let problem = self.problem(&start.examples, params)?;
        Ok(solved::tensors_of(&problem.fit(&start.choice)?))
    }

    fn problem<'a>(
        &'a self,
        examples: &'a Examples,
        params: &TrainParams,
    ) -> Result<SolveInputs<'a>> {
        Ok(SolveInputs::new(self.solver()?, examples, &self.images, params))
    }

    pub(crate) fn solver(&self) -> Result<Kind> {
        solver_of(self.inputs.base.architecture.head.kind).context(
            "solve the head: the base was prepared for one that learns by epochs; run prepare-base",
        )
    }

    fn search(&self, problem: &SolveInputs<'_>, solve: &SolveParams) -> Result<Search> {
        let groups = self.inputs.groups(self.images.names_in_order(Split::Train));
        let search = problem.search(&groups, solve)?;
        tracing::info!("{search}");
        Ok(search)
    }

    fn score(&self, head: &SolvedHead, examples: &Examples) -> Result<ValidationScores> {
        let logits = head.logits(examples.activations())?;
        validation_scores(self.images.classes(), examples.labels(), &logits)
    }
}
