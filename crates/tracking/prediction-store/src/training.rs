use artifact::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::database::on;
use crate::row::row;
use crate::timestamp::from_microseconds;
use crate::values::{parsed, parsed_digest, storable};
use crate::{PageLimit, PredictionStore, Result, StoreError, TrainingId};

/// A training that is about to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTraining {
    /// When it starts.
    pub started_at: Timestamp,
    /// The name of the key of the request.
    pub key_name: Option<String>,
    /// SHA-256 of the weights served while it runs.
    pub model_before: Digest,
}

/// How a training ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrainingOutcome {
    /// It made a model, which is served now.
    Promoted {
        /// SHA-256 of its weights.
        model_after: Digest,
        /// Why it was accepted.
        reason: String,
    },
    /// It made a model, but the old one is still served.
    Kept {
        /// SHA-256 of the new model's weights.
        model_after: Digest,
        /// Why it was not accepted.
        reason: String,
    },
    /// It was handed over to another machine, whose model comes by way of the registry.
    HandedOver {
        /// What the other machine answered.
        reason: String,
    },
    /// It made no model.
    Failed {
        /// The error.
        reason: String,
    },
}

impl TrainingOutcome {
    /// The columns state, promoted, model_after and reason.
    fn columns(&self) -> (TrainingState, bool, Option<&Digest>, &str) {
        match self {
            Self::Promoted { model_after, reason } => {
                (TrainingState::Succeeded, true, Some(model_after), reason)
            }
            Self::Kept { model_after, reason } => {
                (TrainingState::Succeeded, false, Some(model_after), reason)
            }
            Self::HandedOver { reason } => (TrainingState::Succeeded, false, None, reason),
            Self::Failed { reason } => (TrainingState::Failed, false, None, reason),
        }
    }
}

/// The state of a training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrainingState {
    /// It is running.
    Running,
    /// It made a model.
    Succeeded,
    /// It made no model.
    Failed,
}

/// A training as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Training {
    /// Its id.
    pub id: TrainingId,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended; `None` while it runs.
    pub finished_at: Option<Timestamp>,
    /// The name of the key of the request.
    pub key_name: Option<String>,
    /// Its state.
    pub state: TrainingState,
    /// SHA-256 of the weights served when it started.
    pub model_before: Digest,
    /// SHA-256 of the weights that it made.
    pub model_after: Option<Digest>,
    /// Whether those are served since; `None` while it runs.
    pub promoted: Option<bool>,
    /// The reason for its outcome; `None` while it runs.
    pub reason: Option<String>,
}

const COLUMNS: &str = "id, started_at_us, finished_at_us, key_name, state, model_before, \
    model_after, promoted, reason";

impl PredictionStore {
    /// Records that a training starts. Only one runs at a time, over all servers of this database.
    ///
    /// # Errors
    /// [`StoreError::TrainingRuns`] if one runs, [`StoreError::Database`].
    pub async fn start_training(&self, training: &NewTraining) -> Result<TrainingId> {
        let id = TrainingId::new(training.started_at);
        let work = async {
            on!(&self.write, pool => {
                let inserted = sqlx::query(
                    "INSERT INTO trainings (id, started_at_us, key_name, state, model_before)
                     VALUES ($1, $2, $3, 'running', $4) ON CONFLICT DO NOTHING",
                )
                .bind(id.to_string())
                .bind(training.started_at.as_microsecond())
                .bind(training.key_name.as_deref().map(storable))
                .bind(training.model_before.to_string())
                .execute(pool)
                .await?;
                Ok(inserted.rows_affected())
            })
        };
        match self.within_patience("record the start of a training", work).await? {
            0 => Err(StoreError::TrainingRuns),
            _ => Ok(id),
        }
    }

    /// Records how the running training `id` ended.
    ///
    /// # Errors
    /// [`StoreError::UnknownTraining`] if it is not running, [`StoreError::Database`].
    pub async fn finish_training(
        &self,
        id: TrainingId,
        finished_at: Timestamp,
        outcome: &TrainingOutcome,
    ) -> Result<()> {
        let (state, promoted, model_after, reason) = outcome.columns();
        let work = async {
            on!(&self.write, pool => {
                let updated = sqlx::query(
                    "UPDATE trainings SET finished_at_us = $1, state = $2, promoted = $3,
                     model_after = $4, reason = $5 WHERE id = $6 AND state = 'running'",
                )
                .bind(finished_at.as_microsecond())
                .bind(state.as_str())
                .bind(promoted)
                .bind(model_after.map(Digest::to_string))
                .bind(storable(reason))
                .bind(id.to_string())
                .execute(pool)
                .await?;
                Ok(updated.rows_affected())
            })
        };
        match self.within_patience("record the end of a training", work).await? {
            0 => Err(StoreError::UnknownTraining(id)),
            _ => Ok(()),
        }
    }

