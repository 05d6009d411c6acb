//! The scores that `evaluate` wrote, what they are worth first.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Print the scores of the last run, what they are worth first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hounsfield scores
  hounsfield scores --json | jq .accuracy

--json prints scores.json as evaluate wrote it.")]
pub(crate) struct Arguments {
    /// The study
    #[arg(value_name = "FOLDER", default_value = ".")]
    study: PathBuf,

    /// Print the file itself, for programs
    #[arg(long)]
    json: bool,
}

/// What of `scores.json` is printed.
#[derive(Debug, Deserialize)]
struct Scores {
    worth: Worth,
    model: String,
    accuracy: Option<f64>,
    loss: Option<f64>,
    auroc: Option<f64>,
    images: u64,
    intervals: Intervals,
    classes: Map<String, Value>,
    #[serde(rename = "macro")]
    macro_average: Row,
    #[serde(rename = "weighted")]
    weighted_average: Row,
}

#[derive(Debug, Deserialize)]
struct Worth {
    in_words: String,
    unit: String,
    waterfall: Option<InWords>,
    look_alikes: Option<InWords>,
    without_copies: Option<WithoutCopies>,
    leak: Leak,
}

#[derive(Debug, Deserialize)]
struct InWords {
    in_words: String,
}

#[derive(Debug, Deserialize)]
struct WithoutCopies {
    left_out: u64,
    images: u64,
    accuracy: Estimate,
}

#[derive(Debug, Deserialize)]
struct Estimate {
    value: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
enum Leak {
    Measured {
        in_words: String,
    },
    NotMeasured {
        reason: String,
    },
    #[serde(other)]
    None,
}

#[derive(Debug, Deserialize)]
struct Intervals {
    accuracy: Option<Interval>,
}

#[derive(Debug, Deserialize)]
struct Interval {
    low: f64,
    high: f64,
}

/// A class, or an average of classes.
#[derive(Debug, Deserialize)]
struct Row {
    precision: Option<f64>,
    recall: Option<f64>,
    f1: Option<f64>,
    auroc: Option<f64>,
    support: Option<u64>,
    note: Option<String>,
}

/// A line of the ledger of looks.
#[derive(Debug, Deserialize)]
struct Look {
    model: String,
    test_set: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let path = arguments.study.join("artifacts/evaluation/scores.json");
    if !path.is_file() {
        bail!("read {}: there are no scores yet; first: dvc repro", path.display());
    }
    let text = artifact::read_text(&path)?;
    let printed = if arguments.json {
        text
    } else {
        let scores: Scores =
            serde_json::from_str(&text).with_context(|| format!("read {}", path.display()))?;
        page(&scores, &arguments.study.join("test_looks.jsonl"))?
    };
    terminal::Printed.write_all(printed.as_bytes()).context("print the scores")
}

fn page(scores: &Scores, ledger: &Path) -> Result<String> {
    let mut parts = vec![worth(scores), table(scores)?, totals(scores)];
    if ledger.is_file() {
        parts.extend(looks(&scores.model, &artifact::read_text(ledger)?));
    }
    parts.push(vec!["Research use only. Not a medical device.".to_owned()]);
    let parts: Vec<String> = parts.iter().map(|lines| lines.join("\n")).collect();
    Ok(parts.join("\n\n") + "\n")
}

/// Four digits; a dash for what is undefined.
fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"))
}

/// What the score is worth, in a few lines.
fn worth(scores: &Scores) -> Vec<String> {
    let worth = &scores.worth;
    let mut lines = vec![worth.in_words.clone()];
    for part in [&worth.waterfall, &worth.look_alikes].into_iter().flatten() {
        lines.push(part.in_words.clone());
    }
    if let Some(rest) = &worth.without_copies {
        lines.push(format!(
            "Without the {} images that training has copies of: accuracy {} on {}.",
            rest.left_out,
            number(rest.accuracy.value),
            rest.images
        ));
    }
    match &worth.leak {
        Leak::Measured { in_words } => lines.push(in_words.clone()),
        Leak::NotMeasured { reason } => {
            lines.push(format!("What the copies are worth was not measured: {reason}."));
        }
        Leak::None => {}
    }
    lines
}

