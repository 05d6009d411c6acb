//! Every overall score, with its interval and its meaning.

use metrics::Interval;
use report::{Cell, Column, Section, Table};

use super::evaluated::Evaluated;
use super::words;

/// The section.
pub(super) fn section(evaluated: &Evaluated<'_>) -> Section {
    let intervals = &evaluated.scores.intervals;
    let groups = match evaluated.unit {
        scoring::Unit::Patients => words::number(intervals.groups as u64, "patient", "patients"),
        scoring::Unit::Slices => {
            words::number(intervals.groups as u64, "group of copies", "groups of copies")
        }
    };
    Section {
        id: "scores",
        title: "Scores".into(),
        lead: format!(
            "95 % bootstrap intervals over {groups}, {} resamples. They show how far a score may be off \
             because it was measured on these images, not how it would differ after another training.",
            intervals.resamples
        ),
        body: table(evaluated).markup(),
    }
}

fn table(evaluated: &Evaluated<'_>) -> Table {
    let scores = evaluated.scores;
    let intervals = &scores.intervals;
    let averages = &intervals.macro_average;
    let mut rows = vec![
        row("accuracy", scores.accuracy, intervals.accuracy, "images whose class was predicted"),
        row(
            "balanced accuracy",
            scores.balanced_accuracy,
            intervals.balanced_accuracy,
            "mean recall: every class counts alike, however many images it has",
        ),
        row(
            "precision, mean",
            scores.macro_average.precision,
            averages.precision,
            "share of the images predicted as a class that have it; mean over the classes",
        ),
        row(
            "F1, mean",
            scores.macro_average.f1,
            averages.f1,
            "harmonic mean of precision and recall; mean over the classes",
        ),
        row(
            "AUROC",
            scores.auroc,
            intervals.auroc,
            "an image of a class is ranked above one of another; 0.5 is chance. Mean over the classes",
        ),
        row(
            "average precision",
            scores.average_precision,
            intervals.average_precision,
            "area below precision over recall; mean over the classes",
        ),
        row(
            "Cohen's kappa",
            scores.cohen_kappa,
            intervals.cohen_kappa,
            "agreement beyond chance: 0 is chance, 1 is perfect",
        ),
        row(
            "Matthews' correlation",
            scores.matthews_correlation,
            intervals.matthews_correlation,
            "correlation of predicted with actual classes: 0 is chance, 1 is perfect",
        ),
    ];
    for (k, accuracy) in &scores.top_k_accuracy {
        let interval = (*k == 2).then_some(intervals.top_2_accuracy).flatten();
        let meaning = format!("images whose class is among the {k} most probable");
        rows.push(row(&format!("top-{k} accuracy"), *accuracy, interval, &meaning));
    }
    rows.extend([
        row(
            "log loss",
            scores.loss,
            intervals.loss,
            "mean negative log probability of the actual class, in nats; lower is better",
        ),
        row(
            "Brier score",
            scores.brier,
            intervals.brier,
            "squared error of the probabilities, from 0 to 2; less is better",
        ),
        row(
            "calibration error",
            scores.expected_calibration_error,
            None,
            "how far confidence and accuracy are apart, on average; less is better. Too high where \
             there are few images",
        ),
    ]);
    Table {
        label: "overall scores".into(),
        columns: vec![
            Column::text("Score"),
            Column::number("Value (95 % interval)"),
            Column::text("What it is"),
        ],
        rows,
    }
}

fn row(name: &str, value: Option<f64>, interval: Option<Interval>, meaning: &str) -> Vec<Cell> {
    vec![name.into(), Cell::interval(value, words::ends(interval)), meaning.into()]
}