    /// Records a training that ran elsewhere, after its end. The caller makes the id.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn record_training(
        &self,
        id: TrainingId,
        training: &NewTraining,
        finished_at: Timestamp,
        outcome: &TrainingOutcome,
    ) -> Result<()> {
        let (state, promoted, model_after, reason) = outcome.columns();
        let work = async {
            on!(&self.write, pool => {
                sqlx::query(
                    "INSERT INTO trainings (id, started_at_us, finished_at_us, key_name, state,
                     model_before, model_after, promoted, reason)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                )
                .bind(id.to_string())
                .bind(training.started_at.as_microsecond())
                .bind(finished_at.as_microsecond())
                .bind(training.key_name.as_deref().map(storable))
                .bind(state.as_str())
                .bind(training.model_before.to_string())
                .bind(model_after.map(Digest::to_string))
                .bind(promoted)
                .bind(storable(reason))
                .execute(pool)
                .await
                .map(|_| ())
            })
        };
        self.within_patience("record a training", work).await
    }

    /// Records that any running training has failed: for a server that starts and finds a training
    /// without processes. Returns whether there was one.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn abandon_training(&self, finished_at: Timestamp, reason: &str) -> Result<bool> {
        let work = async {
            on!(&self.write, pool => {
                let updated = sqlx::query(
                    "UPDATE trainings SET finished_at_us = $1, state = 'failed', promoted = $2,
                     reason = $3 WHERE state = 'running'",
                )
                .bind(finished_at.as_microsecond())
                .bind(false)
                .bind(storable(reason))
                .execute(pool)
                .await?;
                Ok(updated.rows_affected() > 0)
            })
        };
        self.within_patience("record an abandoned training", work).await
    }

    /// The last trainings, newest first.
    ///
    /// # Errors
    /// [`StoreError::InvalidRow`] or [`StoreError::Database`].
    pub async fn trainings(&self, limit: PageLimit) -> Result<Vec<Training>> {
        self.select_trainings("", limit.get()).await
    }

    /// The last training that made a model, promoted or not: corrections later than its
    /// [`Training::started_at`] are not in any model yet.
    ///
    /// # Errors
    /// [`StoreError::InvalidRow`] or [`StoreError::Database`].
    pub async fn last_successful_training(&self) -> Result<Option<Training>> {
        Ok(self.select_trainings("WHERE state = 'succeeded'", 1).await?.pop())
    }

    async fn select_trainings(&self, condition: &'static str, limit: u32) -> Result<Vec<Training>> {
        let work = async {
            on!(&self.read, pool => {
                sqlx::query_as::<_, Stored>(sqlx::AssertSqlSafe(format!(
                    "SELECT {COLUMNS} FROM trainings {condition} ORDER BY id DESC LIMIT $1"
                )))
                .bind(i64::from(limit))
                .fetch_all(pool)
                .await
            })
        };
        let rows = self.within_patience("list trainings", work).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

impl TrainingState {
    fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        [Self::Running, Self::Succeeded, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::InvalidRow { what: format!("the state {text:?}") })
    }
}

row! {
    struct Stored {
        id: String,
        started_at_us: i64,
        finished_at_us: Option<i64>,
        key_name: Option<String>,
        state: String,
        model_before: String,
        model_after: Option<String>,
        promoted: Option<bool>,
        reason: Option<String>,
    }
}

impl TryFrom<Stored> for Training {
    type Error = StoreError;

    fn try_from(row: Stored) -> Result<Self> {
        Ok(Self {
            id: parsed(&row.id)?,
            started_at: from_microseconds(row.started_at_us)?,
            finished_at: row.finished_at_us.map(from_microseconds).transpose()?,
            key_name: row.key_name,
            state: TrainingState::parse(&row.state)?,
            model_before: parsed(&row.model_before)?,
            model_after: parsed_digest(row.model_after.as_deref())?,
            promoted: row.promoted,
            reason: row.reason,
        })
    }
}
