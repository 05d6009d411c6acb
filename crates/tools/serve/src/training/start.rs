//! Starts a training.

use std::path::Path;
use std::sync::PoisonError;

use jiff::Timestamp;
use prediction_store::{NewTraining, TrainingId, TrainingOutcome};
use services::{TrainingJob, TrainingPlace};

use crate::error::{Code, Failure};
use crate::guard::keys::Caller;
use crate::training::command::Tools;
use crate::training::job::{self, JobRequest};
use crate::training::lock::TrainingLock;
use crate::training::progress::{Outcome, Progress, State};
use crate::training::retraining::Retraining;
use crate::training::run;

/// Starts a training where the configuration says. One on this machine continues after this
/// returns.
///
/// # Errors
/// When trainings are off, there is no pipeline here or its model is not the served one, the job
/// cannot be started, a training is already running, or the store cannot be reached.
pub(crate) async fn start(retraining: &Retraining, caller: &Caller) -> Result<Started, Failure> {
    match (retraining.training.place, &retraining.training.job) {
        (TrainingPlace::Here, _) => start_here(retraining, caller).await.map(Started::Here),
        (TrainingPlace::Job, Some(job)) => {
            hand_over(retraining, job, caller).await.map(Started::Elsewhere)
        }
        (TrainingPlace::Off, _) | (TrainingPlace::Job, None) => {
            let message = "this server starts no trainings (serve.training is off)";
            Err(Failure::new(Code::Conflict, message))
        }
    }
}

/// A training that was started.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Started {
    /// It runs on this machine.
    Here(TrainingId),
    /// It was handed over.
    Elsewhere(TrainingId),
}

/// Starts the job, and records what the other machine answered.
async fn hand_over(
    retraining: &Retraining,
    job: &TrainingJob,
    caller: &Caller,
) -> Result<TrainingId, Failure> {
    let Retraining { training, swap, records } = retraining;
    let started_at = Timestamp::now();
    let served = swap.host.shelf.current();
    let new = NewTraining {
        started_at,
        key_name: Some(caller.name.clone()),
        model_before: served.description.digests.weights,
    };
    // Recorded only afterwards: a server that is killed meanwhile leaves no training that never ends.
    let _one_at_a_time = locked(&training.folder)?;
    let id = TrainingId::new(started_at);
    let request = JobRequest {
        training: id.to_string(),
        model: swap.host.places.name.clone(),
        model_before: served.name.digest.clone(),
        requested_by: caller.name.clone(),
    };
    training.change(|progress| {
        *progress = Progress::started(id.to_string(), started_at, Vec::new());
    });
    let outcome = match job::start(job, request).await {
        Ok(answer) => TrainingOutcome::HandedOver { reason: format!("handed over: {answer}") },
        Err(error) => TrainingOutcome::Failed { reason: format!("it failed to {error:#}") },
    };
    let finished_at = Timestamp::now();
    records.store.record_training(id, &new, finished_at, &outcome).await?;
    let (state, reason) = match &outcome {
        TrainingOutcome::Failed { reason } => (State::Failed, reason.clone()),
        TrainingOutcome::HandedOver { reason }
        | TrainingOutcome::Promoted { reason, .. }
        | TrainingOutcome::Kept { reason, .. } => (State::Succeeded, reason.clone()),
    };
    let ended = Outcome { promoted: false, reason: reason.clone() };
    training.change(|progress| progress.finished(finished_at, state, ended));
    if state == State::Failed {
        tracing::error!("the training was not handed over: {reason}");
        return Err(Failure::new(Code::Conflict, format!("nothing is trained: {reason}")));
    }
    tracing::info!(reason, "the training was handed over");
    Ok(id)
}

async fn start_here(retraining: &Retraining, caller: &Caller) -> Result<TrainingId, Failure> {
    let tools = Tools::find().map_err(|error| {
        let message = format!("nothing can be trained here: {error:#}");
        Failure::new(Code::Conflict, message)
    })?;
    let Retraining { training, swap, records } = retraining;
    let places = &swap.host.places;
    if !is_same_folder(&places.folder, &places.pipeline_output) {
        let message = format!(
            "nothing can be trained here: the model of {} is served (--model), and the pipeline \
             makes {}",
            places.folder.display(),
            places.pipeline_output.display()
        );
        return Err(Failure::new(Code::Conflict, message));
    }
    let lock = locked(&training.folder)?;
    let started_at = Timestamp::now();
    let new = NewTraining {
        started_at,
        key_name: Some(caller.name.clone()),
        model_before: swap.host.shelf.current().description.digests.weights,
    };
    let id = records.store.start_training(&new).await?;
    training.change(|progress| {
        *progress = Progress::started(id.to_string(), started_at, tools.stages.clone());
    });
    let task = tokio::spawn(run::run(retraining.clone(), tools, lock, id)).abort_handle();
    *training.task.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
    Ok(id)
}

/// The lock that one training of this server holds.
fn locked(folder: &Path) -> Result<TrainingLock, Failure> {
    let lock = TrainingLock::take(folder).map_err(|error| {
        tracing::error!("failed to lock the training in {}: {error}", folder.display());
        Failure::new(Code::StoreUnavailable, "the training could not be locked; the log says more")
    })?;
    lock.ok_or_else(|| {
        let message = "start a training: the programs of one are running; wait until they end. If \
                       a killed server started them, `lsof` on training.lock in serve.folder \
                       lists them";
        Failure::new(Code::Conflict, format!("failed to {message}"))
    })
}

/// Whether two paths lead to the same folder, in any spelling.
fn is_same_folder(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    one == other || real(one).is_some_and(|one| Some(one) == real(other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_the_same_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let model = folder.path().join("model");
        assert!(is_same_folder(&model, &model), "one that is not there yet");
        assert!(!is_same_folder(&model, &folder.path().join("./x/../model")), "nothing is known");
        std::fs::create_dir(&model).unwrap();
        assert!(is_same_folder(&model, &folder.path().join("./model/../model")));
        assert!(!is_same_folder(&model, folder.path()));
    }
}
