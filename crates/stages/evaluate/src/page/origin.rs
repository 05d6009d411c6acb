//! Where the score comes from: the steps that are subtracted, look-alikes, and probes.

use dataset::{BaselineAudit, DrawnScores};
use maud::{Markup, html};
use report::chart::{
    Axis, IntervalLines, IntervalPoint, IntervalSeries, WaterfallBar, WaterfallChart,
};
use report::{Cell, Column, Section, Table};

use super::evaluated::Evaluated;
use super::words;
use crate::worth::look_alikes::{CurveBin, LookAlikes};
use crate::worth::probes::{Probe, Probes};
use crate::worth::split_audit::ModelSplitAudit;
use crate::worth::waterfall::{Step, StepKind, Waterfall};

/// The section; none if nothing was examined.
pub(super) fn section(evaluated: &Evaluated<'_>) -> Option<Section> {
    let deeper = &evaluated.scores.worth.deeper;
    let is_there =
        deeper.waterfall.is_some() || deeper.look_alikes.is_some() || deeper.probes.is_some();
    is_there.then(|| Section {
        id: "origin",
        title: "Where the score comes from".into(),
        lead: "How much of the score is due to copies, look-alikes, shortcuts and chance, and how \
               it changes when something is removed from the pictures."
            .into(),
        body: html! {
            div.charts {
                @if let Some(waterfall) = &deeper.waterfall { (waterfall_chart(waterfall)) }
                @if let Some(found) = &deeper.look_alikes { (curve(found)) }
            }
            @if let Some(waterfall) = &deeper.waterfall { (steps(waterfall)) }
            @if let Some(found) = &deeper.look_alikes { (look_alikes(found)) }
            @if let Some(audit) = &deeper.split_audit {
                h3 { "The same with other splits" }
                (split_audit(audit))
            }
            @if let Some(probes) = &deeper.probes {
                h3 { "Scored again, with something removed from the pictures" }
                (probes_markup(probes))
            }
        },
    })
}

/// Accuracy with the given split and with splits that are drawn.
fn split_audit(audit: &ModelSplitAudit) -> Markup {
    let drawn = |scores: &DrawnScores| {
        format!("{:.3} ({:.3} to {:.3})", scores.mean, scores.lowest, scores.highest)
    };
    let row = |it: &BaselineAudit| {
        vec![
            words::spoken(&it.baseline).into(),
            it.grouped.draws.len().to_string().into(),
            Cell::score(Some(it.given)),
            drawn(&it.grouped).into(),
            drawn(&it.random).into(),
        ]
    };
    let table = Table {
        label: "accuracy with other splits".into(),
        columns: vec![
            Column::text("Classifier"),
            Column::number("Splits of each kind"),
            Column::number("As it is"),
            Column::number("Groups at random (lowest to highest)"),
            Column::number("Images at random (lowest to highest)"),
        ],
        rows: [&audit.model].into_iter().chain(&audit.baselines).map(row).collect(),
    };
    html! { (table.markup()) p { (audit.in_words) } }
}

fn waterfall_chart(waterfall: &Waterfall) -> Markup {
    let bar = |name: &str, estimate: Option<&metrics::Estimate>| WaterfallBar {
        name: name.into(),
        value: estimate.and_then(|it| it.value),
        note: estimate.and_then(|it| it.interval).map_or(String::new(), |it| {
            format!("{:.2} to {:.2}", it.low, it.high).replace('-', "−")
        }),
    };
    let step = |step: &Step| bar(step.kind.in_words(), step.worth.as_ref());
    let chart = WaterfallChart {
        title: "Accuracy, less the parts that are not skill".into(),
        whole: bar("accuracy", Some(&waterfall.headline)),
        steps: waterfall.steps.iter().map(step).collect(),
        left: bar("what is left", Some(&waterfall.left)),
        caption:
            "Each with its 95 % interval. The steps are paired, image by image. Shortcuts are \
                  counted beyond chance; where they profit from the same copies, the rest is \
                  too low."
                .into(),
    };
    chart.markup()
}

