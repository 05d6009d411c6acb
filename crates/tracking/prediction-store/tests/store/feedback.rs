//! Readers' feedback, and its effect.

use prediction_store::{ClassChange, FeedbackSummary, PredictionId, StoreError};

use crate::databases::{Database, on_both_databases};
use crate::samples::{at, feedback, prediction};

on_both_databases!(
    the_last_feedback_counts_whatever_its_clock_says,
    feedback_on_nothing_is_refused,
    corrections_are_those_that_disagree_since,
);

async fn the_last_feedback_counts_whatever_its_clock_says(database: Database) {
    let store = database.open().await;
    let on = prediction("normal", at("2026-11-20T10:00:00Z"));
    store.record_prediction(&on).await.unwrap();
    let first = feedback(&on, "adenocarcinoma", at("2026-11-20T11:00:00Z"));
    assert!(!store.record_feedback(&first).await.unwrap().right);
    let mut second = feedback(&on, "normal", at("2026-11-20T09:00:00Z"));
    second.note = Some("I was wrong\0".to_owned());
    let recorded = store.record_feedback(&second).await.unwrap();
    assert!(recorded.right);
    let counted = store.prediction(on.id).await.unwrap().feedback.unwrap();
    assert_eq!(counted.note.as_deref(), Some("I was wrong\u{fffd}"));
    assert_eq!(counted, recorded);
    let summary = store.feedback_summary(None).await.unwrap();
    assert_eq!((summary.total, summary.wrong), (1, 0));
}

async fn feedback_on_nothing_is_refused(database: Database) {
    let store = database.open().await;
    let mut of_nothing = prediction("normal", at("2026-11-20T10:00:00Z"));
    of_nothing.id = PredictionId::new(of_nothing.created_at);
    let error = store
        .record_feedback(&feedback(&of_nothing, "normal", of_nothing.created_at))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::UnknownPrediction(_)), "{error}");
    // The failed attempt must leave nothing that would appear once such a prediction exists.
    store.record_prediction(&of_nothing).await.unwrap();
    assert_eq!(store.prediction(of_nothing.id).await.unwrap().feedback, None);
}

async fn corrections_are_those_that_disagree_since(database: Database) {
    let store = database.open().await;
    let time = |hour: u32| at(&format!("2026-11-20T{hour:02}:00:00Z"));
    let mut foreign = prediction("normal", time(1));
    foreign.class = None;
    let on = [
        prediction("normal", time(1)),
        prediction("normal", time(1)),
        prediction("normal", time(1)),
        prediction("adenocarcinoma", time(1)),
        foreign,
    ];
    store.record_predictions(&on).await.unwrap();
    let said = [
        (0, "adenocarcinoma", 2),
        (1, "adenocarcinoma", 3),
        (2, "adenocarcinoma", 3),
        (2, "normal", 4), // corrected back
        (3, "adenocarcinoma", 4),
        (4, "normal", 5),
    ];
    for (which, class, hour) in said {
        store.record_feedback(&feedback(&on[which], class, time(hour))).await.unwrap();
    }
    let ids = async |since| -> Vec<_> {
        let corrections = store.corrections(since).await.unwrap();
        corrections.iter().map(|correction| correction.prediction_id).collect()
    };
    assert_eq!(ids(None).await, [on[0].id, on[1].id, on[4].id]);
    assert_eq!(ids(Some(time(2))).await, [on[1].id, on[4].id]);
    assert_eq!(ids(Some(time(5))).await, []);
    let first = &store.corrections(None).await.unwrap()[0];
    assert_eq!(first.predicted.as_deref(), Some("normal"));
    assert_eq!(first.corrected, "adenocarcinoma");
    assert_eq!((first.image_sha256, first.image_stored), (on[0].image.sha256, false));
    assert_eq!(first.corrected_at, time(2));

    let change = |predicted: Option<&str>, corrected: &str, count| ClassChange {
        predicted: predicted.map(str::to_owned),
        corrected: corrected.to_owned(),
        count,
    };
    let expected = FeedbackSummary {
        total: 5,
        wrong: 3,
        corrections_since: 0,
        without_image_since: 2,
        by_class: vec![change(Some("normal"), "adenocarcinoma", 2), change(None, "normal", 1)],
    };
    assert_eq!(store.feedback_summary(Some(time(2))).await.unwrap(), expected);
}
