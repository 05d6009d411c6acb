//! Databases of other releases and of other programs.

use prediction_store::{PredictionStore, StoreError};
use sqlx::{Connection as _, SqliteConnection};

use crate::databases::SqliteFile;

/// Runs `sql` on the file, beside the store.
async fn change(sqlite: &SqliteFile, sql: &'static str) {
    let url = format!("sqlite:{}?mode=rwc", sqlite.path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(sql).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_release_is_refused() {
    let sqlite = SqliteFile::new();
    sqlite.open().await.close().await;
    change(
        &sqlite,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (7, 'later', TRUE, X'00', 0)",
    )
    .await;
    let error = PredictionStore::open(&sqlite.url).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { found: 7, known: 1, .. }), "{error}");
    assert!(error.to_string().contains("use the newer release"), "{error}");
}

#[tokio::test]
async fn tables_that_another_version_of_the_text_made_are_refused() {
    let sqlite = SqliteFile::new();
    sqlite.open().await.close().await;
    change(&sqlite, "UPDATE _sqlx_migrations SET checksum = X'00'").await;
    let error = PredictionStore::open(&sqlite.url).await.unwrap_err();
    assert!(matches!(error, StoreError::ForeignSchema { .. }), "{error}");
}

#[tokio::test]
async fn the_database_of_another_program_is_refused_and_left_as_it_was() {
    let sqlite = SqliteFile::new();
    change(&sqlite, "CREATE TABLE predictions (text TEXT)").await;
    let error = PredictionStore::open(&sqlite.url).await.unwrap_err();
    assert!(error.to_string().contains("predictions already exists"), "{error}");
    change(&sqlite, "INSERT INTO predictions VALUES ('still one column')").await;
}

#[tokio::test]
async fn an_open_store_keeps_a_write_ahead_log() {
    let sqlite = SqliteFile::new();
    let _store = sqlite.open().await;
    let mut beside = SqliteConnection::connect(&sqlite.address()).await.unwrap();
    let mode: String =
        sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut beside).await.unwrap();
    assert_eq!(mode, "wal");
}
