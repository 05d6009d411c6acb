//! Faults of PostgreSQL.

use std::time::Instant;

use prediction_store::{Fault, PATIENCE, PredictionStore};

use crate::postgres::Cluster;
use crate::samples::{at, prediction};

#[tokio::test]
async fn a_locked_table_is_an_error_in_time() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.new_database().await;
    let store = PredictionStore::open(&url.parse().unwrap()).await.unwrap();
    let name = url.split(['/', '?']).nth(3).unwrap();
    let mut other = cluster.connect(name).await;
    sqlx::raw_sql("BEGIN; LOCK TABLE predictions IN ACCESS EXCLUSIVE MODE")
        .execute(&mut other)
        .await
        .unwrap();
    let begun = Instant::now();
    let made = prediction("normal", at("2026-11-20T10:00:00Z"));
    let error = store.record_prediction(&made).await.unwrap_err();
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(error.fault(), Some(Fault::Locked), "{error}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    store.record_prediction(&made).await.unwrap();
}

#[tokio::test]
async fn a_server_that_ends_is_unavailable_until_it_is_back() {
    let Some(cluster) = Cluster::start() else { return };
    let url = cluster.new_database().await.parse().unwrap();
    let store = PredictionStore::open(&url).await.unwrap();
    let made = prediction("normal", at("2026-11-20T10:00:00Z"));
    store.record_prediction(&made).await.unwrap();
    cluster.stop();
    for _ in 0..2 {
        let begun = Instant::now();
        let error = store.is_alive().await.unwrap_err();
        assert!(begun.elapsed() <= PATIENCE, "{:?}", begun.elapsed());
        assert_eq!(error.fault(), Some(Fault::Unavailable), "{error}");
    }
    let error = PredictionStore::open(&url).await.unwrap_err();
    assert_eq!(error.fault(), Some(Fault::Unavailable), "{error}");
    cluster.start_again();
    assert_eq!(store.prediction(made.id).await.unwrap().prediction, made);
    store.is_alive().await.unwrap();
}

#[tokio::test]
async fn a_database_that_may_not_be_written_is_read_only() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.new_database().await;
    let name = url.split(['/', '?']).nth(3).unwrap();
    let parsed = url.parse().unwrap();
    PredictionStore::open(&parsed).await.unwrap().close().await;
    let forbid = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    let mut other = cluster.connect("postgres").await;
    sqlx::query(sqlx::AssertSqlSafe(forbid)).execute(&mut other).await.unwrap();
    let store = PredictionStore::open(&parsed).await;
    let error = match store {
        Ok(store) => store
            .record_prediction(&prediction("normal", at("2026-11-20T10:00:00Z")))
            .await
            .unwrap_err(),
        Err(error) => error,
    };
    assert_eq!(error.fault(), Some(Fault::ReadOnly), "{error}");
}

#[tokio::test]
async fn a_database_that_does_not_exist_is_unavailable() {
    let Some(cluster) = Cluster::shared() else { return };
    let error = PredictionStore::open(&cluster.url("nothing").parse().unwrap()).await.unwrap_err();
    assert_eq!(error.fault(), Some(Fault::Unavailable), "{error}");
    assert!(error.to_string().contains("does not exist"), "{error}");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up() {
    // It listens, but never answers.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = silent.local_addr().unwrap().port();
    let url = format!("postgres://anna:secret@127.0.0.1:{port}/scans").parse().unwrap();
    let begun = Instant::now();
    let error = PredictionStore::open(&url).await.unwrap_err();
    assert!(begun.elapsed() <= PATIENCE * 2, "{:?}", begun.elapsed());
    assert_eq!(error.fault(), Some(Fault::Unavailable), "{error}");
    assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
}
