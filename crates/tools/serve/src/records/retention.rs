//! Removes old data automatically.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::records::Records;

/// How often old data is searched.
const EVERY: Duration = Duration::from_secs(3600);

/// Removes images, names of files and notes that are older than `serve.retention_days`: now, and every
/// hour.
pub(crate) async fn keep_enforcing(records: Arc<Records>, retention_days: u32) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        if let Err(error) = enforce(&records, retention_days, Timestamp::now()).await {
            tracing::error!("failed to remove what is older than serve.retention_days: {error:#}");
        }
    }
}

async fn enforce(records: &Records, retention_days: u32, now: Timestamp) -> anyhow::Result<()> {
    let age = SignedDuration::from_hours(24 * i64::from(retention_days));
    let cutoff = now.checked_sub(age)?;
    if let Some(images) = &records.images {
        let removed = images.remove_older_than(cutoff).await?;
        records.store.images_were_removed(&removed).await?;
        if !removed.is_empty() {
            tracing::info!(images = removed.len(), "removed images that were kept long enough");
        }
    }
    let notes = records.store.forget_notes(cutoff).await?;
    if notes > 0 {
        tracing::info!(notes, "forgot notes of corrections that were kept long enough");
    }
    let names = records.store.forget_file_names(cutoff).await?;
    if names > 0 {
        tracing::info!(names, "forgot names of files that were kept long enough");
    }
    Ok(())
}
