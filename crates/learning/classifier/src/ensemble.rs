//! Several models that answer as one.
//!
//! Their answer is the weighted mean of their calibrated probabilities, p = Σ wᵢ · softmax(zᵢ / Tᵢ)
//! with Σ wᵢ = 1, and the logits of the ensemble are ln p. One file holds the weights of all; a
//! tensor that members share is in it once.

use std::path::Path;

use config::Flip;
use imaging::Preprocessing;
use metrics::Temperature;
use serde::{Deserialize, Serialize};

use crate::architecture::is_of_head;
use crate::description::{ModelDescription, ModelDigests};
use crate::seal::seal_of;
use crate::tensors::{self, HostTensor, TensorMap};
use crate::{ClassifierError, Result};

/// How far the sum of the weights may be from 1.
const ROUNDING: f64 = 1e-9;

/// How the members were weighed, and what that is worth: a file of the model folder that is there
/// for people.
pub const RECORD_FILE: &str = "ensemble.json";

/// One of the models, in `model.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// What people call it.
    pub name: String,
    /// Its share of the mean, above 0. Those of all members add up to 1.
    pub weight: f64,
    /// The divisor of its logits.
    pub temperature: Temperature,
    /// How the picture is flipped before it sees it.
    #[serde(default, skip_serializing_if = "Flip::is_none")]
    pub flip: Flip,
    /// An earlier member that has the tensors which this one lacks in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensors_of: Option<usize>,
    /// Its own `model.json`.
    pub model: ModelDescription,
}

impl Member {
    /// How pixels become its input.
    pub fn preprocessing(&self) -> Preprocessing {
        Preprocessing { flip: self.flip, ..self.model.preprocessing }
    }

    /// Whether it sees the same activations as another: the same frozen base, read by a head that is
    /// solved, on the same image.
    pub(crate) fn shares_activations(&self, other: &Self) -> bool {
        let (own, others) = (&self.model.architecture, &other.model.architecture);
        own.is_frozen()
            && others.is_frozen()
            && own.head.kind.is_solved()
            && others.head.kind.is_solved()
            && self.model.digests.base == other.model.digests.base
            && self.model.precision == other.model.precision
            && self.preprocessing() == other.preprocessing()
    }
}

/// Writes an ensemble as a model folder: the weights of all members, the class indices, the
/// description. The first member is the one that the description's other fields are of.
///
/// # Errors
/// When the members cannot answer as one, tensors are missing, or a file cannot be written.
pub fn write(folder: &Path, members: Vec<(Member, TensorMap)>) -> Result<ModelDescription> {
    let mut weights = TensorMap::new();
    let mut ensemble: Vec<Member> = Vec::new();
    let mut whole: Vec<TensorMap> = Vec::new();
    for (place, (mut member, tensors)) in members.into_iter().enumerate() {
        tensors::check(&tensors, &member.model.architecture.tensor_specs(), &member.name)?;
        let source = (0..place).find(|earlier| {
            ensemble[*earlier].tensors_of.is_none()
                && whole[*earlier].iter().any(|(name, tensor)| tensors.get(name) == Some(tensor))
        });
        member.tensors_of = source;
        let shared = source.map(|source| &whole[source]);
        // A head is shared as a whole or not at all: one head has tensors that another lacks.
        let same_head = shared.is_some_and(|shared| head_of(shared).eq(head_of(&tensors)));
        for (name, tensor) in &tensors {
            let is_shared = shared.is_some_and(|shared| shared.get(name) == Some(tensor));
            if !is_shared || (is_of_head(name) && !same_head) {
                weights.insert(stored_name(place, name), tensor.clone());
            }
        }
        ensemble.push(member);
        whole.push(tensors);
    }
    let Some(first) = ensemble.first() else {
        return Err(ClassifierError::Ensemble { reason: "it has no member".into() });
    };
    let lead = first.model.clone();
    let run = lead.source.run.clone();
    let weights_sha256 =
        tensors::write(&folder.join(ModelDescription::WEIGHTS_FILE), &weights, &run)?;
    let mut description = ModelDescription {
        format: ModelDescription::ENSEMBLE_FORMAT,
        preprocessing: first.preprocessing(),
        digests: ModelDigests { weights: weights_sha256, ..lead.digests.clone() },
        seal: None,
        ensemble,
        ..lead
    };
    check(&description).map_err(|reason| ClassifierError::Ensemble { reason })?;
    description.seal = Some(seal_of(&description));
    description.architecture.class_indices().write(folder)?;
    artifact::write_json(&folder.join(ModelDescription::FILE), &description)?;
    Ok(description)
}

