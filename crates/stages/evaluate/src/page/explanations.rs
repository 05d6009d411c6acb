//! Whether the maps of where the model looked can be trusted.

use maud::{Markup, html};
use report::chart::{Axis, LineChart, Series, Stroke};
use report::{Cell, Column, Section, Table};

use super::evaluated::Evaluated;
use super::words;
use crate::explanations::{Deletion, Explanations, Part, Randomisation, Tested};

/// The section.
pub(super) fn section(evaluated: &Evaluated<'_>) -> Section {
    let explanations = &evaluated.scores.explanations;
    Section {
        id: "explanations",
        title: "Are the heat maps faithful?".into(),
        lead: "A heat map is shown below only if it passes two tests: it must change with the \
               model's weights, and what it marks must affect the prediction."
            .into(),
        body: match explanations {
            Explanations::NotTested { reason } => html! { p { "Not tested: " (reason) "." } },
            Explanations::Tested(tested) => body(tested),
        },
    }
}

fn body(tested: &Tested) -> Markup {
    html! {
        p { strong { (tested.in_words) } }
        div.charts {
            @if let Some(deletion) = &tested.deletion { (curves(deletion)) }
            (randomisation(&tested.randomisation))
        }
        @if let Some(deletion) = &tested.deletion {
            p {
                "Area below the deletion curve: " (words::score(deletion.marked_area.value))
                " where the marked places go first, " (words::score(deletion.elsewhere_area.value))
                " where the same shape elsewhere does; gain "
                (words::signed(deletion.gain.value)) " ("
                (words::interval(deletion.gain.interval, words::signed)) ")."
            }
        }
        p {
            (words::number(tested.images as u64, "test image", "test images")) " drawn, "
            (words::number(tested.empty as u64, "map", "maps")) " of them empty; " (tested.passes)
            " passes of the network. evaluate.explanations says how many images."
        }
    }
}

fn curves(deletion: &Deletion) -> Markup {
    let series = |name: &str, marked: bool| Series {
        name: name.into(),
        points: deletion
            .curve
            .iter()
            .map(|it| (it.share, if marked { it.marked } else { it.elsewhere }))
            .collect(),
        stroke: Stroke::Marked,
    };
    let chart = LineChart {
        title: "Probability of the answer as more of the picture is covered".into(),
        x: Axis::share("share of the picture covered"),
        y: Axis::share("mean probability of the predicted class"),
        series: vec![
            series("what the map marks first", true),
            series("the same shape elsewhere first", false),
        ],
        diagonal: false,
        caption: "The further the first line is below the second, the more the map shows what \
                  affects the prediction."
            .into(),
    };
    chart.markup()
}

fn randomisation(tests: &[Randomisation]) -> Markup {
    let row = |test: &Randomisation| {
        let part = match test.part {
            Part::Head => "the head",
            Part::Base => "the convolutions",
        };
        vec![
            part.into(),
            Cell::interval(
                test.rank_correlation.value,
                words::ends(test.rank_correlation.interval),
            ),
            Cell::count(test.became_empty),
            if test.changes { "changes" } else { "stays the same" }.into(),
        ]
    };
    let table = Table {
        label: "maps of shuffled weights".into(),
        columns: vec![
            Column::text("Weights shuffled"),
            Column::number("Rank correlation of the maps"),
            Column::number("Became empty"),
            Column::text("The map"),
        ],
        rows: tests.iter().map(row).collect(),
    };
    html! {
        div {
            h3 { "Against shuffled weights" }
            (table.markup())
            p { "1 is the same map, 0 an unrelated one. From 0.8 a map shows the picture, not the model." }
        }
    }
}
