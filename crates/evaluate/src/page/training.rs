//! How the training went.

use classifier::checkpoint::EpochRow;
use maud::html;
use report::Section;
use report::chart::{Axis, LineChart, Series, Stroke};

/// The section; none without epochs.
pub(super) fn section(history: &[EpochRow]) -> Option<Section> {
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
            "{last} epochs. The training loss is that of learning, with label smoothing, class \
             weights and augmentation, so it may lie above the validation loss."
        ),
        body: html! { div.charts { (loss.markup()) (accuracy.markup()) } },
    })
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
        // Never so short that a tick would stand between two epochs.
        x: Axis { label: "epoch".into(), from: 0.0, to: f64::from(last.max(5)) },
        y: Axis::from_zero(unit, history.iter().flat_map(values)),
        series: series.into(),
        diagonal: false,
        caption: String::new(),
    }
}
