//! Logs a training to MLflow.

use std::path::Path;

use classifier::backend::Backend;
use classifier::checkpoint::{EpochRow, HISTORY_FILE};
use classifier::summary_table;
use dataset::ClassIndices;
use figures::{Curves, Epoch, FigureError};
use fit::{EpochReport, History};
use program::Settings;
use solvers::{EpochSearch, Search};
use tracking::{DataUse, Program, TrackedRun};

use crate::inputs::Inputs;
use crate::publish::PARAMS_FILE;

/// Begins or continues the run of a training.
pub(crate) fn begin(settings: &Settings, inputs: &Inputs, backend: Backend) -> TrackedRun {
    let run = TrackedRun::begin(settings, Program::Train, &inputs.run.id());
    run.tag("data.digest", &inputs.run.data);
    run.tag("base.digest", &inputs.run.base);
    run.tag("device", &backend);
    run.text("training/model_summary.txt", &summary_table(&inputs.run.architecture));
    run.images(settings, &inputs.manifest, DataUse::Training);
    run
}

/// Logs the epochs of an earlier process; epochs that it already logged are not logged again.
pub(crate) fn tell_history(run: &TrackedRun, history: &History) {
    history.rows().iter().for_each(|row| run.epoch(row.epoch, scores(row)));
}

/// Logs a finished epoch in one request.
pub(crate) fn tell_epoch(run: &TrackedRun, report: &EpochReport) {
    let speed = [
        ("epoch_seconds", report.duration.as_secs_f64()),
        ("images_per_second", report.images_per_second),
    ];
    run.epoch(report.row.epoch, scores(&report.row).into_iter().chain(speed));
}

/// Logs the choice of the cross-validation, and its scores.
pub(crate) fn tell_search(run: &TrackedRun, search: &Search) {
    let best = search.best();
    run.tag("head.choice", &best.choice);
    run.scores("cv", best);
}

/// Logs the result of the cross-validation of the epochs.
pub(crate) fn tell_epoch_search(run: &TrackedRun, search: &EpochSearch) {
    run.tag("epochs.choice", search);
    run.scores("cv", search.best());
}

fn scores(row: &EpochRow) -> [(&'static str, f64); 5] {
    [
        ("learning_rate", row.learning_rate),
        ("train/loss", row.train_loss),
        ("train/accuracy", row.train_accuracy),
        ("valid/loss", row.valid_loss),
        ("valid/accuracy", row.valid_accuracy),
    ]
}

/// Logs the files that describe the published training.
pub(crate) fn tell_published(run: &TrackedRun, history: &History, folder: &Path) {
    for file in [PARAMS_FILE, HISTORY_FILE] {
        run.file(&format!("training/{file}"), &folder.join(file));
    }
    let classes = ClassIndices::path_in(folder);
    run.file("training/class_indices.json", &classes);
    run.bytes("training/curves.png", || curves(history));
}

fn curves(history: &History) -> Result<Vec<u8>, FigureError> {
    let epoch = |row: &EpochRow| Epoch {
        number: row.epoch,
        train_loss: row.train_loss,
        train_accuracy: row.train_accuracy,
        valid_loss: row.valid_loss,
        valid_accuracy: row.valid_accuracy,
    };
    let epochs: Vec<Epoch> = history.rows().iter().map(epoch).collect();
    Curves { epochs: &epochs, best: history.best().map(|row| row.epoch) }.png()
}
