use artifact::Digest;
use jiff::Timestamp;
use serde::Serialize;

use crate::database::on;
use crate::row::row;
use crate::timestamp::from_microseconds;
use crate::values::parsed;
use crate::{PredictionId, PredictionStore, Result};

/// A prediction whose last feedback names another class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Correction {
    /// The prediction.
    pub prediction_id: PredictionId,
    /// The file's name as the caller gave it.
    pub file: Option<String>,
    /// SHA-256 of the image.
    pub image_sha256: Digest,
    /// Whether the image store has it.
    pub image_stored: bool,
    /// SHA-256 of the weights that were wrong.
    pub model_digest: Digest,
    /// The predicted class; `None` if a foreign image was refused.
    pub predicted: Option<String>,
    /// The right class.
    pub corrected: String,
    /// When the feedback was given.
    pub corrected_at: Timestamp,
}

/// How much feedback there is, and how often it disagrees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeedbackSummary {
    /// Predictions with feedback.
    pub total: u64,
    /// Those of them whose last feedback names another class.
    pub wrong: u64,
    /// Those whose last feedback names another class and is later than the given time, and whose
    /// image is kept: a training can use them.
    pub corrections_since: u64,
    /// The same, without a kept image.
    pub without_image_since: u64,
    /// Which classes were confused with which, most frequent first.
    pub by_class: Vec<ClassChange>,
}

/// How often one class was confused with another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClassChange {
    /// The predicted class; `None` if a foreign image was refused.
    pub predicted: Option<String>,
    /// The right class.
    pub corrected: String,
    /// Predictions.
    pub count: u64,
}

/// Predictions whose last feedback names another class, later than `$1`.
const WRONG_SINCE: &str = "FROM predictions p JOIN feedback f ON f.id = p.feedback_id \
    WHERE (p.class IS NULL OR f.class <> p.class) AND f.created_at_us > $1";
const ALWAYS: i64 = i64::MIN;

impl PredictionStore {
    /// Predictions whose last feedback, later than `since`, names another class: oldest feedback
    /// first. An image that was sent twice may appear twice.
    ///
    /// # Errors
    /// [`StoreError::InvalidRow`](crate::StoreError::InvalidRow) or
    /// [`StoreError::Database`](crate::StoreError::Database).
    pub async fn corrections(&self, since: Option<Timestamp>) -> Result<Vec<Correction>> {
        let work = async {
            on!(&self.read, pool => {
                sqlx::query_as::<_, Stored>(sqlx::AssertSqlSafe(format!(
                    "SELECT p.id, p.file, p.image_sha256, p.image_stored, p.model_digest, \
                     p.class AS predicted, f.class AS corrected, f.created_at_us \
                     {WRONG_SINCE} ORDER BY f.id"
                )))
                .bind(since.map_or(ALWAYS, Timestamp::as_microsecond))
                .fetch_all(pool)
                .await
            })
        };
        let rows = self.within_patience("list corrections", work).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }

    /// How much feedback there is, and how many corrections are later than `since`, with an image
    /// and without.
    ///
    /// # Errors
    /// [`StoreError::Database`](crate::StoreError::Database).
    pub async fn feedback_summary(&self, since: Option<Timestamp>) -> Result<FeedbackSummary> {
        let work = async {
            on!(&self.read, pool => {
                let total: i64 = sqlx::query_scalar(
                    "SELECT COUNT(*) FROM predictions WHERE feedback_id IS NOT NULL",
                )
                .fetch_one(pool)
                .await?;
                let of_since: Vec<(bool, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
                    "SELECT p.image_stored, COUNT(*) {WRONG_SINCE} GROUP BY p.image_stored"
                )))
                .bind(since.map_or(ALWAYS, Timestamp::as_microsecond))
                .fetch_all(pool)
                .await?;
                let by_class: Vec<(Option<String>, String, i64)> =
                    sqlx::query_as(sqlx::AssertSqlSafe(format!(
                        "SELECT p.class, f.class, COUNT(*) {WRONG_SINCE} GROUP BY p.class, f.class"
                    )))
                    .bind(ALWAYS)
                    .fetch_all(pool)
                    .await?;
                Ok((total, of_since, by_class))
            })
        };
        let (total, of_since, by_class) = self.within_patience("count feedback", work).await?;
        let since_with = |is_stored: bool| {
            let counted = of_since.iter().filter(|(stored, _)| *stored == is_stored);
            counted.map(|(_, count)| count.unsigned_abs()).sum()
        };
        let mut by_class: Vec<ClassChange> = by_class
            .into_iter()
            .map(|(predicted, corrected, count)| ClassChange {
                predicted,
                corrected,
                count: count.unsigned_abs(),
            })
            .collect();
        // Sorted here, because the databases order text by different rules.
        by_class.sort_by(|a, b| {
            b.count
                .cmp(&a.count)
                .then_with(|| (&a.predicted, &a.corrected).cmp(&(&b.predicted, &b.corrected)))
        });
        Ok(FeedbackSummary {
            total: total.unsigned_abs(),
            wrong: by_class.iter().map(|change| change.count).sum(),
            corrections_since: since_with(true),
            without_image_since: since_with(false),
            by_class,
        })
    }
}

row! {
    struct Stored {
        id: String,
        file: Option<String>,
        image_sha256: String,
        image_stored: bool,
        model_digest: String,
        predicted: Option<String>,
        corrected: String,
        created_at_us: i64,
    }
}

impl TryFrom<Stored> for Correction {
    type Error = crate::StoreError;

    fn try_from(row: Stored) -> Result<Self> {
        Ok(Self {
            prediction_id: parsed(&row.id)?,
            file: row.file,
            image_sha256: parsed(&row.image_sha256)?,
            image_stored: row.image_stored,
            model_digest: parsed(&row.model_digest)?,
            predicted: row.predicted,
            corrected: row.corrected,
            corrected_at: from_microseconds(row.created_at_us)?,
        })
    }
}
