//! Predictions for files on this machine, without a server: a row for each, as CSV or JSON lines.
//!
//! It uses the same preprocessing, temperature and checks as the server. Images are decoded on all
//! cores while the model predicts earlier ones.

mod arguments;
mod files;
mod heat;
mod outcome;
mod rows;
mod shard;
mod source;
mod tally;

use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;

use anyhow::{Context, Result, bail};
use classifier::ModelInput;
use classifier::backend::FORWARD_BATCH;
use classifier::model::{BatchSize, Input, Model};
use imaging::DecodeOptions;
use program::ShardChoice;
use rayon::prelude::*;
use services::{ServeConfig, Services};

pub use arguments::{Arguments, Command, Format, MergeArguments};

use crate::arguments::Settings;
use crate::model::served::{ModelSource, ServedModel};
use crate::offline::heat::HeatFolder;
use crate::offline::outcome::Unusable;
use crate::offline::rows::{Row, Rows};
use crate::offline::shard::merge;
use crate::offline::source::Source;
use crate::offline::tally::Tally;
use crate::scan::Scan;

/// Batches that may be decoded ahead of the model.
const AHEAD: usize = 2;

/// Predicts every file, or those of a shard, or merges what the shards wrote; returns the exit code.
///
/// # Errors
/// When the configuration or the model cannot be used, there are no files, or the output cannot be
/// written. A file that is not an image becomes a row with the error, and exit code 3; exit code 4
/// if no file was predicted.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    if let Some(Command::Merge(arguments)) = &arguments.command {
        return merge::run(arguments);
    }
    let Settings { config, services } = arguments.settings()?;
    let shard = arguments.shard.map(ShardChoice::resolve).transpose()?;
    let Services { registry, serve: settings, .. } = &services;
    let files = files::find(&arguments.paths)?;
    if files.is_empty() {
        bail!("find images: the named paths contain no files");
    }
    let (served, model) = ServedModel::load(ModelSource {
        folder: &config.paths.model,
        evaluation: &config.paths.evaluation,
        device: settings.device,
        name: &registry.model,
    })?;
    let options = DecodeOptions { window: arguments.window, max_pixels: settings.limits.pixels() };
    let heat = arguments.explain.as_deref().map(|folder| HeatFolder::new(folder, &files));
    let predicting = Predicting { served: &served, model: &model, settings, options, heat };
    let tally = match (&arguments.output, shard) {
        (Some(path), Some(shard)) => {
            return shard::run(arguments, (shard, path), &files, &predicting);
        }
        (Some(path), None) => {
            artifact::write_through(path, |file| predicting.write(&files, arguments.format, file))?
        }
        (None, _) => predicting.write(&files, arguments.format, terminal::Output)?,
    };
    for line in tally.lines(served.classes.names()) {
        tracing::info!("{line}");
    }
    if let Some(path) = &arguments.output {
        tracing::info!("wrote {}", terminal::shown(path.display()));
    }
    Ok(tally.exit_code())
}

struct Predicting<'a> {
    served: &'a ServedModel,
    model: &'a Model,
    settings: &'a ServeConfig,
    options: DecodeOptions,
    heat: Option<HeatFolder>,
}

/// A file, and its image or the reason why there is none.
type Prepared = (PathBuf, Result<Scan, Unusable>);

impl Predicting<'_> {
    /// Writes a row for each file, in order; returns the counts.
    fn write(&self, files: &[impl Source], format: Format, output: impl Write) -> Result<Tally> {
        let mut rows = Rows::start(format, self.served.classes.names(), BufWriter::new(output))?;
        let bar = terminal::items_bar(files.len() as u64, "images");
        let mut tally = Tally::default();
        std::thread::scope(|scope| -> Result<()> {
            let (batches, decoded) = sync_channel(AHEAD);
            let input = self.served.description.input();
            let options = self.options;
            scope.spawn(move || {
                for batch in files.chunks(FORWARD_BATCH) {
                    let prepare = |file| prepare(file, &input, &options);
                    let prepared: Result<Vec<Prepared>> = batch.par_iter().map(prepare).collect();
                    if batches.send(prepared).is_err() {
                        return;
                    }
                }
            });
            for batch in decoded {
                let batch = batch?;
                bar.inc(batch.len() as u64);
                for row in self.predict(batch)? {
                    tally.count(&row);
                    rows.write(&row)?;
                }
            }
            rows.finish()
        })?;
        bar.finish_and_clear();
        Ok(tally)
    }

    fn predict(&self, batch: Vec<Prepared>) -> Result<Vec<Row>> {
        let readable = batch.iter().filter_map(|(_, scan)| scan.as_ref().ok());
        let planes: Vec<&[f32]> = readable.map(|scan| scan.planes.as_slice()).collect();
        let outputs = self.model.output(Input::Images(&planes), BatchSize::Fixed);
        let mut outputs = outputs.context("run the network")?.into_iter();
        let rows = batch.into_iter().map(|(file, scan)| match scan {
            Ok(scan) => {
                let output = outputs.next().expect("there is an output for each image");
                let row =
                    Row::of(&file, &scan, &output, self.served, self.settings.foreign_images)?;
                if let Some(heat) = self.heat.as_ref().filter(|_| row.has_class()) {
                    heat.write(&file, &scan, &output, self.model)?;
                }
                Ok(row)
            }
            Err(error) => Ok(Row::unusable(&file, error)),
        });
        rows.collect()
    }
}

fn prepare(file: &impl Source, input: &ModelInput, options: &DecodeOptions) -> Result<Prepared> {
    let scan = file
        .read()?
        .and_then(|bytes| Scan::prepare(&bytes, input, options).map_err(Unusable::from));
    Ok((file.path().to_owned(), scan))
}
