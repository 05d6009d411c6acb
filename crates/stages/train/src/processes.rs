//! Several processes that share a training by epochs: what they must have in common before the first
//! step.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use classifier::backend::{self, Gpus, Machine};
use classifier::features::Extractor;
use classifier::learner::{Learner, LearnerState};
use classifier::tensors::{HostTensor, TensorMap};
use config::DeviceChoice;
use dataset::Split;
use fit::TrainingImages;
use program::{Settings, UsageError};
use ranks::{Place, Ranks};
use serde_json::Value;

use crate::Arguments;
use crate::inputs::RunInputs;
use crate::launch::Launch;

/// The program `train`, linked to MPI.
pub(crate) const WITH_MPI: &str = "train-mpi";

/// The command that starts the processes, if the configuration asks for one and none has started this
/// process; else prepares this process for working beside others.
///
/// # Errors
/// When the launcher cannot be started, or what is asked for is no work for several processes.
pub(crate) fn launch_or_prepare(
    arguments: &Arguments,
    settings: &Settings,
    ranks: &Ranks,
) -> Result<Option<Launch>> {
    let launcher = &settings.config.launcher;
    let is_by_epochs = settings.params.train.descent.is_some();
    let is_training = !arguments.trials && !arguments.features;
    if ranks.is_alone() {
        let line = launcher.command_line().filter(|_| ranks::started().is_none() && is_training);
        return match line {
            Some(_) if !is_by_epochs => {
                tracing::info!("the head is solved, in one process: nothing to launch");
                Ok(None)
            }
            Some(line) => Launch::new(line, program_with_mpi()).map(Some),
            None => Ok(None),
        };
    }
    if !is_training {
        return Err(UsageError(
            "do this in several processes: --trials and --features are for one; --shard divides \
             the features"
                .into(),
        )
        .into());
    }
    if !is_by_epochs {
        return Err(UsageError(
            "train in several processes: the head is solved (train.solve), and nothing learns by \
             epochs (train.descent); start one process"
                .into(),
        )
        .into());
    }
    ranks.set_time_limit(Duration::from_secs(launcher.time_limit_seconds));
    share_processors(ranks.place())?;
    Ok(None)
}

/// Joins the other processes, if a launcher started this one with others. `train`, which is not linked
/// to MPI, becomes `train-mpi` for that.
///
/// # Errors
/// When there is no `train-mpi`, or MPI cannot be started.
pub(crate) fn join() -> Result<Ranks> {
    let has_others = ranks::started().is_some_and(|started| started.count > 1);
    if has_others
        && Ranks::library().is_none()
        && let Some(program) = program_with_mpi()
    {
        let error = Command::new(&program).args(std::env::args_os().skip(1)).exec();
        return Err(error).with_context(|| format!("run {}", program.display()));
    }
    Ranks::join("train")
}

/// `train-mpi`: this program, or the one beside it, or the one on PATH.
fn program_with_mpi() -> Option<PathBuf> {
    let own = std::env::current_exe().ok()?;
    if Ranks::library().is_some() {
        return Some(own);
    }
    let beside = own.canonicalize().ok()?.with_file_name(WITH_MPI);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(WITH_MPI));
    std::iter::once(beside).chain(on_path).find(|program| program.is_file())
}

/// Gives each process on a machine its share of the processors, unless the environment says how many
/// threads there are to be.
fn share_processors(place: Place) -> Result<()> {
    let is_said = |name| std::env::var_os(name).is_some();
    if is_said("OMP_NUM_THREADS") || is_said("RAYON_NUM_THREADS") || place.local_count == 1 {
        return Ok(());
    }
    let processors = std::thread::available_parallelism().context("count the processors")?.get();
    backend::set_threads((processors / place.local_count).max(1)).context("limit the threads")
}

