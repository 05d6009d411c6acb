//! Starts a training.

use std::path::Path;
use std::sync::PoisonError;

use jiff::Timestamp;
use prediction_store::{NewTraining, TrainingId};

use crate::error::{Code, Failure};
use crate::guard::keys::Caller;
use crate::training::command::Tools;
use crate::training::lock::TrainingLock;
use crate::training::progress::Progress;
use crate::training::retraining::Retraining;
use crate::training::run;

/// Starts a training, which continues after this returns.
///
/// # Errors
/// When there is no pipeline here or its model is not the served one, a training is already
/// running, or the store cannot be reached.
pub(crate) async fn start(retraining: &Retraining, caller: &Caller) -> Result<TrainingId, Failure> {
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
    let lock = TrainingLock::take(&training.folder).map_err(|error| {
        tracing::error!("failed to lock the training in {}: {error}", training.folder.display());
        Failure::new(Code::StoreUnavailable, "the training could not be locked; the log says more")
    })?;
    let Some(lock) = lock else {
        let message = "start a training: the programs of one are running; wait for their end. Where a \
                       server that was killed began it, `lsof` on training.lock in serve.folder \
                       tells which they are";
        return Err(Failure::new(Code::Conflict, format!("failed to {message}")));
    };
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
