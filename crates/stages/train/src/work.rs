//! The untracked folder of an unfinished run.
//!
//! An epoch is done when `state.safetensors` records it: the checkpoint is written first, then the
//! state, each completely or not at all. A run that is killed between the two writes the same
//! checkpoint again.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use artifact::{Digest, WithPath};
use classifier::checkpoint::{
    self, CheckpointDigests, CheckpointMetadata, EpochRow, ValidationScores,
};
use classifier::learner::{Learner, LearnerState};
use classifier::solved::Solved;
use classifier::tensors::{self, TensorMap};
use fit::History;
use fit::cross_validation::FoldLogits;
use serde::{Deserialize, Serialize};
use solvers::EpochSearch;

use crate::inputs::{Inputs, RunInputs};

const STATE_FILE: &str = "state.safetensors";
const LOCK_FILE: &str = "lock";
const INPUTS_FILE: &str = "inputs.json";

/// How the head of a checkpoint was made.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    /// It was solved.
    pub(crate) solved: Option<Solved>,
    /// It learnt by epochs, and a cross-validation chose their number.
    pub(crate) epochs: Option<EpochSearch>,
}

/// The folder, locked by this process; or what a process knows of it that leaves writing to another.
#[derive(Debug)]
pub(crate) struct WorkFolder {
    path: PathBuf,
    inputs: Digest,
    progress: Progress,
    /// The system releases it when the process ends in any way. None: another process writes.
    lock: Option<File>,
}

/// The progress; the metadata of the state file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    history: History,
    checkpoints: CheckpointDigests,
    optimizer_steps: u64,
}

/// The state file's metadata.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateMetadata {
    inputs: Digest,
    progress: Progress,
}

/// The result of an epoch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scored {
    pub(crate) row: EpochRow,
    pub(crate) validation: ValidationScores,
}

impl WorkFolder {
    /// Opens or makes the folder of a run.
    pub(crate) fn open(training_work: &Path, run: &RunInputs) -> Result<Self> {
        let path = training_work.join(run.id().to_string());
        artifact::create_folder(&path)?;
        let lock = lock(&path)?;
        warn_of_others(training_work, run);
        artifact::write_json(&path.join(INPUTS_FILE), run)?;
        Ok(Self { lock: Some(lock), ..Self::of_follower(training_work, run) })
    }

    /// The folder as a process has it that does not write: it only counts the epochs.
    pub(crate) fn of_follower(training_work: &Path, run: &RunInputs) -> Self {
        let path = training_work.join(run.id().to_string());
        Self { path, inputs: run.digest(), progress: Progress::default(), lock: None }
    }

    /// Restores the progress of an earlier process, if there is any; returns the number of finished
    /// epochs.
    ///
    /// A state that cannot be used, or whose checkpoints are missing or changed, is discarded with
    /// a warning: the run starts over and reaches the same result.
    pub(crate) fn resume(&mut self, learner: &mut Learner) -> Result<usize> {
        let path = self.path.join(STATE_FILE);
        if !path.exists() {
            return Ok(0);
        }
        match self.try_resume(&path, learner) {
            Ok(progress) => self.progress = progress,
            Err(error) => tracing::warn!(
                "starting over, because the state of the earlier run is unusable: {error:#}"
            ),
        }
        Ok(self.progress.history.rows().len())
    }

    fn try_resume(&self, path: &Path, learner: &mut Learner) -> Result<Progress> {
        let state = tensors::read::<StateMetadata>(path)?;
        if state.metadata.inputs != self.inputs {
            bail!("{} belongs to other inputs", path.display());
        }
        for (name, recorded) in &state.metadata.progress.checkpoints {
            let found = Digest::of_file(&self.path.join(name))?;
            if found != *recorded {
                bail!("checkpoint {name} has changed since it was written");
            }
        }
        let steps = state.metadata.progress.optimizer_steps;
        let learner_state = LearnerState { tensors: state.tensors, steps };
        learner.restore(&learner_state, &path.display().to_string())?;
        Ok(state.metadata.progress)
    }

    /// The finished epochs.
    pub(crate) fn history(&self) -> &History {
        &self.progress.history
    }

    /// Takes over what the writing process knows.
    pub(crate) fn set_history(&mut self, history: History) {
        self.progress.history = history;
    }

    /// Digests of the checkpoints, by file name.
    pub(crate) fn checkpoints(&self) -> &CheckpointDigests {
        &self.progress.checkpoints
    }

