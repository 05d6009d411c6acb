//! Registers the model as a version of a registered model, and decides whether it becomes the
//! champion.
//!
//! Outside the pipeline: a lost gate must never fail `dvc repro`, and nothing here is a DVC param.
//!
//! ```text
//! model/, scores.json, test images                     candidate
//!   ↓ files, unless the server has them                 upload
//! the next version, not decided yet                     version, tags
//!   ↓ when all earlier ones are                         turn
//! the champion, on the images neither was trained on    champion
//!   ↓ the score, the gain, and whether it is chance     gate
//! the alias champion or challenger                      version
//! ```

use std::process::ExitCode;

use anyhow::Result;
use mlflow::{Client, ExperimentId, ModelName, ModelReference, ModelVersion, RunId};
use program::{Settings, UsageError};
use registered_model::champion_alias;
use serde_json::json;
use services::Services;

mod arguments;
mod candidate;
mod challenge;
mod champion;
mod fetch;
mod gate;
mod kept;
mod outcome;
mod tags;
mod turn;
mod upload;
mod version;

pub use arguments::Arguments;
pub use outcome::NOT_PROMOTED;

use candidate::Candidate;
use challenge::{challenge, gate};
use gate::{Gate, Outcome, Verdict};
use outcome::print;
use turn::QueuePlace;

/// How often a champion may be replaced by hand during a comparison.
const MOST_COMPARISONS: usize = 3;

/// Registers the model, decides whether it becomes the champion, and prints the reason.
///
/// # Errors
/// When the configuration, the model, its scores or the test images cannot be used, or the server
/// refuses or cannot be reached. A version that was created by then is tagged as failed, and no
/// alias has changed.
pub fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (settings, services) = arguments.settings()?;
    if let Some(reference) = &arguments.fetch {
        return fetch::fetch(reference, &settings, &arguments.common);
    }
    if let Some(folder) = &arguments.keep {
        return kept::keep(&settings, folder, &arguments.common);
    }
    if let Some(folder) = &arguments.against {
        return kept::hold_against(&settings, &services.promotion, folder, &arguments.common);
    }
    let registration = Registration::connect(&settings, &services)?;
    let candidate = Candidate::prepare(&settings)?;
    if let Some(champion) = registration.champion_is(&candidate)? {
        let text = format!(
            "version {} of {} is this very model, and the champion: nothing to do",
            champion.version, champion.name
        );
        let facts = json!({
            "model": champion.name.to_string(),
            "version": champion.version,
            "outcome": "champion_already",
        });
        print(&arguments.common, &text, facts)?;
        return Ok(ExitCode::SUCCESS);
    }
    let version = registration.create_version(&candidate)?;
    let turn = QueuePlace::line_up(&registration.client, &registration.name, version.version);
    let decided = turn
        .wait(arguments.patience)
        .and_then(|()| registration.decide(&candidate, &version, &turn));
    drop(turn);
    let verdict = decided.inspect_err(|_| registration.tag_as_failed(&version))?;
    let mut text = version::in_words(&registration.gate, &version, &verdict);
    let facts = json!({
        "model": version.name.to_string(),
        "version": version.version,
        "outcome": verdict.outcome.name(),
        "reason": verdict.reason,
        "score": verdict.score,
    });
    if let Some(looks) = candidate.looks {
        // The gate uses the same test images, so it counts as a look too.
        text += &format!("\nlooks: {looks}");
    }
    print(&arguments.common, &text, facts)?;
    Ok(match verdict.outcome {
        Outcome::Promoted => ExitCode::SUCCESS,
        Outcome::Challenger => ExitCode::from(NOT_PROMOTED),
    })
}

/// A server and the registered model on it.
struct Registration<'a> {
    settings: &'a Settings,
    client: Client,
    name: ModelName,
    experiment: ExperimentId,
    gate: Gate,
}

impl<'a> Registration<'a> {
    fn connect(settings: &'a Settings, services: &Services) -> Result<Self> {
        let server = tracking::demanded_server(&settings.config.tracking, mlflow::environment)
            .map_err(|error| UsageError(error.to_string()))?;
        let name = ModelName::new(services.registry.model.clone())
            .map_err(|error| UsageError(format!("name the model: {error}")))?;
        // A server that is down is reported at once, and not after all the retries of a first
        // request.
        Client::without_retries(&server)?.health()?;
        let client = Client::new(&server)?;
        let experiment = client.experiment(&server.experiment)?;
        Ok(Self { settings, client, name, experiment, gate: gate(settings, &services.promotion) })
    }

    fn champion(&self) -> Result<Option<ModelVersion>> {
        let alias = champion_alias();
        Ok(self.client.model_version(&ModelReference::Alias(self.name.clone(), alias))?)
    }

    /// The champion, if it consists of the same files.
    fn champion_is(&self, candidate: &Candidate) -> Result<Option<ModelVersion>> {
        let digest = candidate.package.digest().to_string();
        let is_same = |champion: &ModelVersion| {
            champion.tags.get(registered_model::DIGESTS_TAG) == Some(&digest)
        };
        Ok(self.champion()?.filter(is_same))
    }

    fn create_version(&self, candidate: &Candidate) -> Result<ModelVersion> {
        let run = self.run_of(candidate)?;
        let model = upload::upload(&self.client, &self.experiment, run.as_ref(), candidate)?;
        self.client.ensure_registered_model(&self.name)?;
        let new = version::new(&self.name, &model, run, candidate);
        Ok(self.client.create_model_version(&new)?)
    }

    /// The run that trained the model: the newest one that names it.
    fn run_of(&self, candidate: &Candidate) -> Result<Option<RunId>> {
        let training = &candidate.package.description().source.run;
        let filter = format!("tags.training = '{training}'");
        let experiments = [self.experiment.clone()];
        let runs = self.client.search_runs(&experiments, &filter, 1)?;
        if runs.is_empty() {
            tracing::info!("no run of training {training} is on the server; none is linked");
        }
        Ok(runs.into_iter().next().map(|run| run.id))
    }

    /// Decides on a version whose turn it is, and sets its alias and tags.
    fn decide(
        &self,
        candidate: &Candidate,
        version: &ModelVersion,
        turn: &QueuePlace<'_>,
    ) -> Result<Verdict> {
        for _ in 0..MOST_COMPARISONS {
            let champion = self.champion()?;
            let verdict = self.judge(candidate, champion.as_ref())?;
            turn.check()?;
            if self.champion()?.map(|it| it.version) != champion.map(|it| it.version) {
                tracing::warn!("the champion was exchanged by hand; comparing again");
                continue;
            }
            version::settle(&self.client, &self.gate, version, &verdict)?;
            return Ok(verdict);
        }
        anyhow::bail!("compare with a champion that keeps changing; register again")
    }

    fn judge(&self, candidate: &Candidate, champion: Option<&ModelVersion>) -> Result<Verdict> {
        let device = self.settings.params.evaluate.device;
        let answers = champion
            .map(|version| champion::fetched(&self.client, version, candidate, device))
            .transpose()?;
        challenge(&self.gate, candidate, answers)
    }

    fn tag_as_failed(&self, version: &ModelVersion) {
        let outcome = tags::OutcomeTag::Failed;
        if let Err(error) = tags::set_outcome(&self.client, &self.name, version.version, outcome) {
            tracing::warn!("version {} stays undecided: failed to {error}", version.version);
        }
    }
}
