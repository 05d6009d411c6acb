//! Heads and layers that learn by epochs.

use anyhow::{Context, Result};
use classifier::architecture::BaseDescription;
use classifier::learner::Learner;
use classifier::tensors::TensorMap;
use config::{DescentParams, SolveParams, TrainParams};
use fit::{Epoch, TrainingImages, standardise};
use solvers::EpochSearch;

use crate::cross_validation::SolvedStart;
use crate::work::{Origin, Scored};
use crate::{Training, processes, tracked};

impl Training<'_> {
    /// Finds the number of epochs, if requested, and runs them.
    pub(crate) fn descend(
        &mut self,
        descent: &DescentParams,
        solve: Option<&SolveParams>,
        params: &TrainParams,
    ) -> Result<()> {
        let start = solve.map(|solve| self.start(descent, solve, params)).transpose()?;
        let search = match descent.folds {
            0 => None,
            _ => Some(self.cross_validate(descent, start.as_ref(), params)?),
        };
        if let Some(search) = &search {
            tell(search);
            tracked::tell_epoch_search(&self.tracked, search);
        }
        if let Some(start) = &start {
            let head = self.head_of(start, params)?;
            self.inputs.weights.extend(head);
        }
        self.go_through_epochs(descent, search, params)
    }

    fn start(
        &self,
        descent: &DescentParams,
        solve: &SolveParams,
        params: &TrainParams,
    ) -> Result<SolvedStart> {
        let learner = self.new_learner(&self.inputs.weights, descent, &self.images, params)?;
        processes::compute_features(&self.extractor, &self.images, self.ranks)?;
        self.solve_below(&learner, solve, params)
    }

    /// Runs all epochs, or the remaining ones.
    fn go_through_epochs(
        &mut self,
        descent: &DescentParams,
        search: Option<EpochSearch>,
        params: &TrainParams,
    ) -> Result<()> {
        let last = search.as_ref().map_or(descent.epochs, |search| search.chosen as u32);
        let origin = Origin { solved: None, epochs: search };
        let mut learner = self.new_learner(&self.inputs.weights, descent, &self.images, params)?;
        match self.resume(&mut learner)? {
            0 => standardise(&mut learner, &self.extractor, &self.images, self.ranks)?,
            done => tracing::info!("going on after epoch {done} of {last}"),
        }
        processes::share_state(&mut learner, self.ranks)?;
        tracked::tell_history(&self.tracked, self.work.history());
        let next = |training: &Self| training.work.history().next_epoch(descent);
        while let Some(number) = next(self).filter(|number| *number <= last) {
            let epoch = Epoch::new(descent, number, last);
            let report = epoch.run(&mut learner, &self.extractor, &self.images, self.ranks)?;
            tracing::info!("{report}");
            tracked::tell_epoch(&self.tracked, &report);
            let scored = Scored { row: report.row, validation: report.validation };
            self.work.keep(&learner, &self.inputs, scored, origin.clone())?;
        }
        if let Some(reason) = self.work.history().stopped_early(descent) {
            tracing::info!("{reason}");
        }
        Ok(())
    }

    /// Restores what rank 0 finds of an earlier process; returns the number of finished epochs.
    fn resume(&mut self, learner: &mut Learner) -> Result<usize> {
        let work = &mut self.work;
        let history = self.ranks.first_decides(|| {
            work.resume(learner)?;
            Ok(work.history().clone())
        })?;
        let done = history.rows().len();
        self.work.set_history(history);
        Ok(done)
    }

    pub(crate) fn new_learner(
        &self,
        weights: &TensorMap,
        descent: &DescentParams,
        images: &TrainingImages,
        params: &TrainParams,
    ) -> Result<Learner> {
        Learner::new(
            &self.inputs.base.architecture,
            weights,
            self.backend,
            descent,
            images.class_weights(params.class_weights).as_deref(),
            BaseDescription::UPDATED_BASE_FILE,
        )
        .context("set up the layers that learn")
    }
}

/// Logs a training that is not worthwhile where people see it.
fn tell(search: &EpochSearch) {
    if search.gain.as_ref().is_some_and(|gain| !gain.beats_start) {
        tracing::warn!("{search}");
    } else {
        tracing::info!("{search}");
    }
}
