//! Writes the new model folder.

use std::cmp::Reverse;
use std::path::Path;

use anyhow::{Context, Result};
use classifier::calibration::{Calibration, CalibrationImages};
use classifier::checkpoint::{HISTORY_FILE, RunId};
use classifier::description::ModelDescription;
use classifier::drift::DriftReference;
use classifier::ensemble::{self, Member};
use classifier::{model_folder, tensors};
use dataset::ClassIndex;
use fit::Confidence;
use serde::Serialize;

use crate::candidate::{CalibratedModel, Candidates};
use crate::contest::Contest;
use crate::greedy::{mean, probabilities};

/// `ensemble.json`.
#[derive(Debug, Serialize)]
pub(crate) struct Record<'a> {
    pub(crate) members: Vec<ChosenMember>,
    pub(crate) contest: &'a Contest,
}

/// A candidate and its weight.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct ChosenMember {
    pub(crate) name: String,
    pub(crate) architecture: &'static str,
    /// 0 for those that were left out.
    pub(crate) weight: f64,
}

/// `metrics.json`, as of other models: none of it uses the test split.
#[derive(Debug, Serialize)]
struct Metrics {
    cv_accuracy: Option<f64>,
    cv_loss: Option<f64>,
}

/// Every candidate with its weight, from how often it was drawn.
pub(crate) fn weights(
    candidates: &Candidates,
    models: &[CalibratedModel],
    drawn: &[u32],
) -> Vec<ChosenMember> {
    let all: u32 = drawn.iter().sum();
    let of_candidate = candidates.all.iter().zip(drawn).map(|(candidate, drawn)| ChosenMember {
        name: candidate.name.clone(),
        architecture: models[candidate.model].description.architecture.base.name,
        weight: f64::from(*drawn) / f64::from(all.max(1)),
    });
    of_candidate.collect()
}

/// Writes the folder in place of `output`.
pub(crate) fn publish(
    output: &Path,
    models: &[CalibratedModel],
    candidates: &Candidates,
    drawn: &[u32],
    (record, positive): (&Record<'_>, &[String]),
) -> Result<Calibration> {
    let order = order(candidates, drawn);
    let all: u32 = drawn.iter().sum();
    let mut members = Vec::new();
    for place in &order {
        let candidate = &candidates.all[*place];
        let model = &models[candidate.model];
        let path = model.folder.join(ModelDescription::WEIGHTS_FILE);
        let weights = tensors::read::<RunId>(&path)?;
        let (recorded, found) = (model.description.digests.weights, weights.sha256);
        if recorded != found {
            return Err(classifier::ClassifierError::Changed { path, recorded, found }.into());
        }
        let member = Member {
            name: candidate.name.clone(),
            weight: f64::from(drawn[*place]) / f64::from(all),
            temperature: candidate.temperature,
            flip: candidate.flip,
            tensors_of: None,
            model: model.description.clone(),
        };
        members.push((member, weights.tensors));
    }
    let lead = &models[candidates.all[order[0]].model];
    let staged = model_folder::staged_in_place_of(output)?;
    let folder = staged.path();
    let description = ensemble::write(folder, members)?;
    let history = artifact::read_bytes(&lead.folder.join(HISTORY_FILE))?;
    artifact::write_file(&folder.join(HISTORY_FILE), &history)?;
    let metrics = Metrics {
        cv_accuracy: record.contest.accuracy.first,
        cv_loss: record.contest.log_loss.first,
    };
    artifact::write_json(&folder.join(ModelDescription::METRICS_FILE), &metrics)?;
    artifact::write_json(&folder.join(ensemble::RECORD_FILE), record)?;
    let confidence = confidence(candidates, drawn, &description, positive)?;
    let calibration = calibrate(folder, lead, &description, candidates, confidence)?;
    staged.publish()?;
    Ok(calibration)
}

/// The candidates that were drawn: the first sees pictures as they are, for the checks for foreign
/// images are of its features; then the heaviest.
fn order(candidates: &Candidates, drawn: &[u32]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..drawn.len()).filter(|place| drawn[*place] > 0).collect();
    order.sort_by_key(|place| (Reverse(drawn[*place]), *place));
    if let Some(lead) = order.iter().position(|place| candidates.all[*place].flip.is_none()) {
        order[..=lead].rotate_right(1);
    }
    order
}

/// The confidence of the ensemble as a whole, on the images that none of it was trained on.
fn confidence(
    candidates: &Candidates,
    drawn: &[u32],
    description: &ModelDescription,
    positive: &[String],
) -> Result<Confidence> {
    let rows: Vec<_> = candidates
        .all
        .iter()
        .map(|candidate| probabilities(&candidate.logits, candidate.temperature))
        .collect();
    let logits: Vec<(ClassIndex, Vec<f32>)> = candidates
        .images
        .iter()
        .enumerate()
        .map(|(place, image)| {
            let mean = mean(&rows, drawn, place);
            let logits = mean.iter().map(|share| share.max(f64::MIN_POSITIVE).ln() as f32);
            (ClassIndex(image.class), logits.collect())
        })
        .collect();
    Confidence::fit(&logits, &description.architecture.class_indices(), positive)
}

fn calibrate(
    folder: &Path,
    lead: &CalibratedModel,
    description: &ModelDescription,
    candidates: &Candidates,
    confidence: Confidence,
) -> Result<Calibration> {
    let images = candidates.images.len();
    let of_lead = &lead.calibration;
    let out_of_fold = candidates.images.iter().filter(|image| image.out_of_fold).count();
    let mut calibration = Calibration {
        format: Calibration::FORMAT,
        notice: ModelDescription::NOTICE.into(),
        model: description.digests.weights,
        images: CalibrationImages {
            validation: images - out_of_fold,
            left_out_copies: of_lead.images.left_out_copies,
            out_of_fold,
            reason: format!("{images} images were held out of every member"),
        },
        temperature: confidence.temperature,
        expected_calibration_error: confidence.expected_calibration_error,
        positive: confidence.positive,
        foreign: of_lead.foreign.clone(),
        drift: of_lead.drift.clone().map(|drift| {
            DriftReference::new(
                drift.feature_distances,
                drift.grey_distances,
                confidence.confidences,
                confidence.predicted,
            )
        }),
        seal: None,
    };
    let features = of_lead
        .read_features(&lead.folder)
        .with_context(|| format!("use the model in {}", lead.folder.display()))?;
    calibration.write(folder, &features)?;
    Ok(calibration)
}
