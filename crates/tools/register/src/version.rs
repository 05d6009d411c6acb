//! A version of the registered model: its tags, its description, its alias.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Result;
use classifier::description::ModelDescription;
use mlflow::{
    Client, LoggedModel, Mark, ModelName, ModelVersion, NewModelVersion, Provenance, RunId, Tag,
};
use registered_model::{DIGESTS_TAG, challenger_alias, champion_alias};

use crate::candidate::Candidate;
use crate::gate::{ChampionName, Gate, Outcome, Verdict};
use crate::tags::{self, OUTCOME, OutcomeTag, tag};

/// The scores on a version's page.
const SCORES: [&str; 8] = [
    "images",
    "accuracy",
    "balanced_accuracy",
    "auroc",
    "average_precision",
    "loss",
    "brier",
    "expected_calibration_error",
];

/// An undecided version.
pub(crate) fn new(
    name: &ModelName,
    model: &LoggedModel,
    run: Option<RunId>,
    candidate: &Candidate,
) -> NewModelVersion {
    NewModelVersion {
        name: name.clone(),
        model: model.id.clone(),
        run,
        description: Some(description(candidate)),
        tags: first_tags(candidate),
        mark: Mark::new(),
    }
}

fn first_tags(candidate: &Candidate) -> Vec<Tag> {
    let package = &candidate.package;
    let description = package.description();
    let mut tags = vec![
        tag(OUTCOME, &OutcomeTag::Pending),
        tag(DIGESTS_TAG, &package.digest()),
        tag(tags::MODEL_DIGEST, &description.digests.weights),
        tag("data.digest", &description.digests.data),
        tag("training", &description.source.run),
        tag("worth", &candidate.scores.worth.in_words),
    ];
    let provenance = Provenance::of_source("register", Path::new("."));
    tags.extend(provenance.git_commit.map(|commit| tag("git.commit", &commit)));
    tags.extend(candidate.looks.map(|looks| tag("test_looks", &looks)));
    tags.extend(provenance.git_is_dirty.map(|is_dirty| tag("git.dirty", &is_dirty)));
    for score in SCORES {
        if let Some(value) = candidate.scores.values.get(score).filter(|it| it.is_number()) {
            tags.push(tag(&format!("test.{score}"), value));
        }
    }
    tags
}

/// The text above the tags on a version's page, in Markdown.
fn description(candidate: &Candidate) -> String {
    let ModelDescription { notice, source, .. } = candidate.package.description();
    let mut text = format!(
        "**{notice}**\n\n{}\n\nEpoch {} of training `{}`.\n\n| on the test images | |\n|---|---|\n",
        terminal::markdown(&candidate.scores.worth.in_words),
        source.epoch,
        terminal::markdown(&source.run)
    );
    for score in SCORES {
        let Some(value) = candidate.scores.values.get(score).and_then(serde_json::Value::as_f64)
        else {
            continue;
        };
        let value = if score == "images" { value.to_string() } else { format!("{value:.4}") };
        let _ = writeln!(text, "| {} | {value} |", score.replace('_', " "));
    }
    if let Some(looks) = candidate.looks {
        let _ = write!(text, "\nLooks: {looks}.");
    }
    text
}

/// Tags the version with the reason, and points the alias to it.
///
/// # Errors
/// When the server refuses or cannot be reached; no alias has changed then.
pub(crate) fn settle(
    client: &Client,
    gate: &Gate,
    version: &ModelVersion,
    verdict: &Verdict,
) -> Result<()> {
    let (name, number) = (&version.name, version.version);
    for tag in reason_tags(gate, verdict) {
        client.tag_model_version(name, number, &tag)?;
    }
    let (alias, outcome, heading) = match verdict.outcome {
        Outcome::Promoted => (champion_alias(), OutcomeTag::Promoted, "Promoted"),
        Outcome::Challenger => (challenger_alias(), OutcomeTag::Challenger, "Not promoted"),
    };
    let before = version.description.as_deref().unwrap_or_default();
    let description =
        format!("{before}\n\n**{heading}:** {}.", terminal::markdown(&verdict.reason));
    client.describe_model_version(name, number, &description)?;
    // The alias is set before the outcome, so that a program waiting for the outcome finds the new
    // champion.
    client.set_alias(name, &alias, number)?;
    // The decision stands, even if setting the tag fails. The next program then marks the version
    // as abandoned.
    if let Err(error) = tags::set_outcome(client, name, number, outcome) {
        tracing::warn!(
            "version {number} has its alias, but no tag that says so: failed to {error}"
        );
    }
    Ok(())
}

fn reason_tags(gate: &Gate, verdict: &Verdict) -> Vec<Tag> {
    let mut tags =
        vec![tag("promotion.metric", &gate.metric()), tag("promotion.reason", &verdict.reason)];
    let mut number = |name: &str, value: Option<f64>| {
        tags.extend(value.map(|value| tag(&format!("promotion.{name}"), &value)));
    };
    number("score", verdict.score);
    if let Some(comparison) = &verdict.comparison {
        number("champion_score", comparison.champion);
        number("gain", comparison.gain);
        number("p_value", comparison.p_value);
        number("images", Some(comparison.images as f64));
        if let ChampionName::Version(version) = comparison.against {
            number("against_version", Some(version as f64));
        }
    }
    tags
}

/// The outcome, for people.
pub(crate) fn in_words(gate: &Gate, version: &ModelVersion, verdict: &Verdict) -> String {
    let (name, number) = (&version.name, version.version);
    let mut text = format!("registered models:/{name}/{number}\n");
    let _ = match verdict.outcome {
        Outcome::Promoted => writeln!(text, "promoted to models:/{name}@{}", champion_alias()),
        Outcome::Challenger => writeln!(text, "stays models:/{name}@{}", challenger_alias()),
    };
    let _ = write!(text, "{}", verdict.reason);
    if let Some(comparison) = verdict.comparison.as_ref().filter(|it| it.images > 0) {
        let alpha = gate.promotion.alpha;
        let _ = write!(text, "\nat promotion.alpha {alpha} and {comparison}");
    }
    text
}
