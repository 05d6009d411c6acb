use jiff::Timestamp;
use serde::Serialize;

use crate::database::on;
use crate::values::storable;
use crate::{FeedbackId, PredictionId, PredictionStore, Result, StoreError};

/// A reader's feedback on a prediction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFeedback {
    /// The prediction.
    pub prediction_id: PredictionId,
    /// The right class, in the reader's opinion. The caller checks whether the model knows it.
    pub class: String,
    /// An optional note.
    pub note: Option<String>,
    /// The name of the key it came with; `None` if no keys are configured.
    pub key_name: Option<String>,
    /// When it was given.
    pub created_at: Timestamp,
}

/// Feedback as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Feedback {
    /// Its id.
    pub id: FeedbackId,
    /// The right class.
    pub class: String,
    /// An optional note.
    pub note: Option<String>,
    /// The name of the key it came with.
    pub key_name: Option<String>,
    /// When it was given.
    pub created_at: Timestamp,
    /// Whether it names the class that was predicted.
    pub right: bool,
}

impl PredictionStore {
    /// Records feedback. All of it is kept; the last one counts.
    ///
    /// # Errors
    /// [`StoreError::UnknownPrediction`], or [`StoreError::Database`].
    pub async fn record_feedback(&self, feedback: &NewFeedback) -> Result<Feedback> {
        let id = FeedbackId::new(feedback.created_at);
        let class = storable(&feedback.class);
        let note = feedback.note.as_deref().map(storable);
        let key_name = feedback.key_name.as_deref().map(storable);
        // The row of the prediction is locked first, so that of two at once the later one counts.
        let work = async {
            on!(&self.write, pool => {
                let mut transaction = pool.begin().await?;
                let predicted: Option<Option<String>> = sqlx::query_scalar(
                    "UPDATE predictions SET feedback_id = $1 WHERE id = $2 RETURNING class",
                )
                .bind(id.to_string())
                .bind(feedback.prediction_id.to_string())
                .fetch_optional(&mut *transaction)
                .await?;
                if predicted.is_some() {
                    sqlx::query(
                        "INSERT INTO feedback (id, prediction_id, created_at_us, key_name, class, note)
                         VALUES ($1, $2, $3, $4, $5, $6)",
                    )
                    .bind(id.to_string())
                    .bind(feedback.prediction_id.to_string())
                    .bind(feedback.created_at.as_microsecond())
                    .bind(key_name.as_deref())
                    .bind(&class)
                    .bind(note.as_deref())
                    .execute(&mut *transaction)
                    .await?;
                }
                transaction.commit().await?;
                Ok(predicted)
            })
        };
        let predicted = self
            .within_patience("record feedback", work)
            .await?
            .ok_or(StoreError::UnknownPrediction(feedback.prediction_id))?;
        Ok(Feedback {
            id,
            right: predicted.as_ref() == Some(&class),
            class,
            note,
            key_name,
            created_at: feedback.created_at,
        })
    }
}
