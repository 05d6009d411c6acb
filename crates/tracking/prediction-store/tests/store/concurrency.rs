//! Many writers at once.

use prediction_store::{Filter, PredictionStore};

use crate::databases::{Database, on_both_databases};
use crate::samples::{at, feedback, prediction};

on_both_databases!(
    fifty_tasks_write_at_once,
    two_servers_share_a_database,
    many_open_a_new_database
);

const TASKS: usize = 50;
const ROWS: usize = 10;

/// Each of [`TASKS`] records predictions, some in batches, and feedback on each.
async fn write_from_many_tasks(stores: [PredictionStore; 2]) {
    let tasks = (0..TASKS).map(|task| {
        let store = stores[task % 2].clone();
        tokio::spawn(async move {
            let now = at("2026-11-20T10:00:00Z");
            let made: Vec<_> = (0..ROWS).map(|_| prediction("normal", now)).collect();
            store.record_prediction(&made[0]).await.unwrap();
            store.record_predictions(&made[1..]).await.unwrap();
            for on in &made {
                store.record_feedback(&feedback(on, "adenocarcinoma", now)).await.unwrap();
            }
            store.predictions(&Filter::default()).await.unwrap();
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let summary = stores[0].feedback_summary(None).await.unwrap();
    assert_eq!((summary.total, summary.wrong), ((TASKS * ROWS) as u64, (TASKS * ROWS) as u64));
}

async fn fifty_tasks_write_at_once(database: Database) {
    let store = database.open().await;
    write_from_many_tasks([store.clone(), store]).await;
}

async fn two_servers_share_a_database(database: Database) {
    write_from_many_tasks([database.open().await, database.open().await]).await;
}

async fn many_open_a_new_database(database: Database) {
    let opening = (0..8).map(|_| {
        let url = database.url.clone();
        tokio::spawn(async move { PredictionStore::open(&url).await })
    });
    for opened in opening.collect::<Vec<_>>() {
        let store = opened.await.unwrap().unwrap();
        store.record_prediction(&prediction("normal", at("2026-11-20T10:00:00Z"))).await.unwrap();
    }
    let page = database.open().await.predictions(&Filter::default()).await.unwrap();
    assert_eq!(page.predictions.len(), 8);
}
