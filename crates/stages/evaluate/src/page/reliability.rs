//! Whether the stated confidence is right.

use maud::html;
use metrics::{Reliability, ReliabilityBin};
use report::Section;
use report::chart::{Axis, BarChart, BarGroup, LineChart, Series, Stroke};

use super::evaluated::Evaluated;
use super::words;

/// The section.
pub(super) fn section(evaluated: &Evaluated<'_>) -> Section {
    let table = Reliability::of_confidence(evaluated.predictions, Reliability::BINS);
    let temperature = evaluated.scores.temperature;
    let calibration = if evaluated.model.is_calibrated {
        format!("The network's output is divided by the temperature {temperature:.3}.")
    } else {
        "The model is not calibrated: these are the uncalibrated probabilities.".into()
    };
    Section {
        id: "reliability",
        title: "Reliability".into(),
        lead: format!(
            "Of the images that the model is 80 % sure of, it should be right on 80 %. Here the two \
             are {} apart on average. {calibration}",
            words::score(table.expected_calibration_error)
        ),
        body: html! {
            div.charts { (diagram(&table.bins).markup()) (counts(&table.bins).markup()) }
        },
    }
}

fn diagram(bins: &[ReliabilityBin]) -> LineChart {
    let points = bins.iter().filter_map(|bin| Some((bin.mean_confidence?, bin.accuracy?)));
    LineChart {
        title: "Accuracy by confidence".into(),
        x: Axis::share("mean confidence"),
        y: Axis::share("accuracy"),
        series: vec![Series {
            name: "images of a bin".into(),
            points: points.collect(),
            stroke: Stroke::Marked,
        }],
        diagonal: true,
        caption: "Below the diagonal the model is overconfident. Bins of few images are uncertain."
            .into(),
    }
}

fn counts(bins: &[ReliabilityBin]) -> BarChart {
    let groups = bins
        .iter()
        .map(|bin| BarGroup { name: format!("{:.1}", bin.up_to), values: vec![bin.images as f64] });
    BarChart {
        title: "Images by confidence".into(),
        x_label: "confidence up to".into(),
        y_label: "images".into(),
        bars: vec!["images".into()],
        groups: groups.collect(),
    }
}
