//! Every number this crate computes, from JSON to JSON.
//!
//! ```sh
//! echo '{"classes": 2, "actual": [0, 1], "probabilities": [[0.8, 0.2], [0.6, 0.4]]}' |
//!     cargo run --release -p metrics --example score
//! ```
//!
//! `tests/reference/test_metrics_crate.py` compares the output with scikit-learn's and SciPy's.

use std::io;

use anyhow::{Context, ensure};
use dataset::ClassIndex;
use metrics::{
    AtThreshold, BinaryScore, Bootstrap, Groups, LabelledLogits, OperatingPoint, PairedOutcomes,
    Predictions, Proportion, Ranking, Reliability, RocPoints, Scorer, Temperature,
};
use serde::Deserialize;
use serde_json::{Value, json};

/// The input: each part that is present is scored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Input {
    /// Number of classes.
    classes: usize,
    /// The class of each image.
    actual: Vec<ClassIndex>,
    /// One row of probabilities per image.
    probabilities: Option<Vec<Vec<f64>>>,
    /// Another predictor's probabilities, for a comparison.
    other_probabilities: Option<Vec<Vec<f64>>>,
    /// One row of logits per image, for the temperature.
    logits: Option<Vec<Vec<f64>>>,
    /// One score per image, for the ranking and the operating points.
    scores: Option<Vec<f64>>,
    /// The positive classes of `scores`, and of sums of probabilities.
    #[serde(default)]
    positive: Vec<ClassIndex>,
    /// Specificities for which to choose an operating point.
    #[serde(default)]
    specificities: Vec<f64>,
    /// A threshold on `scores` for which to compute sensitivity and specificity.
    #[serde(default)]
    threshold: f64,
    /// Bins of the reliability tables.
    #[serde(default = "bins")]
    bins: usize,
    /// The group of each image; without them, each is its own.
    groups: Option<Vec<u64>>,
    /// How to resample; without it there are no intervals.
    bootstrap: Option<Bootstrap>,
}

fn bins() -> usize {
    Reliability::BINS
}

fn main() -> anyhow::Result<()> {
    let input: Input = serde_json::from_reader(io::stdin().lock()).context("read the input")?;
    ensure!(input.bins > 0, "failed to make a table: bins is 0; expected at least 1");
    let mut output = json!({});
    if let Some(rows) = &input.probabilities {
        let predictions = Predictions::new(input.classes, input.labelled(rows)?)?;
        output["probabilities"] = of_probabilities(&input, &predictions);
        if let Some(rows) = &input.other_probabilities {
            let other = Predictions::new(input.classes, input.labelled(rows)?)?;
            output["comparison"] = of_comparison(&input, &predictions, &other)?;
        }
        if let Some(bootstrap) = &input.bootstrap {
            let estimates = Scorer::new(&predictions).estimates(bootstrap, &input.groups()?);
            output["estimates"] = serde_json::to_value(estimates)?;
        }
    }
    if let Some(rows) = &input.logits {
        let logits = LabelledLogits::new(input.classes, input.labelled(rows)?)?;
        output["logits"] = of_logits(&logits);
    }
    if let Some(scores) = &input.scores {
        output["scores"] = of_scores(&input, scores)?;
    }
    serde_json::to_writer(io::stdout().lock(), &output).context("print the scores")
}

impl Input {
    fn labelled<'a>(
        &self,
        rows: &'a [Vec<f64>],
    ) -> anyhow::Result<impl Iterator<Item = (ClassIndex, &'a Vec<f64>)>> {
        ensure!(
            rows.len() == self.actual.len(),
            "there are {} rows; expected one for each of {} images",
            rows.len(),
            self.actual.len()
        );
        Ok(self.actual.clone().into_iter().zip(rows))
    }

    fn groups(&self) -> anyhow::Result<Groups> {
        let groups = match &self.groups {
            Some(keys) => Groups::of(keys),
            None => Groups::singletons(self.actual.len()),
        };
        ensure!(groups.images() == self.actual.len(), "expected a group for each image");
        Ok(groups)
    }
}

