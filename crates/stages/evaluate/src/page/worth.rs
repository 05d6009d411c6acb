//! What the score is worth: the model compared with baselines, and the effect of copies of test
//! images.

use maud::{Markup, html};
use report::chart::{Axis, Interval, IntervalChart};
use report::{Cell, Column, Section, Table};

use super::evaluated::Evaluated;
use super::words;
use crate::source::Source;
use crate::worth::leak::{Leak, LeakEffect};
use crate::worth::{Comparison, Worth};

/// The section.
pub(super) fn section(evaluated: &Evaluated<'_>) -> Section {
    let worth = &evaluated.scores.worth;
    Section {
        id: "worth",
        title: "What the score is worth".into(),
        lead: format!(
            "A score means little by itself. Baselines that cannot know anything about tumours were \
             fitted on {} and scored on the same test images. The best of so many scores a little \
             higher than it should: that favours the baselines.",
            fitted_on(worth)
        ),
        body: html! {
            @if let Some(best) = &worth.best_baseline {
                div.charts { (accuracies(worth)) (recall_differences(best)) }
                (shortcut_sentence(worth, best))
                h3 { "Recall of each class, model against " (words::spoken(&best.name)) }
                (recall_table(best))
            } @else {
                p { "There are no baselines on these images: " (no_baselines(evaluated.source)) }
            }
            h3 { "Copies of test images in training" }
            (leak(worth, evaluated.source))
        },
    }
}

/// The images that the baselines were fitted on. If a baseline saw fewer images than the model, the
/// page must not claim that they are the same.
fn fitted_on(worth: &Worth) -> String {
    let fitted = || worth.baselines.values().map(|score| score.fitted_on);
    let of = fitted().map(|it| it.of).max().unwrap_or(0);
    let Some(fewest) = fitted().filter(|it| !it.is_all()).map(|it| it.images).min() else {
        return "the same training images".into();
    };
    format!("as few as {fewest} of the {of} training images that the model was fitted on")
}

fn no_baselines(source: Source) -> &'static str {
    match source {
        Source::TestSplit => "no baseline of validate predicts all of them.",
        Source::Folder => "baselines exist for the images of the pipeline only.",
    }
}

fn accuracies(worth: &Worth) -> Markup {
    let model = Interval {
        name: "the model".into(),
        note: String::new(),
        value: worth.accuracy.value.unwrap_or(0.0),
        interval: words::ends(worth.accuracy.interval),
        is_main: true,
    };
    let mut baselines: Vec<_> = worth.baselines.iter().collect();
    let accuracy = |score: &crate::worth::BaselineScore| score.accuracy.value.unwrap_or(0.0);
    baselines.sort_by(|(_, a), (_, b)| accuracy(b).total_cmp(&accuracy(a)));
    let baselines = baselines.into_iter().map(|(name, score)| Interval {
        name: words::spoken(name),
        note: words::kind(score.kind).into(),
        value: accuracy(score),
        interval: words::ends(score.accuracy.interval),
        is_main: false,
    });
    let chart = IntervalChart {
        title: "Accuracy, with 95 % intervals".into(),
        axis: Axis::share("share of images given their class"),
        rows: [model].into_iter().chain(baselines).collect(),
        caption: "Intervals that overlap do not mean that there is no difference: both are drawn \
                  on the same images."
            .into(),
    };
    chart.markup()
}

fn recall_differences(best: &Comparison) -> Markup {
    let rows = best.recall.iter().map(|(class, recall)| Interval {
        name: words::spoken(class),
        note: String::new(),
        value: recall.difference.value.unwrap_or(0.0),
        interval: words::ends(recall.difference.interval),
        is_main: recall.difference.interval.is_some_and(|interval| interval.low > 0.0),
    });
    let chart = IntervalChart {
        title: format!("Recall above (or below) that of {}", words::spoken(&best.name)),
        axis: Axis { label: "recall, model minus baseline".into(), from: -1.0, to: 1.0 },
        rows: rows.collect(),
        caption:
            "Right of the dashed line the model has the higher recall. Blue where chance does \
                  not explain it."
                .into(),
    };
    chart.markup()
}

