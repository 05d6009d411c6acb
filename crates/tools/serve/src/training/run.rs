//! One training, from keeping the present model to serving the new one.

use anyhow::{Result, bail};
use artifact::Digest;
use classifier::description::ModelDescription;
use jiff::Timestamp;
use prediction_store::{TrainingId, TrainingOutcome};
use tokio::process::Command;

use crate::model::served::weights_in;
use crate::training::command::{self, ProgramContext, Tools};
use crate::training::lock::TrainingLock;
use crate::training::progress::{Outcome, State};
use crate::training::retraining::Retraining;
use crate::training::{corrections, refused};

/// The exit code of `register` for a model that does not pass.
const NOT_PROMOTED: i32 = 3;

/// Runs the training, and records how it ended.
pub(super) async fn run(retraining: Retraining, tools: Tools, lock: TrainingLock, id: TrainingId) {
    let outcome = train(&retraining, &tools, &lock).await.unwrap_or_else(|error| {
        tracing::error!("the training failed to {error:#}");
        TrainingOutcome::Failed { reason: format!("it failed to {error:#}") }
    });
    let finished_at = Timestamp::now();
    let recorded = retraining.records.store.finish_training(id, finished_at, &outcome).await;
    if let Err(error) = recorded {
        tracing::error!("how the training ended is not kept: failed to {error}");
    }
    // The next one may start as soon as listeners know that this one ended.
    drop(lock);
    let (state, promoted, reason) = match outcome {
        TrainingOutcome::Promoted { reason, .. } => (State::Succeeded, true, reason),
        TrainingOutcome::Kept { reason, .. } | TrainingOutcome::HandedOver { reason } => {
            (State::Succeeded, false, reason)
        }
        TrainingOutcome::Failed { reason } => (State::Failed, false, reason),
    };
    tracing::info!(promoted, reason, "the training ended");
    let outcome = Outcome { promoted, reason };
    retraining.training.change(|progress| progress.finished(finished_at, state, outcome));
}

async fn train(
    retraining: &Retraining,
    tools: &Tools,
    lock: &TrainingLock,
) -> Result<TrainingOutcome> {
    let training = &retraining.training;
    let held = ProgramContext { lock, groups: &training.groups, mask: training.mask };
    let before = training.kept_model();
    let served = retraining.swap.host.shelf.current().description.digests.weights;
    let on_disk = ModelDescription::read(&retraining.swap.host.places.folder)?.digests.weights;
    if served == on_disk {
        run_to_success(retraining, &tools.register("--keep", &before), &held).await?;
    } else if weights_in(&before.join("data")) != Some(served) {
        // A refused model may be there, but then the model to beat is kept.
        bail!(
            "find the model that answers: it is neither in {} nor in {}; let the one in {0} answer \
             first, with POST /v1/model/reload",
            retraining.swap.host.places.folder.display(),
            before.display()
        );
    }
    if let Some(folder) = &retraining.training.corrections {
        let (images, without) = corrections::export(&retraining.records, folder).await?;
        retraining.training.log(&format!(
            "{images} corrected images are in {}; {without} corrections have no image that was kept",
            folder.display()
        ));
    }
    run_to_success(retraining, &tools.repro(), &held).await?;
    let after = ModelDescription::read(&retraining.swap.host.places.folder)?.digests.weights;
    if after == served {
        let reason = "nothing has changed: it is the model that answers already".to_owned();
        return Ok(TrainingOutcome::Kept { model_after: after, reason });
    }
    let mut last_line = String::new();
    let register = tools.register("--against", &before);
    let gate = command::run(&register, &held, |line| {
        if line.starts_with("the model ") {
            line.clone_into(&mut last_line);
        }
        retraining.training.log(line);
    });
    match gate.await?.code() {
        Some(0) => promote(retraining, after, last_line).await,
        Some(NOT_PROMOTED) => {
            let instead = before.join("data");
            refused::refuse(&retraining.training.folder, after, &instead, &last_line)?;
            Ok(TrainingOutcome::Kept { model_after: after, reason: last_line })
        }
        _ => bail!("hold the new model against the present one; the log says why"),
    }
}

async fn promote(
    retraining: &Retraining,
    after: Digest,
    reason: String,
) -> Result<TrainingOutcome> {
    retraining.swap.reload().await.map_err(|failure| anyhow::anyhow!("{}", failure.message()))?;
    Ok(TrainingOutcome::Promoted { model_after: after, reason })
}

async fn run_to_success(
    retraining: &Retraining,
    command: &Command,
    held: &ProgramContext<'_>,
) -> Result<()> {
    let shown = command::shown(command);
    retraining.training.log(&format!("$ {shown}"));
    let status = command::run(command, held, |line| retraining.training.log(line)).await?;
    if !status.success() {
        bail!("run {shown}: it ended with {status}; the log says why");
    }
    Ok(())
}
