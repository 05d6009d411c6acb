//! The scores of each class.

use maud::html;
use metrics::{ClassSummary, Interval};
use report::{Cell, Column, Section, Table};

use super::evaluated::Evaluated;
use super::words;
use crate::scores::{ClassScores, FEW_TEST_IMAGES};

/// The section.
pub(super) fn section(evaluated: &Evaluated<'_>) -> Section {
    Section {
        id: "classes",
        title: "Classes".into(),
        lead: format!(
            "Each class against all others, with 95 % intervals. A class with fewer than \
             {FEW_TEST_IMAGES} images is marked: its scores say little."
        ),
        body: table(evaluated).markup(),
    }
}

fn table(evaluated: &Evaluated<'_>) -> Table {
    let scores = evaluated.scores;
    let columns =
        ["Images", "Recall", "Precision", "Specificity", "F1", "AUROC", "Average precision"];
    let rows = scores
        .classes
        .iter()
        .map(|(name, class)| row(name, class, scores.intervals.classes.get(name)));
    Table {
        label: "scores by class".into(),
        columns: [Column::text("Class")].into_iter().chain(columns.map(Column::number)).collect(),
        rows: rows.collect(),
    }
}

fn row(
    name: &str,
    class: &ClassScores,
    intervals: Option<&ClassSummary<Option<Interval>>>,
) -> Vec<Cell> {
    let name = html! {
        (words::spoken(name))
        @if let Some(note) = class.note { " " span.badge.warn { (note) } }
    };
    type Score<V> = fn(&ClassSummary<V>) -> V;
    type Column = (Score<Option<f64>>, Score<Option<Interval>>);
    let columns: [Column; 6] = [
        (|it| it.recall, |it| it.recall),
        (|it| it.precision, |it| it.precision),
        (|it| it.specificity, |it| it.specificity),
        (|it| it.f1, |it| it.f1),
        (|it| it.auroc, |it| it.auroc),
        (|it| it.average_precision, |it| it.average_precision),
    ];
    let scores = columns.into_iter().map(|(value, interval)| {
        Cell::interval(value(&class.scores), words::ends(intervals.and_then(interval)))
    });
    [Cell::markup(name), Cell::count(class.support as usize)].into_iter().chain(scores).collect()
}