/// If the best baseline takes a coarse look, the best shortcut is mentioned too.
fn shortcut_sentence(worth: &Worth, best: &Comparison) -> Markup {
    let shortcut = worth.best_shortcut.as_ref().filter(|shortcut| shortcut.name != best.name);
    html! {
        @if let Some(shortcut) = shortcut {
            p {
                "The best baseline that sees no anatomy at all is " (words::spoken(&shortcut.name))
                ", with an accuracy of " (words::score(shortcut.accuracy.second))
                "; the difference from the model is "
                (words::signed(shortcut.accuracy.difference.value))
                " (" (words::interval(shortcut.accuracy.difference.interval, words::signed)) ")."
            }
        }
    }
}

fn recall_table(best: &Comparison) -> Markup {
    let rows = best.recall.iter().map(|(class, recall)| {
        vec![
            words::spoken(class).into(),
            Cell::score(recall.first),
            Cell::score(recall.second),
            words::difference(&recall.difference),
        ]
    });
    let table = Table {
        label: "recall of the model and of the best baseline, by class".into(),
        columns: vec![
            Column::text("Class"),
            Column::number("Model, recall"),
            Column::number("Baseline, recall"),
            Column::number("Difference (95 % interval)"),
        ],
        rows: rows.collect(),
    };
    table.markup()
}

fn leak(worth: &Worth, source: Source) -> Markup {
    html! {
        @match (&worth.leak, source) {
            (Leak::NoCopies, Source::TestSplit) => p {
                "validate found no copy of a test image in training."
            },
            (Leak::NoCopies, Source::Folder) => p {
                "No file here has the same content as a training image. Re-encoded or resized \
                 copies are not looked for in a folder from outside."
            },
            (Leak::NotMeasured { copied_test_images, reason }, _) => p {
                (words::number(*copied_test_images as u64, "image has", "images have"))
                " a copy in training. The effect was not measured: " (reason) "."
            },
            (Leak::Measured(effect), _) => {
                p { (effect.in_words) }
                (trainings(effect))
                @if !effect.classes.is_empty() { (class_effects(effect)) }
            },
        }
        @if let Some(rest) = &worth.without_copies {
            p {
                "Without the " (words::number(rest.left_out as u64, "image", "images"))
                " that training has copies of, the accuracy is " strong { (words::score(rest.accuracy.value)) }
                " on " (rest.images) " (" (words::interval(rest.accuracy.interval, words::score)) "). "
                "These are other images, and perhaps other classes, so the difference is not the \
                 effect of the copies."
            }
        }
    }
}

fn trainings(effect: &LeakEffect) -> Markup {
    let accuracy = &effect.accuracy;
    let row = |name: String, copied: f64, all: Option<f64>| {
        vec![name.into(), Cell::score(Some(copied)), Cell::score(all)]
    };
    let controls = words::number(effect.controls as u64, "control", "controls");
    let table = Table {
        label: "accuracy by what the head was trained on".into(),
        columns: vec![
            Column::text("Head trained"),
            Column::number(format!("Accuracy on the {} copied", effect.copied_test_images)),
            Column::number("Accuracy on all"),
        ],
        rows: vec![
            row("as the model was".into(), accuracy.model_on_copied, Some(accuracy.model_on_all)),
            row(
                format!("without the {} copies", effect.left_out),
                accuracy.without_copies_on_copied,
                Some(accuracy.without_copies_on_all),
            ),
            row(
                format!("on as many, copies included ({controls}, mean)"),
                accuracy.controls_on_copied,
                None,
            ),
        ],
    };
    table.markup()
}

fn class_effects(effect: &LeakEffect) -> Markup {
    let parts: Vec<String> = effect
        .classes
        .iter()
        .map(|(class, it)| {
            let images = words::number(it.images as u64, "image", "images");
            format!("{} {} ({images})", words::spoken(class), words::signed(Some(it.effect)))
        })
        .collect();
    html! {
        p {
            "By class: " (parts.join(", ")) ". The probability of the right class, which changes "
            "before the prediction does, changes by "
            (words::signed(effect.probability_effect.value))
            " (" (words::interval(effect.probability_effect.interval, words::signed)) ")."
        }
    }
}
