//! Compares a model with the champion, on images that neither was trained on.

use anyhow::Result;
use metrics::Bootstrap;
use program::Settings;
use services::PromotionConfig;

use crate::candidate::Candidate;
use crate::champion::ChampionAnswers;
use crate::gate::{Challenge, Champion, Gate, Verdict};

/// Compares a model with the champion's answers.
pub(crate) fn challenge(
    gate: &Gate,
    candidate: &Candidate,
    answers: Option<ChampionAnswers>,
) -> Result<Verdict> {
    let rows = |predictions: &[_]| scoring::for_metrics(&candidate.classes, predictions);
    let all = rows(&candidate.predictions)?;
    let own = all.select(&candidate.unseen_images(None));
    let compared = answers
        .map(|answers| {
            let images = candidate.test.select(&answers.places).images;
            let groups: Vec<u32> = images.iter().map(|image| image.group).collect();
            let predictions = rows(&answers.predictions)?;
            anyhow::Ok((answers.name, predictions, all.select(&answers.places), groups))
        })
        .transpose()?;
    let champion = compared.as_ref().map(|(name, predictions, challenger, groups)| Champion {
        name: *name,
        predictions,
        challenger,
        groups,
    });
    let beats_baselines = candidate.scores.worth.beats_baselines();
    if !beats_baselines {
        tracing::warn!("{}", candidate.scores.worth.in_words);
    }
    Ok(gate.judge(&Challenge { predictions: &own, beats_baselines, champion }))
}

/// The rules from the configuration.
pub(crate) fn gate(settings: &Settings, promotion: &PromotionConfig) -> Gate {
    let bootstrap = Bootstrap::of_seed(settings.params.evaluate.seed);
    Gate { promotion: *promotion, bootstrap }
}
