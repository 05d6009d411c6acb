use config::{Refusal, require};
use serde::{Deserialize, Serialize};

/// The registry's champion is served, and replaced when another version becomes champion.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FollowConfig {
    /// Seconds between two looks at the registry.
    pub poll_seconds: f64,
}

/// Whether predictions need the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreRule {
    /// No prediction is answered that is not stored.
    #[default]
    Required,
    /// Predictions are answered without the database, and are counted as not stored. Corrections
    /// always need it.
    BestEffort,
}

/// Where a training that a request starts runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainingPlace {
    /// Nowhere: the request is refused.
    Off,
    /// On this machine, as `dvc repro` in the working folder.
    #[default]
    Here,
    /// Elsewhere: `training_job` starts it.
    Job,
}

/// The way to start a training elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "JobKeys", into = "JobKeys")]
pub enum TrainingJob {
    /// A program and its arguments, such as `[sbatch, train.sh]` or
    /// `[kubectl, create, job, --from=cronjob/retrain, retrain-now]`.
    Command(Vec<String>),
    /// An address that gets a POST request.
    Webhook(String),
}

/// `training_job` as it is written: exactly one of the keys.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct JobKeys {
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<String>,
}

impl TryFrom<JobKeys> for TrainingJob {
    type Error = &'static str;

    fn try_from(keys: JobKeys) -> Result<Self, Self::Error> {
        match (keys.command, keys.webhook) {
            (Some(command), None) => Ok(Self::Command(command)),
            (None, Some(webhook)) => Ok(Self::Webhook(webhook)),
            _ => Err("it has either the key command or the key webhook"),
        }
    }
}

impl From<TrainingJob> for JobKeys {
    fn from(job: TrainingJob) -> Self {
        match job {
            TrainingJob::Command(command) => Self { command: Some(command), webhook: None },
            TrainingJob::Webhook(webhook) => Self { command: None, webhook: Some(webhook) },
        }
    }
}

/// The watch for drift: predictions of one window of time are compared with the images of the
/// calibration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DriftConfig {
    /// Length of a window, in hours. Windows follow each other without a gap, from midnight UTC.
    pub window_hours: u32,
    /// A window with fewer images is not tested.
    pub least_images: usize,
    /// One false alarm is expected in this many days, over all signals.
    pub false_alarm_days: f64,
}

impl Default for FollowConfig {
    fn default() -> Self {
        Self { poll_seconds: 5.0 }
    }
}

impl Default for DriftConfig {
    fn default() -> Self {
        Self { window_hours: 24, least_images: 50, false_alarm_days: 30.0 }
    }
}

impl FollowConfig {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        require(
            self.poll_seconds >= 1.0 && self.poll_seconds <= 3600.0,
            "serve.follow.poll_seconds",
            self.poll_seconds,
            "1 to 3600",
        )
    }
}

impl TrainingJob {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        match self {
            Self::Command(words) => require(
                words.first().is_some_and(|program| !program.trim().is_empty()),
                "serve.training_job.command",
                "empty",
                "a program and its arguments, such as [sbatch, train.sh]",
            ),
            Self::Webhook(address) => require(
                ["http://", "https://"].iter().any(|scheme| address.starts_with(scheme)),
                "serve.training_job.webhook",
                format!("{address:?}"),
                "an address that begins with https:// or http://",
            ),
        }
    }
}

impl DriftConfig {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        require(
            (1..=24).contains(&self.window_hours) && 24 % self.window_hours == 0,
            "serve.drift.window_hours",
            self.window_hours,
            "1, 2, 3, 4, 6, 8, 12 or 24, so that windows begin at midnight",
        )?;
        require(
            self.least_images >= 20,
            "serve.drift.least_images",
            self.least_images,
            "at least 20",
        )?;
        require(
            self.false_alarm_days >= 1.0 && self.false_alarm_days <= 3650.0,
            "serve.drift.false_alarm_days",
            self.false_alarm_days,
            "1 to 3650",
        )
    }
}
