//! Stage 4: trains the head, and the layers that are not frozen.
//!
//! A head that is solved (`linear`, `kernel`) chooses its settings by cross-validation on the training
//! split and leaves one checkpoint; any other learns by epochs, and leaves one each.
//!
//! Works in an untracked folder named after the run, from which it resumes, and publishes the
//! complete `Checkpoint_<run>` when it is done. The run is named after everything that affects its
//! result ([`RunInputs`]), so that the same inputs give the same folder and the same bytes.

mod arguments;
mod cross_validation;
mod epochs;
mod features;
mod inputs;
mod launch;
mod processes;
mod publish;
mod solving;
mod tracked;
mod trials;
mod work;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use classifier::backend::{Backend, Machine};
use classifier::checkpoint::RunId;
use classifier::features::{ActivationCounts, Extractor, StoreSettings, Views};
use dataset::Split;
use fit::TrainingImages;
use fit::solve::Examples;
use program::Settings;
use ranks::Ranks;
use serde_json::json;
use tracking::TrackedRun;

pub use arguments::Arguments;
pub use fit::History;
pub use inputs::RunInputs;

use inputs::Inputs;
use trials::Trials;
use work::WorkFolder;

/// The whole program: parses the arguments, joins the other processes if a launcher started this one
/// with others, trains, and returns the exit code.
///
/// If it fails beside others, all of them end.
pub fn start() -> ExitCode {
    let arguments = Arguments::parse();
    let ranks = match processes::join() {
        Ok(ranks) => ranks,
        Err(error) => return program::finish::<()>("train", Err(error)),
    };
    if ranks.is_first() {
        program::start_logging(arguments.common.verbose, arguments.common.quiet);
    } else {
        program::start_with_errors_alone();
    }
    let name = match ranks.is_alone() {
        true => "train".to_owned(),
        false => format!("train ({})", ranks.place()),
    };
    let outcome = run(&arguments, &ranks);
    let failure = outcome.as_ref().err().map(program::exit_number);
    let code = program::finish(&name, outcome);
    if let Some(number) = failure {
        // The others would wait for this process for ever.
        ranks.abort(number);
    }
    code
}

/// Trains according to the arguments and configuration files, or resumes an earlier run of the same
/// inputs. Where the configuration asks for several processes and this one was started alone, it
/// starts the launcher that starts them, and waits.
///
/// # Errors
/// When an input is missing or does not fit, a head cannot be solved, the loss is no longer finite,
/// or a file cannot be written. Finished work stays in the work folder.
fn run(arguments: &Arguments, ranks: &Ranks) -> Result<ExitCode> {
    if arguments.machine {
        describe_machine().context("describe the machine")?;
        return Ok(ExitCode::SUCCESS);
    }
    let settings = arguments.settings()?;
    if let Some(launch) = processes::launch_or_prepare(arguments, &settings, ranks)? {
        return launch.run();
    }
    work(arguments, &settings, ranks)?;
    Ok(ExitCode::SUCCESS)
}