/// One class a line, then the averages.
fn table(scores: &Scores) -> Result<Vec<String>> {
    let mut rows: Vec<(String, Row)> = Vec::new();
    for (class, row) in &scores.classes {
        let row = serde_json::from_value(row.clone()).with_context(|| format!("read {class}"))?;
        rows.push((class.clone(), row));
    }
    let width = |name: &str| name.chars().count();
    let names = rows.iter().map(|(name, _)| width(name));
    let column = names.chain([width("weighted average")]).max().unwrap_or_default();
    let heads = ["precision", "recall", "f1", "auroc", "images"];
    let mut lines = vec![" ".repeat(column)];
    for head in heads {
        lines[0] += &format!(" {head:>9}");
    }
    let averages = [("macro", &scores.macro_average), ("weighted", &scores.weighted_average)];
    let classes = rows.iter().map(|(name, row)| (name.clone(), row));
    let averages = averages.into_iter().map(|(name, row)| (format!("{name} average"), row));
    for (name, row) in classes.chain(averages) {
        let mut line = format!("{name:column$}");
        for value in [row.precision, row.recall, row.f1, row.auroc] {
            write!(line, " {:>9}", number(value))?;
        }
        write!(line, " {:9}", row.support.unwrap_or(scores.images))?;
        if let Some(note) = &row.note {
            write!(line, "  {note}")?;
        }
        lines.push(line);
    }
    Ok(lines)
}

/// The figures that stand for the whole.
fn totals(scores: &Scores) -> Vec<String> {
    let interval = scores.intervals.accuracy.as_ref().map_or_else(String::new, |ends| {
        format!(" (95 % interval {:.3} to {:.3})", ends.low, ends.high)
    });
    vec![
        format!("accuracy {}{interval} on {} test images", number(scores.accuracy), scores.images),
        format!("AUROC {}, loss {}", number(scores.auroc), number(scores.loss)),
        format!("Counted {}.", scores.worth.unit),
    ]
}

/// How many different models were scored on this test set. A line that cannot be read is not counted.
fn looks(model: &str, ledger: &str) -> Option<Vec<String>> {
    let looks: Vec<Look> =
        ledger.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let ours = looks.iter().filter(|look| look.model == model);
    let sets: BTreeSet<&str> = ours.map(|look| look.test_set.as_str()).collect();
    let on_them = looks.iter().filter(|look| sets.contains(look.test_set.as_str()));
    let models: BTreeSet<&str> = on_them.map(|look| look.model.as_str()).collect();
    match models.len() {
        0 => None,
        1 => Some(vec!["This test set was scored with one model.".to_owned()]),
        many => Some(vec![format!(
            "This test set was scored with {many} different models. Whoever keeps the best of them \
             has chosen by the test set: rank by dvc exp show (model/metrics.json) instead."
        )]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> Scores {
        serde_json::from_value(serde_json::json!({
            "worth": {
                "in_words": "The model is better than every shortcut.",
                "unit": "per slice",
                "waterfall": {"in_words": "The accuracy, less chance, leaves +0.5."},
                "without_copies": {"left_out": 2, "images": 8, "accuracy": {"value": 0.5}},
                "leak": {"outcome": "not_measured", "reason": "the head learns by epochs"},
            },
            "model": "m", "accuracy": 0.75, "loss": 0.5, "auroc": null, "images": 10,
            "intervals": {"accuracy": {"low": 0.6, "high": 0.9}},
            "classes": {"größe": {"precision": null, "recall": 0.5, "f1": 0.25, "auroc": 0.9,
                                  "support": 4, "note": "few images"}},
            "macro": {"precision": 0.5, "recall": 0.5, "f1": 0.5},
            "weighted": {"precision": 0.5, "recall": 0.5, "f1": 0.5},
        }))
        .unwrap()
    }

    #[test]
    fn a_page_shows_what_the_score_is_worth_before_the_score() {
        let page = page(&scores(), Path::new("/nothing")).unwrap();
        let expected = "\
The model is better than every shortcut.
The accuracy, less chance, leaves +0.5.
Without the 2 images that training has copies of: accuracy 0.5000 on 8.
What the copies are worth was not measured: the head learns by epochs.

                 precision    recall        f1     auroc    images
größe                    –    0.5000    0.2500    0.9000         4  few images
macro average       0.5000    0.5000    0.5000         –        10
weighted average    0.5000    0.5000    0.5000         –        10

accuracy 0.7500 (95 % interval 0.600 to 0.900) on 10 test images
AUROC –, loss 0.5000
Counted per slice.

Research use only. Not a medical device.
";
        assert_eq!(page, expected);
    }

    #[test]
    fn different_models_on_one_test_set_are_counted() {
        let look = |model: &str, set: &str| {
            serde_json::json!({"model": model, "test_set": set, "accuracy": 0.5}).to_string()
        };
        let ledger = [look("m", "a"), look("n", "a"), look("m", "a"), look("o", "b")].join("\n");
        assert!(looks("m", &ledger).unwrap()[0].contains("with 2 different models"));
        assert!(looks("o", &ledger).unwrap()[0].contains("with one model"));
        assert!(looks("unknown", &ledger).is_none());
    }
}
