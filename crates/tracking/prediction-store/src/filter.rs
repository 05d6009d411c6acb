use artifact::Digest;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::{Database, Encode, QueryBuilder, Type};

use crate::{Cursor, InvalidCursor, PageLimit, PredictionRow};

/// The predictions to list. The default is the first page of all.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Rows to a page.
    pub limit: PageLimit,
    /// The end of the page before.
    pub cursor: Option<Cursor>,
    /// Only this predicted class.
    pub class: Option<String>,
    /// Only those that passed the checks, or only those that did not.
    pub accepted: Option<bool>,
    /// Only predictions with this kind of feedback.
    pub feedback: Option<FeedbackFilter>,
    /// Only those made at this time or later.
    pub since: Option<Timestamp>,
    /// Only those made before this time.
    pub until: Option<Timestamp>,
    /// Only those of the model with these weights.
    pub model: Option<Digest>,
}

/// The feedback on a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedbackFilter {
    /// It has some.
    Any,
    /// It has none.
    None,
    /// The last names the predicted class.
    Right,
    /// The last names another class, or none was predicted.
    Wrong,
}

/// One page of predictions, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Page {
    /// The rows.
    pub predictions: Vec<PredictionRow>,
    /// For [`Filter::cursor`] of the next page; `None` on the last.
    pub next: Option<Cursor>,
}

/// Whether the last feedback (`f`) names the class that was predicted (`p`).
pub(crate) const IS_RIGHT: &str = "(p.class IS NOT NULL AND f.class = p.class)";

impl Filter {
    /// Adds `WHERE` with the conditions on `predictions p LEFT JOIN feedback f`.
    pub(crate) fn push_conditions<DB: Database>(
        &self,
        query: &mut QueryBuilder<DB>,
    ) -> Result<(), InvalidCursor>
    where
        for<'q> bool: Encode<'q, DB> + Type<DB>,
        for<'q> i64: Encode<'q, DB> + Type<DB>,
        for<'q> String: Encode<'q, DB> + Type<DB>,
    {
        query.push(" WHERE TRUE");
        if let Some(cursor) = self.cursor {
            query.push(" AND p.id < ").push_bind(cursor.prediction()?.to_string());
        }
        if let Some(class) = &self.class {
            query.push(" AND p.class = ").push_bind(class.clone());
        }
        if let Some(accepted) = self.accepted {
            query.push(if accepted { " AND p.accepted" } else { " AND NOT p.accepted" });
        }
        if let Some(since) = self.since {
            query.push(" AND p.created_at_us >= ").push_bind(since.as_microsecond());
        }
        if let Some(until) = self.until {
            query.push(" AND p.created_at_us < ").push_bind(until.as_microsecond());
        }
        if let Some(model) = self.model {
            query.push(" AND p.model_digest = ").push_bind(model.to_string());
        }
        match self.feedback {
            None => {}
            Some(FeedbackFilter::Any) => {
                query.push(" AND p.feedback_id IS NOT NULL");
            }
            Some(FeedbackFilter::None) => {
                query.push(" AND p.feedback_id IS NULL");
            }
            Some(FeedbackFilter::Right) => {
                query.push(" AND p.feedback_id IS NOT NULL AND ").push(IS_RIGHT);
            }
            Some(FeedbackFilter::Wrong) => {
                query.push(" AND p.feedback_id IS NOT NULL AND NOT ").push(IS_RIGHT);
            }
        }
        Ok(())
    }
}