fn of_probabilities(input: &Input, predictions: &Predictions) -> Value {
    let classes = || (0..input.classes).map(ClassIndex);
    let matrix = predictions.confusion_matrix();
    let ranking = |class| Ranking::against_rest(predictions, &[class]);
    let pairs = classes().flat_map(|a| classes().filter(move |b| a < *b).map(move |b| (a, b)));
    let of_class = |class| {
        let scores = predictions.against_rest(&[class]);
        json!({
            "scores": matrix.class_scores(class),
            "auroc": ranking(class).auroc(),
            "average_precision": ranking(class).average_precision(),
            "roc": ranking(class).roc_curve(RocPoints::All),
            "roc_corners": ranking(class).roc_curve(RocPoints::Corners),
            "brier": metrics::brier_binary(&scores),
            "reliability": Reliability::of_class(predictions, class, input.bins),
        })
    };
    json!({
        "summary": Scorer::new(predictions).summary(),
        "matrix": matrix,
        "accuracy": matrix.accuracy(),
        "macro": matrix.macro_average(),
        "weighted": matrix.weighted_average(),
        "balanced_accuracy": matrix.balanced_accuracy(),
        "cohen_kappa": matrix.cohen_kappa(),
        "matthews_correlation": matrix.matthews_correlation(),
        "top_k": (1..=input.classes)
            .map(|k| metrics::top_k_accuracy(predictions, k))
            .collect::<Vec<_>>(),
        "auroc_one_vs_rest": metrics::auroc_one_vs_rest(predictions),
        "auroc_one_vs_one": metrics::auroc_one_vs_one(predictions),
        "auroc_of_pairs": pairs
            .map(|(a, b)| json!([a, b, metrics::auroc_of_pair(predictions, a, b)]))
            .collect::<Vec<_>>(),
        "auroc_of_positive": Ranking::against_rest(predictions, &input.positive).auroc(),
        "log_loss": metrics::log_loss(predictions),
        "brier": metrics::brier(predictions),
        "reliability": Reliability::of_confidence(predictions, input.bins),
        "classwise_calibration_error": Reliability::classwise_error(predictions, input.bins),
        "classes": classes().map(of_class).collect::<Vec<_>>(),
    })
}

fn of_comparison(
    input: &Input,
    first: &Predictions,
    second: &Predictions,
) -> anyhow::Result<Value> {
    let right = |predictions: &Predictions| -> Vec<bool> {
        (0..predictions.len())
            .map(|image| predictions.predicted(image) == predictions.actual(image))
            .collect()
    };
    let outcomes = PairedOutcomes::of(right(first), right(second));
    let differences = match &input.bootstrap {
        Some(bootstrap) => {
            let (first, second) = (Scorer::new(first), Scorer::new(second));
            Some(first.differences(&second, bootstrap, &input.groups()?))
        }
        None => None,
    };
    Ok(json!({
        "outcomes": outcomes,
        "p_value": outcomes.p_value(),
        "smallest_passing_gain": metrics::smallest_passing_gain(first.len() as u64, 0.05),
        "differences": differences,
    }))
}

fn of_logits(logits: &LabelledLogits) -> Value {
    let fit = logits.fit_temperature();
    let at = |temperature| {
        let predictions = logits.probabilities(temperature);
        (0..predictions.len()).map(|image| predictions.probabilities(image).to_vec()).collect()
    };
    let (before, after): (Vec<_>, Vec<_>) = (at(Temperature::ONE), at(fit.temperature));
    json!({ "fit": fit, "softmax": before, "softmax_with_temperature": after })
}

fn of_scores(input: &Input, scores: &[f64]) -> anyhow::Result<Value> {
    ensure!(scores.len() == input.actual.len(), "expected a score for each image");
    let score = |(score, class)| BinaryScore::new(score, input.positive.contains(&class));
    let actual = input.actual.iter().copied();
    let scores: Vec<_> = scores.iter().copied().zip(actual).map(score).collect::<Result<_, _>>()?;
    let ranking = Ranking::new(&scores);
    let point = |&specificity: &f64| match OperatingPoint::at_specificity(&ranking, specificity) {
        Ok(point) => json!(point),
        Err(reason) => json!(reason),
    };
    let positives = scores.iter().filter(|image| image.is_positive()).count() as u64;
    Ok(json!({
        "auroc": ranking.auroc(),
        "average_precision": ranking.average_precision(),
        "roc": ranking.roc_curve(RocPoints::All),
        "operating_points": input.specificities.iter().map(point).collect::<Vec<_>>(),
        "at_threshold": AtThreshold::of(&scores, input.threshold),
        "prevalence": Proportion::new(positives, scores.len() as u64),
    }))
}
