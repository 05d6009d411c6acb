//! A row for each file.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use classifier::model::ModelOutput;
use serde::Serialize;
use serde_json::{Map, Value};
use services::ForeignImages;

use crate::answer::Checks;
use crate::model::served::ServedModel;
use crate::offline::arguments::Format;
use crate::offline::outcome::{Outcome, Unusable};
use crate::scan::Scan;

/// The result for one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    path: String,
    /// Of the file's bytes.
    sha256: Option<String>,
    /// None if the file is not an image, or is a foreign one that is refused.
    class: Option<String>,
    confidence: Option<f64>,
    /// Whether the image is of the kind that the model was trained on; none if this is not known.
    accepted: Option<bool>,
    grey_correlation: Option<f64>,
    feature_distance: Option<f64>,
    /// Why there is no prediction.
    error: Option<String>,
    /// The kind of that reason, and the failed checks of a foreign image: for counting.
    #[serde(skip)]
    pub(crate) outcome: Outcome,
    /// In the order of the classes; none if there is no prediction.
    #[serde(skip)]
    probabilities: Vec<f64>,
}

impl Row {
    /// The model's prediction for an image.
    ///
    /// # Errors
    /// When its answer is not a number.
    pub(crate) fn of(
        file: &Path,
        scan: &Scan,
        output: &ModelOutput,
        served: &ServedModel,
        foreign_images: ForeignImages,
    ) -> Result<Self> {
        let said = served.probabilities(&output.logits);
        let (class, probabilities) = said.with_context(|| format!("predict {}", file.display()))?;
        let checks = served.check(&scan.histogram, &output.pooled);
        let is_accepted = checks.is_none_or(|checks| checks.accepted);
        let is_told = is_accepted || foreign_images == ForeignImages::Flag;
        Ok(Self {
            path: file.display().to_string(),
            sha256: Some(scan.image.sha256.to_string()),
            class: is_told.then(|| served.classes.names()[class.0].clone()),
            confidence: is_told.then(|| probabilities[class.0]),
            accepted: checks.map(|checks| checks.accepted),
            grey_correlation: checks.map(|checks| checks.grey_histogram.correlation),
            feature_distance: checks.map(|checks| checks.features.distance),
            error: None,
            outcome: match checks {
                Some(checks) if !checks.accepted => {
                    Outcome::Foreign { failed: failed(&checks), class: is_told.then_some(class) }
                }
                _ => Outcome::Predicted(class),
            },
            probabilities: if is_told { probabilities } else { Vec::new() },
        })
    }

    /// A file that is not an image.
    pub(crate) fn unusable(file: &Path, reason: Unusable) -> Self {
        Self {
            path: file.display().to_string(),
            sha256: None,
            class: None,
            confidence: None,
            accepted: None,
            grey_correlation: None,
            feature_distance: None,
            error: Some(reason.error),
            outcome: Outcome::Unusable(reason.kind),
            probabilities: Vec::new(),
        }
    }
}

/// Which of the two checks failed.
fn failed(checks: &Checks) -> &'static str {
    match (checks.grey_histogram.passed, checks.features.passed) {
        (false, true) => "grey values",
        (true, false) => "the model's features",
        _ => "grey values and the model's features",
    }
}

/// Whether spreadsheets would read the text as a formula.
fn begins_as_formula(text: &str) -> bool {
    text.starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// Text that is safe for a terminal and a spreadsheet.
fn text_cell(text: &str) -> String {
    let mark = if begins_as_formula(text) { "'" } else { "" };
    format!("{mark}{}", terminal::shown(text))
}

/// The same for a path, which still leads to the same file.
fn path_cell(path: &str) -> String {
    let here = if begins_as_formula(path) { "./" } else { "" };
    format!("{here}{}", terminal::shown(path))
}

/// Writes rows.
pub(crate) struct Rows<'a, W: Write> {
    classes: &'a [String],
    output: Output<W>,
}

enum Output<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Jsonl(W),
}

const COLUMNS: [&str; 8] = [
    "path",
    "sha256",
    "class",
    "confidence",
    "accepted",
    "grey_correlation",
    "feature_distance",
    "error",
];

impl<'a, W: Write> Rows<'a, W> {
    /// Writes the header, if the format has one.
    pub(crate) fn start(format: Format, classes: &'a [String], output: W) -> Result<Self> {
        let output = match format {
            Format::Jsonl => Output::Jsonl(output),
            Format::Csv => {
                let mut writer = csv::Writer::from_writer(output);
                let probabilities = classes.iter().map(|class| text_cell(&format!("prob_{class}")));
                let columns = COLUMNS.map(str::to_owned).into_iter().chain(probabilities);
                writer.write_record(columns).context("write the header")?;
                Output::Csv(Box::new(writer))
            }
        };
        Ok(Self { classes, output })
    }

    pub(crate) fn write(&mut self, row: &Row) -> Result<()> {
        let named = self.classes.iter().zip(&row.probabilities);
        match &mut self.output {
            Output::Jsonl(output) => {
                let mut value = serde_json::to_value(row).context("write a row")?;
                let of = |(class, probability): (&String, &f64)| {
                    (class.clone(), Value::from(*probability))
                };
                value["probabilities"] = Value::Object(named.map(of).collect::<Map<_, _>>());
                writeln!(output, "{value}").context("write a row")
            }
            Output::Csv(writer) => {
                let text = |value: Option<f64>| value.map_or(String::new(), |it| it.to_string());
                let plain = |value: &Option<String>| value.clone().unwrap_or_default();
                let accepted = row.accepted.map_or(String::new(), |it| it.to_string());
                let columns = [
                    path_cell(&row.path),
                    plain(&row.sha256),
                    row.class.as_deref().map(text_cell).unwrap_or_default(),
                    text(row.confidence),
                    accepted,
                    text(row.grey_correlation),
                    text(row.feature_distance),
                    row.error.as_deref().map(text_cell).unwrap_or_default(),
                ];
                let probabilities = (0..self.classes.len())
                    .map(|class| text(row.probabilities.get(class).copied()));
                writer.write_record(columns.into_iter().chain(probabilities)).context("write a row")
            }
        }
    }

    pub(crate) fn finish(&mut self) -> Result<()> {
        match &mut self.output {
            Output::Csv(writer) => writer.flush(),
            Output::Jsonl(output) => output.flush(),
        }
        .context("write the rows")
    }
}
