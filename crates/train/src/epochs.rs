//! Heads and layers that learn by epochs.

use anyhow::{Context, Result};
use classifier::architecture::BaseDescription;
use classifier::learner::{Learner, learning_rate};
use config::{DescentParams, SolveParams, TrainParams};
use training::{Epoch, standardise};

use crate::work::Scored;
use crate::{Training, tracked};

impl Training {
    /// Goes through the epochs, or through those that are left. Layers below a solved head start from
    /// that head, solved on what they see at first.
    pub(crate) fn go_through_epochs(
        &mut self,
        descent: &DescentParams,
        solve: Option<&SolveParams>,
        params: &TrainParams,
    ) -> Result<()> {
        let mut learner = self.new_learner(descent, params)?;
        match self.work.resume(&mut learner)? {
            0 => {
                if let Some(solve) = solve {
                    let solved = self.solve_below(&learner, solve, params)?;
                    self.inputs.weights.extend(solved);
                    learner = self.new_learner(descent, params)?;
                }
                standardise(&mut learner, &self.extractor, &self.images)?;
            }
            done => tracing::info!("going on after epoch {done} of {}", descent.epochs),
        }
        tracked::tell_history(&self.tracked, self.work.history());
        while let Some(number) = self.work.history().next_epoch(descent) {
            let learning_rate = learning_rate(descent, number);
            let epoch = Epoch { number, of: descent.epochs, learning_rate };
            let report = epoch.run(&mut learner, &self.extractor, &self.images)?;
            tracing::info!("{report}");
            tracked::tell_epoch(&self.tracked, &report);
            let scored = Scored { row: report.row, validation: report.validation };
            self.work.keep(&learner, &self.inputs, scored)?;
        }
        if let Some(reason) = self.work.history().stopped_early(descent) {
            tracing::info!("{reason}");
        }
        Ok(())
    }

    fn new_learner(&self, descent: &DescentParams, params: &TrainParams) -> Result<Learner> {
        Learner::new(
            &self.inputs.base.architecture,
            &self.inputs.weights,
            self.backend,
            descent,
            self.images.class_weights(params.class_weights).as_deref(),
            BaseDescription::UPDATED_BASE_FILE,
        )
        .context("set up the layers that learn")
    }
}
