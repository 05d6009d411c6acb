//! Which data is removed, and which stays.

use prediction_store::{Digest, Filter, NewFeedback, StoreError};

use crate::databases::{Database, SqliteFile, on_both_databases};
use crate::samples::{at, feedback, prediction};

on_both_databases!(
    old_file_names_go_and_rows_stay,
    old_predictions_go_with_their_feedback,
    what_becomes_of_images_is_noted,
);

async fn old_file_names_go_and_rows_stay(database: Database) {
    let store = database.open().await;
    let old = at("2026-10-01T00:00:00Z");
    let cutoff = at("2026-10-21T00:00:00Z");
    // More than one step removes.
    let mut made: Vec<_> = (0..2500).map(|_| prediction("normal", old)).collect();
    made.push(prediction("normal", cutoff));
    store.record_predictions(&made).await.unwrap();
    assert_eq!(store.forget_file_names(cutoff).await.unwrap(), 2500);
    assert_eq!(store.forget_file_names(cutoff).await.unwrap(), 0);
    let row = store.prediction(made[0].id).await.unwrap().prediction;
    made[0].file = None;
    assert_eq!(row, made[0]);
    assert_eq!(store.prediction(made[2500].id).await.unwrap().prediction, made[2500]);
}

async fn old_predictions_go_with_their_feedback(database: Database) {
    let store = database.open().await;
    let made = [
        prediction("normal", at("2026-10-01T00:00:00Z")),
        prediction("normal", at("2026-10-21T00:00:00Z")),
    ];
    store.record_predictions(&made).await.unwrap();
    for on in &made {
        let said = feedback(on, "adenocarcinoma", at("2026-11-20T10:00:00Z"));
        store.record_feedback(&said).await.unwrap();
    }
    assert_eq!(store.remove_predictions(at("2026-10-21T00:00:00Z")).await.unwrap(), 1);
    let error = store.prediction(made[0].id).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownPrediction(_)), "{error}");
    assert_eq!(store.feedback_summary(None).await.unwrap().total, 1);
    assert_eq!(store.predictions(&Filter::default()).await.unwrap().predictions.len(), 1);
}

async fn what_becomes_of_images_is_noted(database: Database) {
    let store = database.open().await;
    let mut made: Vec<_> =
        (0..3).map(|_| prediction("normal", at("2026-11-20T10:00:00Z"))).collect();
    made[2].image.sha256 = Digest::of(b"another image");
    store.record_predictions(&made).await.unwrap();
    let stored = async || {
        let rows = store.predictions(&Filter::default()).await.unwrap().predictions;
        rows.iter().rev().map(|row| row.prediction.image.stored).collect::<Vec<_>>()
    };
    store.image_was_stored(made[0].image.sha256).await.unwrap();
    assert_eq!(stored().await, [true, true, false]);
    store.image_was_stored(made[2].image.sha256).await.unwrap();
    store.images_were_removed(&[made[0].image.sha256, Digest::of(b"unknown")]).await.unwrap();
    assert_eq!(stored().await, [false, false, true]);
    store.images_were_removed(&[]).await.unwrap();
}

#[tokio::test]
async fn a_forgotten_name_is_no_longer_in_the_file() {
    let sqlite = SqliteFile::new();
    let store = sqlite.open().await;
    let mut made = prediction("normal", at("2026-10-01T00:00:00Z"));
    made.file = Some("Mrs-Aurelia-Quint-1951.dcm".to_owned());
    store.record_prediction(&made).await.unwrap();
    store.forget_file_names(at("2026-11-01T00:00:00Z")).await.unwrap();
    store.close().await;
    for file in std::fs::read_dir(sqlite.folder.path()).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(14).any(|window| window == b"Aurelia-Quint-");
        assert!(!found, "{} still holds the name", path.display());
    }
}

#[tokio::test]
async fn old_notes_are_forgotten_and_the_classes_that_were_named_stay() {
    let sqlite = SqliteFile::new();
    let store = sqlite.open().await;
    let made = prediction("normal", at("2026-10-01T10:00:00Z"));
    store.record_prediction(&made).await.unwrap();
    let bare = NewFeedback { note: None, ..feedback(&made, "normal", at("2026-10-01T11:00:00Z")) };
    store.record_feedback(&bare).await.unwrap();
    let noted = NewFeedback {
        note: Some("of Mr. N.".to_owned()),
        ..feedback(&made, "adenocarcinoma", at("2026-10-02T10:00:00Z"))
    };
    store.record_feedback(&noted).await.unwrap();
    assert_eq!(store.forget_notes(at("2026-10-02T00:00:00Z")).await.unwrap(), 0, "it is newer");
    assert_eq!(store.forget_notes(at("2026-11-01T00:00:00Z")).await.unwrap(), 1);
    let kept = store.prediction(made.id).await.unwrap().feedback.unwrap();
    assert_eq!((kept.class.as_str(), kept.note), ("adenocarcinoma", None));
}
