use jiff::Timestamp;
use serde::Serialize;
use sqlx::QueryBuilder;

use crate::database::on;
use crate::row::row;
use crate::timestamp::from_microseconds;
use crate::values::{parsed, storable};
use crate::{AuditId, Cursor, PageLimit, PredictionStore, Result, StoreError};

/// An act of someone with a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditEntry {
    /// Its time.
    pub created_at: Timestamp,
    /// The name of the key; `None` if no keys are configured.
    pub key_name: Option<String>,
    /// The role it needed.
    pub role: String,
    /// The action: `train`, `rollback`, …
    pub action: String,
    /// Its object, in words.
    pub detail: String,
    /// Its outcome.
    pub outcome: String,
    /// The request's id.
    pub request_id: String,
}

/// An audit row as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// Its id.
    pub id: AuditId,
    /// Its content.
    #[serde(flatten)]
    pub entry: AuditEntry,
}

/// The audit rows to list. The default is the first page of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Rows to a page.
    pub limit: PageLimit,
    /// The end of the page before.
    pub cursor: Option<Cursor>,
    /// Only those of this time or later.
    pub since: Option<Timestamp>,
    /// Only those before this time.
    pub until: Option<Timestamp>,
}

/// One page of audit rows, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditPage {
    /// The rows.
    pub rows: Vec<AuditRow>,
    /// For [`AuditFilter::cursor`] of the next page; `None` on the last.
    pub next: Option<Cursor>,
}

impl PredictionStore {
    /// Sets the outcome of a row that was recorded before its act.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn close_audit(&self, id: AuditId, outcome: &str) -> Result<()> {
        let work = async {
            on!(&self.write, pool => {
                sqlx::query("UPDATE audit SET outcome = $1 WHERE id = $2")
                    .bind(storable(outcome))
                    .bind(id.to_string())
                    .execute(pool)
                    .await
                    .map(|_| ())
            })
        };
        self.within_patience("close an audit row", work).await
    }

    /// Records an act, or an act that is about to begin: then [`close_audit`](Self::close_audit)
    /// records its outcome. There is no other way to change a row here, and none to remove it.
    ///
    /// # Errors
    /// [`StoreError::Database`].
    pub async fn record_audit(&self, entry: &AuditEntry) -> Result<AuditId> {
        let id = AuditId::new(entry.created_at);
        let work = async {
            on!(&self.write, pool => {
                sqlx::query(
                    "INSERT INTO audit (id, created_at_us, key_name, role, action, detail, outcome,
                     request_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                )
                .bind(id.to_string())
                .bind(entry.created_at.as_microsecond())
                .bind(entry.key_name.as_deref().map(storable))
                .bind(storable(&entry.role))
                .bind(storable(&entry.action))
                .bind(storable(&entry.detail))
                .bind(storable(&entry.outcome))
                .bind(storable(&entry.request_id))
                .execute(pool)
                .await
                .map(|_| id)
            })
        };
        self.within_patience("record an audit row", work).await
    }

    /// One page of audit rows, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::InvalidRow`] or [`StoreError::Database`].
    pub async fn audit_rows(&self, filter: &AuditFilter) -> Result<AuditPage> {
        let after = filter.cursor.map(Cursor::audit).transpose()?;
        let mut stored: Vec<Stored> = on!(&self.read, pool => {
            let mut query = QueryBuilder::<Db>::new(
                "SELECT id, created_at_us, key_name, role, action, detail, outcome, request_id \
                 FROM audit WHERE TRUE",
            );
            if let Some(after) = after {
                query.push(" AND id < ").push_bind(after.to_string());
            }
            if let Some(since) = filter.since {
                query.push(" AND created_at_us >= ").push_bind(since.as_microsecond());
            }
            if let Some(until) = filter.until {
                query.push(" AND created_at_us < ").push_bind(until.as_microsecond());
            }
            query.push(" ORDER BY id DESC LIMIT ").push_bind(filter.limit.and_one());
            let work = query.build_query_as().fetch_all(pool);
            self.within_patience("list the audit", work).await?
        });
        let page = filter.limit.get() as usize;
        let more = stored.len() > page;
        stored.truncate(page);
        let rows: Vec<AuditRow> =
            stored.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
        let next = rows.last().filter(|_| more).map(|row| Cursor::after_audit(row.id));
        Ok(AuditPage { rows, next })
    }
}

row! {
    struct Stored {
        id: String,
        created_at_us: i64,
        key_name: Option<String>,
        role: String,
        action: String,
        detail: String,
        outcome: String,
        request_id: String,
    }
}

impl TryFrom<Stored> for AuditRow {
    type Error = StoreError;

    fn try_from(row: Stored) -> Result<Self> {
        let entry = AuditEntry {
            created_at: from_microseconds(row.created_at_us)?,
            key_name: row.key_name,
            role: row.role,
            action: row.action,
            detail: row.detail,
            outcome: row.outcome,
            request_id: row.request_id,
        };
        Ok(Self { id: parsed(&row.id)?, entry })
    }
}