fn work(arguments: &Arguments, settings: &Settings, ranks: &Ranks) -> Result<()> {
    let params = &settings.params.train;
    let paths = &settings.config.paths;
    let backend = Backend::choose(processes::device(params.device, ranks)?, params.precision)?;
    let inputs = Inputs::read(settings, backend, ranks)?;
    if arguments.trials {
        return answer_trials(settings, &inputs, backend);
    }
    if arguments.features {
        return features::keep(arguments, settings, &inputs, backend);
    }
    let run = inputs.run.id();
    if ranks.first_decides(|| Ok(publish::is_published(&paths.model_training, &run)))? {
        if !ranks.is_first() {
            return Ok(());
        }
        let folder = paths.model_training.join(run.folder_name());
        let text = format!("run {run} is trained already\n{}", folder.display());
        let facts = json!({"program": "train", "output": folder, "run": run.to_string()});
        return arguments.common.print(&text, &facts);
    }
    if ranks.is_alone() {
        tracing::info!("run {run} on {backend}");
    } else {
        tracing::info!("run {run} by {} processes, each on {backend}", ranks.place().count);
    }

    let (work, tracked) = if ranks.is_first() {
        let work = WorkFolder::open(&paths.training_work, &inputs.run)?;
        (work, tracked::begin(settings, &inputs, backend))
    } else {
        (WorkFolder::of_follower(&paths.training_work, &inputs.run), TrackedRun::off())
    };
    let images =
        TrainingImages::new(&inputs.manifest, &inputs.base.architecture.class_indices(), params)?;
    let extractor = new_extractor(&inputs, backend, settings)?;
    let mut training = Training { inputs, images, extractor, backend, work, tracked, ranks };
    match (&params.solve, &params.descent) {
        (Some(solve), None) => training.solve(solve, params)?,
        (solve, Some(descent)) => training.descend(descent, solve.as_ref(), params)?,
        (None, None) => bail!("train: neither train.solve nor train.descent says how"),
    }
    if !ranks.is_first() {
        return Ok(());
    }
    let ActivationCounts { computed, found } = training.extractor.activation_counts();
    tracing::info!("features: {computed} computed, {found} found in {}", paths.features.display());

    let Training { inputs, work, tracked, .. } = training;
    let folder = publish::publish(&work, &inputs, &paths.model_training)?;
    tracked::tell_published(&tracked, work.history(), &folder);
    print_result(arguments, &run, work.history(), &folder)?;
    work.remove()?;
    tracked.finish();
    Ok(())
}

/// Prints what this program computes with here, and the MPI library that it is linked to, if any.
fn describe_machine() -> Result<()> {
    let mut machine = serde_json::to_value(Machine::look()?)?;
    if let Some(library) = Ranks::library() {
        machine["mpi"] = library.into();
    }
    Ok(writeln!(terminal::Printed, "{}", serde_json::to_string_pretty(&machine)?)?)
}

/// Scores heads that others choose, and trains nothing.
fn answer_trials(settings: &Settings, inputs: &Inputs, backend: Backend) -> Result<()> {
    let architecture = &inputs.base.architecture;
    if !architecture.is_frozen() || !architecture.head.kind.is_solved() {
        bail!(
            "score trials: heads are scored on the features of a frozen base; set \
             prepare_base.freeze: all and prepare_base.head.kind: linear or kernel"
        );
    }
    let params = &settings.params;
    let classes = architecture.class_indices();
    let images = TrainingImages::new(&inputs.manifest, &classes, &params.train)?;
    let extractor = new_extractor(inputs, backend, settings)?;
    let examples = Examples::gather(&extractor, &images, Split::Train)?;
    let groups = inputs.groups(images.names_in_order(Split::Train));
    let trials = Trials { base: &inputs.base, params, images: &images, examples, groups };
    trials.answer(std::io::stdin().lock(), terminal::Printed)
}

/// A running training.
struct Training<'a> {
    inputs: Inputs,
    images: TrainingImages,
    extractor: Extractor,
    backend: Backend,
    work: WorkFolder,
    tracked: TrackedRun,
    /// The processes that share it.
    ranks: &'a Ranks,
}

fn new_extractor(inputs: &Inputs, backend: Backend, settings: &Settings) -> Result<Extractor> {
    let train = &settings.params.train;
    Ok(Extractor::new(
        &inputs.base,
        &inputs.weights,
        backend,
        inputs.run.preprocessing,
        Views { augmentation: train.augmentation(), seed: train.seed },
        Some(&StoreSettings::of(&settings.config)),
    )?)
}

fn print_result(
    arguments: &Arguments,
    run: &RunId,
    history: &History,
    folder: &Path,
) -> Result<()> {
    let best = history.best().context("finish a training without an epoch")?;
    let text = format!(
        "trained; best validation accuracy {:.4} (loss {:.4}) in epoch {} of {}\n{}",
        best.valid_accuracy,
        best.valid_loss,
        best.epoch,
        history.rows().len(),
        folder.display()
    );
    let facts = json!({
        "program": "train",
        "output": folder,
        "run": run.to_string(),
        "epochs": history.rows().len(),
        "best_epoch": best.epoch,
        "valid_accuracy": best.valid_accuracy,
        "valid_loss": best.valid_loss,
    });
    arguments.common.print(&text, &facts)
}
