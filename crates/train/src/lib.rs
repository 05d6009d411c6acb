//! Stage 3: trains the head, and the layers that are not frozen; one checkpoint an epoch.
//!
//! Works in an untracked folder named after the run, from which it resumes, and publishes
//! `Checkpoint_<run>` whole when it is done. The run is named after everything that decides its
//! result ([`RunInputs`]), so that the same inputs give the same folder and the same bytes.

mod arguments;
mod inputs;
mod publish;
mod tracked;
mod work;

use anyhow::{Context, Result};
use classifier::backend::Backend;
use classifier::features::{Extractor, RecordCounts, StoreSettings, Views};
use classifier::learner::{Learner, learning_rate};
use config::TrainParams;
use stage::Settings;
use training::{Epoch, TrainingImages, standardise};

pub use arguments::Arguments;
pub use inputs::RunInputs;
pub use training::History;

use inputs::Inputs;
use work::WorkFolder;

/// Trains as the arguments and configuration files say, or goes on where an earlier run of the
/// same inputs stopped.
///
/// # Errors
/// When an input is missing or does not fit, the loss is no longer finite, or a file cannot be
/// written. What was reached stays in the work folder.
pub fn run(arguments: &Arguments) -> Result<()> {
    let settings = arguments.settings()?;
    let params = &settings.params.train;
    let paths = &settings.config.paths;
    let backend = Backend::choose(params.device, params.precision)?;
    let inputs = Inputs::read(&settings, backend)?;
    let run = inputs.run.id();
    if publish::is_published(&paths.model_training, &run) {
        tracing::info!("run {run} is trained already: {}", run.folder_name());
        return Ok(());
    }
    tracing::info!("run {run} on {backend}");

    let mut work = WorkFolder::open(&paths.training_work, &inputs.run)?;
    let tracked = tracked::begin(&settings, &inputs, backend);
    let images =
        TrainingImages::new(&inputs.manifest, &inputs.base.architecture.class_indices(), params)?;
    let mut learner = new_learner(&inputs, &images, backend, params)?;
    let extractor = new_extractor(&inputs, backend, &settings)?;
    match work.resume(&mut learner)? {
        0 => standardise(&mut learner, &extractor, &images)?,
        done => tracing::info!("going on after epoch {done} of {}", params.epochs),
    }
    tracked::tell_history(&tracked, work.history());
    while let Some(number) = work.history().next_epoch(params) {
        let epoch =
            Epoch { number, of: params.epochs, learning_rate: learning_rate(params, number) };
        let report = epoch.run(&mut learner, &extractor, &images)?;
        tracing::info!("{report}");
        tracked::tell_epoch(&tracked, &report);
        work.keep(&learner, &inputs, report.row)?;
    }
    let RecordCounts { computed, found } = extractor.record_counts();
    tracing::info!("features: {computed} computed, {found} found in {}", paths.features.display());
    if let Some(reason) = work.history().stopped_early(params) {
        tracing::info!("{reason}");
    }
    let folder = publish::publish(&work, &inputs, &paths.model_training)?;
    tracked::tell_published(&tracked, work.history(), &folder);
    print_result(work.history(), &folder)?;
    work.remove()?;
    tracked.finish();
    Ok(())
}

fn new_learner(
    inputs: &Inputs,
    images: &TrainingImages,
    backend: Backend,
    params: &TrainParams,
) -> Result<Learner> {
    Ok(Learner::new(
        &inputs.base.architecture,
        &inputs.weights,
        backend,
        params,
        images.class_weights(params.class_weights).as_deref(),
        classifier::architecture::BaseDescription::UPDATED_BASE_FILE,
    )?)
}

fn new_extractor(inputs: &Inputs, backend: Backend, settings: &Settings) -> Result<Extractor> {
    let TrainParams { augmentation, seed, .. } = settings.params.train;
    Ok(Extractor::new(
        &inputs.base,
        &inputs.weights,
        backend,
        inputs.run.preprocessing,
        Views { augmentation, seed },
        Some(&StoreSettings::of(&settings.config)),
    )?)
}

fn print_result(history: &History, folder: &std::path::Path) -> Result<()> {
    let best = history.best().context("finish a training without an epoch")?;
    println!(
        "trained {} epochs; best validation accuracy {:.4} (loss {:.4}) in epoch {}",
        history.rows().len(),
        best.valid_accuracy,
        best.valid_loss,
        best.epoch
    );
    println!("{}", folder.display());
    Ok(())
}
