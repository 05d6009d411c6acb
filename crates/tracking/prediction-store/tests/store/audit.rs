//! The acts of administrators.

use prediction_store::{AuditEntry, AuditFilter, Cursor, PredictionStore};

use crate::databases::{Database, on_both_databases};
use crate::samples::at;

on_both_databases!(audit_rows_come_back_in_pages_newest_first);

fn entry(created_at: &str, action: &str) -> AuditEntry {
    AuditEntry {
        created_at: at(created_at),
        key_name: Some("chief".to_owned()),
        role: "admin".to_owned(),
        action: action.to_owned(),
        detail: "to version 2".to_owned(),
        outcome: "200".to_owned(),
        request_id: "01a1f866".to_owned(),
    }
}

/// A cursor of this listing.
pub(crate) async fn cursor(store: &PredictionStore) -> Cursor {
    for action in ["train", "rollback"] {
        store.record_audit(&entry("2026-11-20T10:00:00Z", action)).await.unwrap();
    }
    let filter = AuditFilter { limit: 1.try_into().unwrap(), ..AuditFilter::default() };
    store.audit_rows(&filter).await.unwrap().next.unwrap()
}

async fn audit_rows_come_back_in_pages_newest_first(database: Database) {
    let store = database.open().await;
    let entries = [
        entry("2026-11-20T10:00:00Z", "train"),
        entry("2026-11-20T11:00:00Z", "rollback"),
        AuditEntry { key_name: None, ..entry("2026-11-20T12:00:00.000001Z", "train") },
    ];
    for entry in &entries {
        store.record_audit(entry).await.unwrap();
    }
    let mut filter = AuditFilter { limit: 2.try_into().unwrap(), ..AuditFilter::default() };
    let first = store.audit_rows(&filter).await.unwrap();
    filter.cursor = first.next;
    let second = store.audit_rows(&filter).await.unwrap();
    assert_eq!(second.next, None);
    let found: Vec<_> = first.rows.iter().chain(&second.rows).map(|row| &row.entry).collect();
    assert_eq!(found, [&entries[2], &entries[1], &entries[0]]);
    let eleven = AuditFilter {
        since: Some(at("2026-11-20T11:00:00Z")),
        until: Some(at("2026-11-20T12:00:00Z")),
        ..AuditFilter::default()
    };
    let found = store.audit_rows(&eleven).await.unwrap().rows;
    assert_eq!(found.iter().map(|row| &row.entry).collect::<Vec<_>>(), [&entries[1]]);
}
