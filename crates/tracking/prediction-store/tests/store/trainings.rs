//! One training at a time, and the result of each.

use prediction_store::{
    Digest, NewTraining, PageLimit, StoreError, TrainingOutcome, TrainingState,
};

use crate::databases::{Database, on_both_databases};
use crate::samples::at;

on_both_databases!(
    one_training_runs_at_a_time,
    of_many_that_start_at_once_one_runs,
    the_last_that_made_a_model_is_found,
    a_training_of_which_nothing_is_left_is_abandoned,
);

fn training(started_at: &str) -> NewTraining {
    NewTraining {
        started_at: at(started_at),
        key_name: Some("chief".to_owned()),
        model_before: Digest::of(b"before"),
    }
}

async fn one_training_runs_at_a_time(database: Database) {
    let store = database.open().await;
    let id = store.start_training(&training("2026-11-20T10:00:00Z")).await.unwrap();
    let error = store.start_training(&training("2026-11-20T11:00:00Z")).await.unwrap_err();
    assert!(matches!(error, StoreError::TrainingRuns), "{error}");
    let running = &store.trainings(PageLimit::default()).await.unwrap()[0];
    assert_eq!((running.state, running.promoted), (TrainingState::Running, None));
    let outcome = TrainingOutcome::Failed { reason: "no disk".to_owned() };
    let end = at("2026-11-20T12:00:00Z");
    store.finish_training(id, end, &outcome).await.unwrap();
    let error = store.finish_training(id, end, &outcome).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownTraining(of) if of == id), "{error}");
    store.start_training(&training("2026-11-20T13:00:00Z")).await.unwrap();
}

async fn of_many_that_start_at_once_one_runs(database: Database) {
    let (one, other) = (database.open().await, database.open().await);
    let starts = (0..20).map(|number| {
        let store = if number % 2 == 0 { one.clone() } else { other.clone() };
        tokio::spawn(async move { store.start_training(&training("2026-11-20T10:00:00Z")).await })
    });
    let mut started = 0;
    for start in starts.collect::<Vec<_>>() {
        match start.await.unwrap() {
            Ok(_) => started += 1,
            Err(error) => assert!(matches!(error, StoreError::TrainingRuns), "{error}"),
        }
    }
    assert_eq!(started, 1);
}

async fn the_last_that_made_a_model_is_found(database: Database) {
    let store = database.open().await;
    assert_eq!(store.last_successful_training().await.unwrap(), None);
    let (model_after, reason) = (Digest::of(b"after"), "better by 0.02".to_owned());
    let outcomes = [
        TrainingOutcome::Promoted { model_after, reason: reason.clone() },
        TrainingOutcome::Kept { model_after, reason: reason.clone() },
        TrainingOutcome::Failed { reason: reason.clone() },
    ];
    for (hour, outcome) in (10..).zip(&outcomes) {
        let id =
            store.start_training(&training(&format!("2026-11-20T{hour}:00:00Z"))).await.unwrap();
        let end = at(&format!("2026-11-20T{hour}:30:00Z"));
        store.finish_training(id, end, outcome).await.unwrap();
    }
    let all = store.trainings(PageLimit::default()).await.unwrap();
    let states: Vec<_> = all.iter().map(|training| (training.state, training.promoted)).collect();
    assert_eq!(
        states,
        [
            (TrainingState::Failed, Some(false)),
            (TrainingState::Succeeded, Some(false)),
            (TrainingState::Succeeded, Some(true)),
        ]
    );
    let last = store.last_successful_training().await.unwrap().unwrap();
    assert_eq!(last, all[1]);
    assert_eq!(last.started_at, at("2026-11-20T11:00:00Z"));
    assert_eq!(last.finished_at, Some(at("2026-11-20T11:30:00Z")));
    assert_eq!((last.model_before, last.model_after), (Digest::of(b"before"), Some(model_after)));
    assert_eq!((last.key_name.as_deref(), last.reason), (Some("chief"), Some(reason)));
}

async fn a_training_of_which_nothing_is_left_is_abandoned(database: Database) {
    let store = database.open().await;
    let end = at("2026-11-20T12:00:00Z");
    assert!(!store.abandon_training(end, "the server ended").await.unwrap());
    store.start_training(&training("2026-11-20T10:00:00Z")).await.unwrap();
    assert!(store.abandon_training(end, "the server ended").await.unwrap());
    let abandoned = &store.trainings(PageLimit::default()).await.unwrap()[0];
    assert_eq!(abandoned.state, TrainingState::Failed);
    assert_eq!(abandoned.reason.as_deref(), Some("the server ended"));
}