/// The GPU of this process, where several are on a machine and none is named.
pub(crate) fn device(choice: DeviceChoice, ranks: &Ranks) -> Result<DeviceChoice> {
    let Place { local_rank, local_count, .. } = ranks.place();
    if choice != DeviceChoice::Auto || local_count == 1 {
        return Ok(choice);
    }
    match Machine::look()?.cuda {
        Gpus::Devices(count) if count > 0 => Ok(DeviceChoice::Cuda(local_rank % count)),
        _ => Ok(choice),
    }
}

/// All processes must have the same images, base and parameters, and compute alike.
pub(crate) fn check_same(run: &RunInputs, ranks: &Ranks) -> Result<()> {
    let first = ranks.first_decides(|| Ok(run.clone()))?;
    if first.digest() == run.digest() {
        return Ok(());
    }
    let differ = differences(&serde_json::to_value(&first)?, &serde_json::to_value(run)?);
    bail!(
        "train together with rank 0: {} differ; all processes need the same files, the same kind of \
         processor and as many threads (OMP_NUM_THREADS)",
        differ.join(", ")
    )
}

/// The keys whose values differ, with the values where they are short.
fn differences(first: &Value, own: &Value) -> Vec<String> {
    let (Value::Object(first), Value::Object(own)) = (first, own) else { return Vec::new() };
    let keys: BTreeSet<&String> = first.keys().chain(own.keys()).collect();
    let mut found = Vec::new();
    for key in keys {
        let (first, own) = (first.get(key), own.get(key));
        if first == own {
            continue;
        }
        match (first, own) {
            (Some(first @ Value::Object(_)), Some(own @ Value::Object(_))) => {
                let below = differences(first, own).into_iter();
                found.extend(below.map(|it| format!("{key}.{it}")));
            }
            (first, own) => {
                let shown = |value: Option<&Value>| value.map_or("none".into(), Value::to_string);
                found.push(format!("{key} (rank 0: {}, here: {})", shown(first), shown(own)));
            }
        }
    }
    found
}

/// Gives every process the weights and the optimizer of rank 0.
pub(crate) fn share_state(learner: &mut Learner, ranks: &Ranks) -> Result<()> {
    if ranks.is_alone() {
        return Ok(());
    }
    let LearnerState { tensors: own, steps } = learner.state()?;
    let (shapes, steps) = ranks.first_decides(|| {
        let shapes = own.iter().map(|(name, it)| (name.clone(), it.shape().to_vec()));
        Ok((shapes.collect::<Vec<(String, Vec<usize>)>>(), steps))
    })?;
    let mut tensors = TensorMap::new();
    for (name, shape) in shapes {
        let mut values = match own.get(&name) {
            Some(tensor) if ranks.is_first() => tensor.values().to_vec(),
            _ => vec![0.0; shape.iter().product()],
        };
        ranks.share_f32(&mut values);
        tensors.insert(name, HostTensor::new(&shape, values));
    }
    if !ranks.is_first() {
        learner.restore(&LearnerState { tensors, steps }, "the state of rank 0")?;
    }
    Ok(())
}

/// Each process computes its share of the features that all need before the first step, where the
/// store keeps them.
pub(crate) fn compute_features(
    extractor: &Extractor,
    images: &TrainingImages,
    ranks: &Ranks,
) -> Result<()> {
    if ranks.is_alone() || !extractor.keeps_activations() {
        return Ok(());
    }
    let requests = images.requests_in_order(Split::Train);
    let own = &requests[ranks.part_of(requests.len())];
    let bar = terminal::items_bar(own.len() as u64, "features of training images");
    let length = extractor.activation_length();
    extractor.for_each_batch(own, images.batch_size(), |batch| {
        bar.inc((batch.len() / length) as u64);
        Ok(())
    })?;
    bar.finish_and_clear();
    ranks.wait_for_all();
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn differences_are_named_by_their_keys() {
        let first = json!({"data": "a", "machine": {"threads": 1, "device": "cpu"}});
        let own = json!({"data": "a", "machine": {"threads": 2, "device": "cpu"}});
        assert_eq!(differences(&first, &own), ["machine.threads (rank 0: 1, here: 2)"]);
        assert!(differences(&first, &first).is_empty());
    }
}