fn head_of(tensors: &TensorMap) -> impl Iterator<Item = (&String, &HostTensor)> {
    tensors.iter().filter(|(name, _)| is_of_head(name))
}

/// The name of a member's tensor in the file.
fn stored_name(member: usize, name: &str) -> String {
    format!("members.{member}.{name}")
}

/// The name of a tensor in its own model, whether or not the file is an ensemble's.
pub fn own_name(stored: &str) -> &str {
    let own = stored.strip_prefix("members.").and_then(|rest| rest.split_once('.'));
    own.filter(|(member, _)| member.parse::<usize>().is_ok()).map_or(stored, |(_, name)| name)
}

/// The tensors of each member, from those of the file.
///
/// # Errors
/// When one is missing, superfluous or of another shape.
pub(crate) fn tensors_of(
    members: &[Member],
    file: &TensorMap,
    origin: &str,
) -> Result<Vec<TensorMap>> {
    let mut used = 0;
    let mut all = Vec::with_capacity(members.len());
    for (place, member) in members.iter().enumerate() {
        let mut tensors = TensorMap::new();
        for spec in member.model.architecture.tensor_specs() {
            let own = file.get(&stored_name(place, &spec.name));
            used += usize::from(own.is_some());
            let shared = || member.tensors_of.and_then(|it| file.get(&stored_name(it, &spec.name)));
            if let Some(tensor) = own.or_else(shared) {
                tensors.insert(spec.name, tensor.clone());
            }
        }
        let whose = format!("{origin}, member {}", member.name);
        tensors::check(&tensors, &member.model.architecture.tensor_specs(), &whose)?;
        all.push(tensors);
    }
    if used != file.len() {
        let reason = format!("{origin} holds {} tensors of no member", file.len() - used);
        return Err(ClassifierError::Ensemble { reason });
    }
    Ok(all)
}

/// Whether the members can answer as one; if not, why.
pub(crate) fn check(description: &ModelDescription) -> std::result::Result<(), String> {
    let members = &description.ensemble;
    let Some(first) = members.first() else {
        return match description.format {
            ModelDescription::ENSEMBLE_FORMAT => Err("it is an ensemble without members".into()),
            _ => Ok(()),
        };
    };
    if description.format != ModelDescription::ENSEMBLE_FORMAT {
        return Err("it has members, and its format is that of one model".into());
    }
    let sum: f64 = members.iter().map(|member| member.weight).sum();
    if (sum - 1.0).abs() > ROUNDING || members.iter().any(|member| member.weight <= 0.0) {
        return Err(format!("the weights of its members are not above 0, or add up to {sum}"));
    }
    for (place, member) in members.iter().enumerate() {
        let refuse = |reason: &str| Err(format!("member {}: {reason}", member.name));
        let model = &member.model;
        if !model.ensemble.is_empty() {
            return refuse("it is an ensemble itself; name its members");
        }
        if model.architecture.classes != description.architecture.classes {
            return refuse("its classes are not those of the first");
        }
        if model.digests.data != description.digests.data {
            return refuse("it was trained on other data than the first");
        }
        if model.training.permute_labels != description.training.permute_labels {
            return refuse("it or the first is a control, trained on shuffled labels");
        }
        let is_earlier = |it: usize| it < place && members[it].tensors_of.is_none();
        if member.tensors_of.is_some_and(|it| !is_earlier(it)) {
            return refuse("its tensors are said to be with a member that does not have them");
        }
    }
    let is_of_the_first = description.architecture == first.model.architecture
        && description.preprocessing == first.preprocessing();
    if is_of_the_first { Ok(()) } else { Err("it does not describe its first member".into()) }
}

#[cfg(test)]
mod tests;
