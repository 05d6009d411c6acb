//! The finding of interest, against everything else.

use maud::html;
use metrics::{Proportion, Ranking};
use report::chart::{Axis, LineChart, Series, Stroke};
use report::{Cell, Column, Section, Table};

use super::evaluated::Evaluated;
use super::{roc, words};
use crate::scores::PositiveScores;

/// The section; none if no class counts as positive.
pub(super) fn section(evaluated: &Evaluated<'_>) -> Option<Section> {
    let positive = evaluated.scores.positive.as_ref()?;
    let names: Vec<_> = positive.classes.iter().map(|class| words::spoken(class)).collect();
    Some(Section {
        id: "positive",
        title: "The finding".into(),
        lead: format!("{} together, against all other classes.", names.join(", ")),
        body: html! {
            div.charts { (curve(evaluated, positive).markup()) }
            h3 { "Thresholds from calibration, on these images" }
            @if positive.operating_points.is_empty() {
                p { "Calibration found no threshold." }
            } @else {
                p { "Chosen on other images than these. Wilson's 95 % intervals." }
                (thresholds(positive).markup())
            }
        },
    })
}

fn curve(evaluated: &Evaluated<'_>, positive: &PositiveScores) -> LineChart {
    let indices: Vec<_> =
        positive.classes.iter().filter_map(|class| evaluated.classes.index(class).ok()).collect();
    let ranking = Ranking::against_rest(evaluated.predictions, &indices);
    let auroc = format!("AUROC {}", words::score(positive.auroc));
    let points = positive
        .operating_points
        .iter()
        .filter_map(|point| Some((1.0 - point.specificity?.share, point.sensitivity?.share)));
    let marks =
        Series { name: "thresholds".into(), points: points.collect(), stroke: Stroke::Marks };
    LineChart {
        title: "ROC of the finding".into(),
        x: Axis::share("false positive rate (1 − specificity)"),
        y: Axis::share("true positive rate (sensitivity)"),
        series: roc::series(auroc, &ranking).into_iter().chain([marks]).collect(),
        diagonal: true,
        caption: format!("Average precision {}.", words::score(positive.average_precision)),
    }
}

fn thresholds(positive: &PositiveScores) -> Table {
    let rows = positive.operating_points.iter().map(|point| {
        vec![
            Cell::sorted_by(
                format!("specificity {:.2}", point.required_specificity),
                point.required_specificity,
            ),
            Cell::sorted_by(format!("{:.4}", point.threshold), point.threshold),
            share(point.sensitivity),
            share(point.specificity),
        ]
    });
    Table {
        label: "sensitivity and specificity at the calibrated thresholds".into(),
        columns: vec![
            Column::text("Chosen for"),
            Column::number("From probability"),
            Column::number("Sensitivity"),
            Column::number("Specificity"),
        ],
        rows: rows.collect(),
    }
}

/// `0.930 (0.88–0.96), 120 of 129`.
fn share(proportion: Option<Proportion>) -> Cell {
    let Some(Proportion { hits, of, share, low, high }) = proportion else {
        return Cell::score(None);
    };
    Cell::sorted_by(format!("{share:.3} ({low:.2}–{high:.2}), {hits} of {of}"), share)
}
