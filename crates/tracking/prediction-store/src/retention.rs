//! Which data is removed, and when. The caller decides the times.

use artifact::Digest;
use jiff::Timestamp;
use sqlx::QueryBuilder;

use crate::database::on;
use crate::{PredictionStore, Result};

/// Rows of one step: few enough that waiting writers do not notice.
const ROWS_AT_ONCE: i64 = 1000;

impl PredictionStore {
    /// Removes the file names of predictions made before `cutoff`, since names may identify
    /// persons. The rows stay. Returns how many names were removed.
    ///
    /// # Errors
    /// [`StoreError::Database`](crate::StoreError::Database); names removed before the error stay
    /// removed.
    pub async fn forget_file_names(&self, cutoff: Timestamp) -> Result<u64> {
        self.in_steps(
            "forget file names",
            "UPDATE predictions SET file = NULL WHERE id IN (SELECT id FROM predictions
             WHERE created_at_us < $1 AND file IS NOT NULL ORDER BY created_at_us LIMIT $2)",
            cutoff,
        )
        .await
    }

    /// Removes the notes of feedback given before `cutoff`, since they are free text about a scan.
    /// The named classes stay. Returns how many notes were removed.
    ///
    /// # Errors
    /// [`StoreError::Database`](crate::StoreError::Database); notes removed before the error stay
    /// removed.
    pub async fn forget_notes(&self, cutoff: Timestamp) -> Result<u64> {
        self.in_steps(
            "forget notes",
            "UPDATE feedback SET note = NULL WHERE id IN (SELECT id FROM feedback
             WHERE created_at_us < $1 AND note IS NOT NULL ORDER BY created_at_us LIMIT $2)",
            cutoff,
        )
        .await
    }

    /// Removes predictions made before `cutoff` with all feedback on them. Returns how many
    /// predictions were removed.
    ///
    /// # Errors
    /// [`StoreError::Database`](crate::StoreError::Database); rows removed before the error stay
    /// removed.
    pub async fn remove_predictions(&self, cutoff: Timestamp) -> Result<u64> {
        self.in_steps(
            "remove old predictions",
            "DELETE FROM predictions WHERE id IN (SELECT id FROM predictions
             WHERE created_at_us < $1 ORDER BY created_at_us LIMIT $2)",
            cutoff,
        )
        .await
    }

    /// Records that the image store has this image now, for every prediction on it.
    ///
    /// # Errors
    /// [`StoreError::Database`](crate::StoreError::Database).
    pub async fn image_was_stored(&self, image: Digest) -> Result<()> {
        self.note_stored(&[image], true).await
    }

    /// Records that the image store no longer has these images, which
    /// [`ImageStore::remove_older_than`](crate::ImageStore::remove_older_than) removed.
    ///
    /// # Errors
    /// [`StoreError::Database`](crate::StoreError::Database).
    pub async fn images_were_removed(&self, images: &[Digest]) -> Result<()> {
        for some in images.chunks(ROWS_AT_ONCE as usize) {
            self.note_stored(some, false).await?;
        }
        Ok(())
    }

    async fn note_stored(&self, images: &[Digest], stored: bool) -> Result<()> {
        let work = async {
            on!(&self.write, pool => {
                let mut query = QueryBuilder::<Db>::new("UPDATE predictions SET image_stored = ");
                query.push_bind(stored).push(" WHERE image_sha256 IN (");
                let mut digests = query.separated(", ");
                for image in images {
                    digests.push_bind(image.to_string());
                }
                query.push(")");
                query.build().execute(pool).await.map(|_| ())
            })
        };
        self.within_patience("note which images are stored", work).await
    }

    async fn in_steps(
        &self,
        action: &'static str,
        sql: &'static str,
        cutoff: Timestamp,
    ) -> Result<u64> {
        let mut all = 0;
        loop {
            let step = async {
                on!(&self.write, pool => {
                    let done = sqlx::query(sql)
                        .bind(cutoff.as_microsecond())
                        .bind(ROWS_AT_ONCE)
                        .execute(pool)
                        .await?;
                    Ok(done.rows_affected())
                })
            };
            let rows = self.within_patience(action, step).await?;
            all += rows;
            if rows < ROWS_AT_ONCE.unsigned_abs() {
                return Ok(all);
            }
        }
    }
}