    /// The path of a checkpoint.
    pub(crate) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes the epoch's checkpoint, then the state that records it.
    pub(crate) fn keep(
        &mut self,
        learner: &Learner,
        inputs: &Inputs,
        scored: Scored,
        origin: Origin,
    ) -> Result<()> {
        if self.lock.is_none() {
            self.progress.history.push(scored.row);
            return Ok(());
        }
        self.write_checkpoint(&learner.checkpoint()?, inputs, scored, origin)?;
        let LearnerState { tensors, steps } = learner.state()?;
        self.progress.optimizer_steps = steps;
        let metadata = StateMetadata { inputs: self.inputs, progress: self.progress.clone() };
        tensors::write(&self.path.join(STATE_FILE), &tensors, &metadata)?;
        Ok(())
    }

    /// Writes the one checkpoint of a solved head. There is no state: a run that stopped before
    /// starts over, and gets here in seconds.
    pub(crate) fn keep_solved(
        &mut self,
        head: &TensorMap,
        inputs: &Inputs,
        scored: Scored,
        origin: Origin,
    ) -> Result<()> {
        self.write_checkpoint(head, inputs, scored, origin)
    }

    /// The result of a fold, from this or an earlier process.
    pub(crate) fn fold(&self, number: usize) -> Result<Option<FoldLogits>> {
        let path = self.fold_file(number);
        if !path.exists() {
            return Ok(None);
        }
        match artifact::read_json(&path) {
            Ok(logits) => Ok(Some(logits)),
            Err(error) => {
                tracing::warn!(
                    "training fold {number} again, for what is kept of it is unusable: {error:#}"
                );
                Ok(None)
            }
        }
    }

    /// Stores the result of a fold.
    pub(crate) fn keep_fold(&self, number: usize, logits: &FoldLogits) -> Result<()> {
        Ok(artifact::write_json(&self.fold_file(number), logits)?)
    }

    fn fold_file(&self, number: usize) -> PathBuf {
        self.path.join(format!("fold_{number}.json"))
    }

    fn write_checkpoint(
        &mut self,
        tensors: &TensorMap,
        inputs: &Inputs,
        Scored { row, validation }: Scored,
        origin: Origin,
    ) -> Result<()> {
        let name = checkpoint::file_name(row.epoch, row.train_accuracy, row.valid_accuracy);
        let metadata = CheckpointMetadata {
            format: CheckpointMetadata::FORMAT,
            run: inputs.run.id(),
            epoch: row.epoch,
            valid_accuracy: row.valid_accuracy,
            valid_loss: row.valid_loss,
            validation,
            solved: origin.solved,
            epochs: origin.epochs,
            architecture: inputs.run.architecture.clone(),
            preprocessing: inputs.run.preprocessing,
            precision: inputs.run.machine.precision,
            data: inputs.run.data,
            base: inputs.run.base,
            params: inputs.run.params_digest(),
            training: inputs.run.train.clone(),
        };
        let digest = checkpoint::write(&self.path.join(&name), tensors, &metadata)?;
        self.progress.checkpoints.insert(name, digest);
        self.progress.history.push(row);
        Ok(())
    }

    /// Removes the folder; the results have been published.
    pub(crate) fn remove(self) -> Result<()> {
        Ok(artifact::remove_folder(&self.path)?)
    }
}

/// Logs unfinished runs that differ from this one only in how it is computed, such as by another
/// number of processes: they are not gone on with.
fn warn_of_others(training_work: &Path, run: &RunInputs) {
    let Ok(folders) = std::fs::read_dir(training_work) else { return };
    let (own, this) = (run.id().to_string(), &run.machine);
    for folder in folders.flatten().map(|entry| entry.path()) {
        let is_own = folder.file_name().is_some_and(|name| *name == *own);
        if is_own || !folder.join(STATE_FILE).exists() {
            continue;
        }
        let Ok(other) = artifact::read_json::<RunInputs>(&folder.join(INPUTS_FILE)) else {
            continue;
        };
        let machine = other.machine.clone();
        if (RunInputs { machine: this.clone(), ..other }) == *run {
            tracing::warn!(
                "this run starts from its beginning: the unfinished one in {} is by {} process(es) \
                 with {} thread(s) each on {}, this one by {} with {} on {}; start as before to go on \
                 with it, or remove it",
                folder.display(),
                machine.processes,
                machine.threads,
                machine.device,
                this.processes,
                this.threads,
                this.device,
            );
        }
    }
}

fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK_FILE);
    let file = File::create(&path).with_path("open", &path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!(
                "start training in {}: another train process works on the same run",
                folder.display()
            )
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_path("lock", &path).context("keep other train processes away")
        }
    }
}
