//! Predictions for files on this machine, without a server: a row for each, as CSV or JSON lines.
//!
//! It uses the same preprocessing, temperature and checks as the server. Images are decoded on all
//! cores while the model predicts earlier ones.

mod arguments;
mod files;
mod heat;
mod outcome;
mod rows;
mod tally;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::sync_channel;

use anyhow::{Context, Result, bail};
use artifact::WithPath;
use classifier::ModelInput;
use classifier::backend::FORWARD_BATCH;
use classifier::model::{BatchSize, Input, Model};
use imaging::DecodeOptions;
use rayon::prelude::*;
use services::{ServeConfig, Services};

pub use arguments::{Arguments, Format};

use crate::arguments::Settings;
use crate::model::served::{ModelSource, ServedModel};
use crate::offline::heat::HeatFolder;
use crate::offline::outcome::Unusable;
use crate::offline::rows::{Row, Rows};
use crate::offline::tally::Tally;
use crate::scan::Scan;

/// Batches that may be decoded ahead of the model.
const AHEAD: usize = 2;

/// Predicts every file, and returns the exit code.
///
/// # Errors
/// When the configuration or the model cannot be used, there are no files, or the output cannot be
/// written. A file that is not an image becomes a row with the error, and exit code 3; exit code 4
/// if no file was predicted.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Settings { config, services } = arguments.settings()?;
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
    let tally = match &arguments.output {
        None => predicting.write(&files, arguments.format, io::stdout().lock())?,
        Some(path) => {
            let mut tally = Tally::default();
            let mut failure = None;
            artifact::write_with(path, |file| {
                match predicting.write(&files, arguments.format, file) {
                    Ok(counted) => tally = counted,
                    Err(error) => failure = Some(error),
                }
                if failure.is_some() { Err(io::Error::other("not whole")) } else { Ok(()) }
            })
            .map_err(|error| failure.take().unwrap_or_else(|| error.into()))?;
            tally
        }
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
    fn write(&self, files: &[PathBuf], format: Format, output: impl Write) -> Result<Tally> {
        let mut rows = Rows::start(format, self.served.classes.names(), BufWriter::new(output))?;
        let bar = terminal::items_bar(files.len() as u64, "images");
        let mut tally = Tally::default();
        std::thread::scope(|scope| -> Result<()> {
            let (batches, decoded) = sync_channel(AHEAD);
            let input = self.served.description.input();
            let options = self.options;
            scope.spawn(move || {
                let prepare = |file: &PathBuf| (file.clone(), prepare(file, &input, &options));
                for batch in files.chunks(FORWARD_BATCH) {
                    let prepared: Vec<Prepared> = batch.par_iter().map(prepare).collect();
                    if batches.send(prepared).is_err() {
                        return;
                    }
                }
            });
            for batch in decoded {
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

fn prepare(file: &Path, input: &ModelInput, options: &DecodeOptions) -> Result<Scan, Unusable> {
    let bytes = std::fs::read(file).with_path("read", file).map_err(Unusable::unreadable)?;
    Scan::prepare(&bytes, input, options).map_err(Unusable::from)
}