fn steps(waterfall: &Waterfall) -> Markup {
    let row = |step: &Step| {
        let title = match step.kind {
            StepKind::Copies => "copies of test images in training",
            StepKind::LookAlikes => "training images that look like test images",
            StepKind::Shortcuts => "shortcuts",
            StepKind::Chance => "chance",
        };
        let worth = step.worth.as_ref().map_or_else(|| Cell::score(None), words::difference);
        vec![title.into(), worth, step.how.as_str().into()]
    };
    let table = Table {
        label: "parts of the accuracy that are not skill".into(),
        columns: vec![
            Column::text("Step"),
            Column::number("Worth (95 % interval)"),
            Column::text("Measured by"),
        ],
        rows: waterfall.steps.iter().map(row).collect(),
    };
    html! { (table.markup()) p { (waterfall.in_words) } }
}

/// The position of a bin's points.
fn middle(bin: &CurveBin) -> f64 {
    (bin.from + bin.to) / 2.0
}

fn curve(found: &LookAlikes) -> Markup {
    let names = found.curve.first().map(|bin| bin.accuracy.as_slice()).unwrap_or_default();
    let series = names.iter().enumerate().map(|(number, named)| IntervalSeries {
        name: if number == 0 { "the model".into() } else { words::spoken(&named.name) },
        points: found
            .curve
            .iter()
            .filter_map(|bin| {
                let accuracy = bin.accuracy.get(number)?.accuracy;
                let interval = words::ends(accuracy.interval);
                Some(IntervalPoint { x: middle(bin), y: accuracy.value?, interval })
            })
            .collect(),
    });
    let least = found.curve.iter().map(middle).fold(found.threshold, f64::min);
    let chart = IntervalLines {
        title: "Accuracy by how alike the nearest training image is".into(),
        x: Axis {
            label: format!("similarity ({})", found.measure),
            from: ((least - 0.05) * 10.0).floor() / 10.0,
            to: 1.0,
        },
        y: Axis::share("share of images given their class"),
        series: series.collect(),
        mark: Some((found.threshold, "look-alikes →".into())),
        caption: "Each point is a group of equally many test images. A line that rises to the \
                  right means: right where training had nearly the same image."
            .into(),
    };
    chart.markup()
}

fn look_alikes(found: &LookAlikes) -> Markup {
    html! {
        h3 { "Images without a look-alike" }
        p {
            (found.in_words) " Of the " (found.images) ", "
            (words::number(found.of_same_class as u64, "has", "have"))
            " a nearest training image of the same class. A look-alike is more alike than \
             all but 1 in 100 training images are to their nearest of another class (similarity "
            (words::score(Some(found.threshold))) ", computed from the training images alone)."
        }
        @if let Some(without) = &found.without {
            @let rows = without.accuracy.iter().enumerate().map(|(number, named)| {
                let name = if number == 0 { "the model".into() } else { words::spoken(&named.name) };
                let interval = words::ends(named.accuracy.interval);
                vec![name.into(), Cell::interval(named.accuracy.value, interval)]
            });
            (Table {
                label: "accuracy on images without a look-alike".into(),
                columns: vec![
                    Column::text("Classifier"),
                    Column::number(format!(
                        "Accuracy on the {} without a look-alike", without.images
                    )),
                ],
                rows: rows.collect(),
            }.markup())
        }
    }
}

fn probes_markup(probes: &Probes) -> Markup {
    let probes = match probes {
        Probes::NotMade { reason } => return html! { p { "Not done: " (reason) "." } },
        Probes::Made { probes } => probes,
    };
    let row = |probe: &Probe| {
        vec![
            probe.alteration.name().into(),
            Cell::interval(probe.accuracy.value, words::ends(probe.accuracy.interval)),
            words::difference(&probe.change),
            words::difference(&probe.probability_change),
            Cell::count(probe.answers_changed),
            probe.what.as_str().into(),
        ]
    };
    let passes: usize = probes.iter().map(|probe| probe.passes).sum();
    let table = Table {
        label: "scores on changed pictures".into(),
        columns: vec![
            Column::text("Pictures"),
            Column::number("Accuracy"),
            Column::number("Change"),
            Column::number("Change of probability"),
            Column::number("Changed predictions"),
            Column::text("What was done"),
        ],
        rows: probes.iter().map(row).collect(),
    };
    html! {
        (table.markup())
        p {
            "A model of anatomy should lose little when grey levels, encoding or size are changed, \
             and much without the middle. All changes are paired, image by image. "
            (passes) " passes of the network; evaluate.probes turns them off."
        }
    }
}
