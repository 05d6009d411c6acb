//! Makes one model of several.
//!
//! ```text
//! members/…  model.json, calibration.json, held_out.safetensors     candidate
//!   ↓ logits of images that none of them was trained on
//! weights, by greedy selection                                       greedy
//!   ↓ and what the choice is worth: chosen again without each fold    contest
//! one model folder: weights, description, calibration, ensemble.json  publish
//! ```

use anyhow::{Result, bail};
use serde_json::json;

mod arguments;
mod candidate;
mod contest;
mod greedy;
mod publish;
mod summary;

pub use arguments::Arguments;

use candidate::{CalibratedModel, Candidates};
use classifier::description::ModelDescription;
use contest::{Choice, Holding};
use publish::{ChosenMember, Record};
use summary::{Summary, Told};

/// Makes an ensemble according to the arguments, and prints what it is worth.
///
/// # Errors
/// When a model cannot be used, the models do not belong together, no combination is better than
/// one model alone, or the folder cannot be written; it is then unchanged.
pub fn run(arguments: &Arguments) -> Result<()> {
    let settings = arguments.common.settings()?;
    let names = candidate::names(&arguments.models)?;
    let models = arguments
        .models
        .iter()
        .zip(names)
        .map(|(folder, name)| CalibratedModel::read(folder, name))
        .collect::<Result<Vec<_>>>()?;
    let candidates = Candidates::of(&models)?;
    if candidates.all.len() < 2 {
        bail!(
            "make one model of several: {} is one model, which sees images as they are; name \
             others, or have calibrate.flips name views of it",
            models[0].folder.display()
        );
    }
    let choice = if arguments.equal { Choice::Equal } else { Choice::Greedy };
    let params = &settings.params.calibrate;
    let holding = Holding { folds: params.folds, seed: params.seed };
    let classes = &models[0].description.architecture.classes;
    let contest = contest::contest(&candidates, choice, holding, classes)?;
    let drawn = contest::choose(&candidates, choice)?;
    let members = publish::weights(&candidates, &models, &drawn);
    refuse_one_alone(&members, &contest)?;

    let record = Record { members: members.clone(), contest: &contest };
    let positive = &settings.config.data.positive;
    let output = &arguments.output;
    let calibration = publish::publish(output, &models, &candidates, &drawn, (&record, positive))?;
    let summary = Summary { members: &members, contest: &contest, calibration: &calibration };
    let text = format!("{summary}\nwrote {}\n{}", output.display(), ModelDescription::NOTICE);
    let facts = json!({
        "program": "ensemble",
        "model": output,
        "members": members,
        "contest": contest,
        "temperature": calibration.temperature,
    });
    arguments.common.print(&text, &facts)
}

/// An ensemble of one is a model that costs twice the care.
fn refuse_one_alone(members: &[ChosenMember], contest: &contest::Contest) -> Result<()> {
    let mut used = members.iter().filter(|member| member.weight > 0.0);
    if let (Some(alone), None) = (used.next(), used.next()) {
        bail!(
            "make one model of several: no other lowers the log loss of {}; use it alone. \
             Nothing was written.\n{}",
            alone.name,
            Told(contest)
        );
    }
    Ok(())
}
