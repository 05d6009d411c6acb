//! How the training went.

use classifier::checkpoint::EpochRow;
use maud::html;
use report::chart::{Axis, LineChart, Series, Stroke};
use report::{Cell, Column, Section, Table};
use solvers::EpochSearch;
use solvers::epochs::HeldOutScores;

/// The section; none without epochs.
pub(super) fn section(history: &[EpochRow], search: Option<&EpochSearch>) -> Option<Section> {
    let last = history.last()?.epoch;
    let loss =
        chart(history, "Loss", "cross-entropy, nats", |row| [row.train_loss, row.valid_loss]);
    let accuracy = chart(history, "Accuracy", "share of images", |row| {
        [row.train_accuracy, row.valid_accuracy]
    });
    Some(Section {
        id: "training",
        title: "Training".into(),
        lead: format!(
            "{last} epochs. The training loss includes label smoothing, class \
             weights and augmentation, so it may lie above the validation loss."
        ),
        body: html! {
            div.charts { (loss.markup()) (accuracy.markup()) }
            @if let Some(search) = search {
                p { (verdict(search)) }
                (held_out(search).markup())
            }
        },
    })
}

/// How many epochs were chosen, and whether they were worthwhile.
fn verdict(search: &EpochSearch) -> String {
    let epochs = format!(
        "Cross-validation on the training split chose the number of epochs, in {} folds that keep \
         copies, scans and patients together: the first epoch that is worse than the best by no more \
         than chance.",
        search.folds
    );
    match &search.gain {
        Some(gain) => format!("{epochs} On the same held-out images {gain} (standard errors)."),
        None => epochs,
    }
}

fn held_out(search: &EpochSearch) -> Table {
    let row = |(name, mark, scores): (String, &str, &HeldOutScores)| {
        vec![
            mark.into(),
            name.into(),
            Cell::score(Some(scores.accuracy)),
            Cell::score(Some(scores.standard_error)),
            Cell::score(Some(scores.log_loss)),
        ]
    };
    let start = search.start.iter().map(|scores| ("solved head".to_owned(), "", scores));
    let epochs = search.epochs.iter().enumerate().map(|(place, scores)| {
        let mark = if place + 1 == search.chosen { "chosen" } else { "" };
        ((place + 1).to_string(), mark, scores)
    });
    Table {
        label: "cross-validation after each epoch".into(),
        columns: vec![
            Column::text(""),
            Column::text("After epoch"),
            Column::number("Accuracy"),
            Column::number("Standard error"),
            Column::number("Loss, calibrated"),
        ],
        rows: start.chain(epochs).map(row).collect(),
    }
}

fn chart(
    history: &[EpochRow],
    title: &str,
    unit: &str,
    values: fn(&EpochRow) -> [f64; 2],
) -> LineChart {
    let series = [(0, "training"), (1, "validation")].map(|(which, name)| Series {
        name: name.into(),
        points: history.iter().map(|row| (f64::from(row.epoch), values(row)[which])).collect(),
        // A line needs two points.
        stroke: if history.len() > 1 { Stroke::Line } else { Stroke::Marks },
    });
    let last = history.last().map_or(0, |row| row.epoch);
    LineChart {
        title: title.into(),
        // Never so short that a tick would fall between two epochs.
        x: Axis { label: "epoch".into(), from: 0.0, to: f64::from(last.max(5)) },
        y: Axis::from_zero(unit, history.iter().flat_map(values)),
        series: series.into(),
        diagonal: false,
        caption: String::new(),
    }
}
