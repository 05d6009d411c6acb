//! Recorded data is returned in pages.

use prediction_store::{
    Cursor, Digest, FeedbackFilter, Filter, IntensityWindow, InvalidCursor, PageLimit, Prediction,
    PredictionId, PredictionRow, PredictionStore, StoreError, Timestamp,
};

use crate::databases::{Database, on_both_databases};
use crate::samples::{at, feedback, prediction};

on_both_databases!(
    every_field_comes_back_as_it_was,
    a_refused_image_has_no_class,
    recording_again_changes_nothing,
    a_batch_is_recorded_whole_or_not_at_all,
    pages_hold_every_row_once_newest_first,
    a_clock_that_falls_back_loses_no_row_between_pages,
    filters_choose_what_they_say,
    a_cursor_of_another_listing_is_refused,
    text_that_postgres_cannot_hold_is_stored,
);

async fn every_field_comes_back_as_it_was(database: Database) {
    let store = database.open().await;
    let mut all = prediction("large.cell.carcinoma", at("2026-11-20T10:00:00.123456Z"));
    all.image.window = Some(IntensityWindow { centre: -600.0, width: 1500.0 });
    all.image.stored = true;
    // Not in alphabetical order; 0.1 + 0.2 has no short decimal.
    all.probabilities[0].probability = 0.1 + 0.2;
    let mut least = prediction("normal", at("2026-11-20T10:00:01Z"));
    (least.key_name, least.file, least.model.version) = (None, None, None);
    (least.grey_correlation, least.feature_distance) = (None, None);
    store.record_predictions(&[all.clone(), least.clone()]).await.unwrap();
    for recorded in [all, least] {
        let row = store.prediction(recorded.id).await.unwrap();
        assert_eq!(row, PredictionRow { prediction: recorded, feedback: None });
    }
    store.is_alive().await.unwrap();
    let unknown = PredictionId::new(at("2026-11-20T10:00:00Z"));
    let error = store.prediction(unknown).await.unwrap_err();
    assert!(matches!(error, StoreError::UnknownPrediction(id) if id == unknown), "{error}");
}

async fn a_refused_image_has_no_class(database: Database) {
    let store = database.open().await;
    let refused = refused(at("2026-11-20T10:00:00Z"));
    store.record_prediction(&refused).await.unwrap();
    assert_eq!(store.prediction(refused.id).await.unwrap().prediction, refused);
}

async fn recording_again_changes_nothing(database: Database) {
    let store = database.open().await;
    let first = prediction("normal", at("2026-11-20T10:00:00Z"));
    let mut again = first.clone();
    again.class = Some("adenocarcinoma".to_owned());
    let other = prediction("normal", at("2026-11-20T10:00:00Z"));
    store.record_prediction(&first).await.unwrap();
    store.record_predictions(&[again, other.clone()]).await.unwrap();
    assert_eq!(listed(&store, Filter::default()).await, [other, first]);
}

async fn a_batch_is_recorded_whole_or_not_at_all(database: Database) {
    let store = database.open().await;
    let now = at("2026-11-20T10:00:00Z");
    // More than one INSERT can hold.
    let mut batch: Vec<_> = (0..1201).map(|_| prediction("normal", now)).collect();
    batch[1200].confidence = Some(f64::NAN);
    let error = store.record_predictions(&batch).await.unwrap_err();
    assert!(error.to_string().contains("the confidence is NaN"), "{error}");
    assert_eq!(listed(&store, Filter::default()).await, []);
    batch[1200].confidence = None;
    store.record_predictions(&batch).await.unwrap();
    batch.reverse();
    assert_eq!(walk(&store, 1000).await, batch);
}

async fn pages_hold_every_row_once_newest_first(database: Database) {
    let store = database.open().await;
    let now = at("2026-11-20T10:00:00Z");
    let mut all: Vec<_> = (0..23).map(|_| prediction("normal", now)).collect();
    store.record_predictions(&all).await.unwrap();
    all.reverse();
    for rows in [1, 7, 22, 23, 24] {
        assert_eq!(walk(&store, rows).await, all, "{rows} to a page");
    }
    // A page that is exactly full is the last.
    let filter = Filter { limit: 23.try_into().unwrap(), ..Filter::default() };
    assert_eq!(store.predictions(&filter).await.unwrap().next, None);
}

async fn a_clock_that_falls_back_loses_no_row_between_pages(database: Database) {
    let store = database.open().await;
    let mut all = Vec::new();
    for minute in [30, 31, 5, 6, 32] {
        let recorded = prediction("normal", at(&format!("2026-11-20T10:{minute:02}:00Z")));
        store.record_prediction(&recorded).await.unwrap();
        all.insert(0, recorded);
    }
    assert_eq!(walk(&store, 2).await, all);
}

async fn filters_choose_what_they_say(database: Database) {
    let store = database.open().await;
    let time = |minute: u32| at(&format!("2026-11-20T10:{minute:02}:00Z"));
    let right = prediction("normal", time(0));
    let wrong = prediction("normal", time(1));
    let silent = prediction("adenocarcinoma", time(2));
    let foreign = refused(time(3));
    let mut newer_model = prediction("normal", time(4));
    newer_model.model.digest = Digest::of(b"newer weights");
    let all = [&right, &wrong, &silent, &foreign, &newer_model].map(Clone::clone);
    store.record_predictions(&all).await.unwrap();
    for (on, class) in [(&right, "normal"), (&wrong, "adenocarcinoma"), (&foreign, "normal")] {
        store.record_feedback(&feedback(on, class, time(9))).await.unwrap();
    }
    let some = Filter::default;
    let cases: [(&str, Filter, Vec<&Prediction>); 9] = [
        (
            "class",
            Filter { class: Some("normal".into()), ..some() },
            vec![&newer_model, &wrong, &right],
        ),
        (
            "accepted",
            Filter { accepted: Some(true), ..some() },
            vec![&newer_model, &silent, &wrong, &right],
        ),
        ("refused", Filter { accepted: Some(false), ..some() }, vec![&foreign]),
        (
            "any",
            Filter { feedback: Some(FeedbackFilter::Any), ..some() },
            vec![&foreign, &wrong, &right],
        ),
        (
            "none",
            Filter { feedback: Some(FeedbackFilter::None), ..some() },
            vec![&newer_model, &silent],
        ),
        ("right", Filter { feedback: Some(FeedbackFilter::Right), ..some() }, vec![&right]),
        (
            "wrong",
            Filter { feedback: Some(FeedbackFilter::Wrong), ..some() },
            vec![&foreign, &wrong],
        ),
        (
            "time",
            Filter { since: Some(time(1)), until: Some(time(3)), ..some() },
            vec![&silent, &wrong],
        ),
        ("model", Filter { model: Some(newer_model.model.digest), ..some() }, vec![&newer_model]),
    ];
    for (name, filter, expected) in cases {
        let found = listed(&store, filter).await;
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{name}");
    }
    let together = Filter {
        class: Some("normal".to_owned()),
        feedback: Some(FeedbackFilter::Any),
        limit: 1.try_into().unwrap(),
        ..Filter::default()
    };
    let first = store.predictions(&together).await.unwrap();
    assert_eq!(first.predictions[0].prediction, wrong);
    let rest = Filter { cursor: first.next, ..together };
    assert_eq!(listed(&store, rest).await, [right]);
}

async fn a_cursor_of_another_listing_is_refused(database: Database) {
    let store = database.open().await;
    let audit = crate::audit::cursor(&store).await;
    let filter = Filter { cursor: Some(audit), ..Filter::default() };
    let error = store.predictions(&filter).await.unwrap_err();
    assert!(matches!(error, StoreError::Cursor(InvalidCursor)), "{error}");
}

async fn text_that_postgres_cannot_hold_is_stored(database: Database) {
    let store = database.open().await;
    let mut odd = prediction("nor\0mal", at("2026-11-20T10:00:00Z"));
    odd.file = Some("a\0'; DROP TABLE predictions; --".to_owned());
    store.record_prediction(&odd).await.unwrap();
    let row = store.prediction(odd.id).await.unwrap().prediction;
    assert_eq!(row.file.as_deref(), Some("a\u{fffd}'; DROP TABLE predictions; --"));
    assert_eq!(row.probabilities[0].class, "nor\u{fffd}mal");
}

/// A foreign image, which was given no class.
fn refused(created_at: Timestamp) -> Prediction {
    let mut refused = prediction("normal", created_at);
    (refused.class, refused.confidence, refused.accepted) = (None, None, false);
    refused.probabilities.clear();
    refused
}

async fn listed(store: &PredictionStore, filter: Filter) -> Vec<Prediction> {
    let page = store.predictions(&filter).await.unwrap();
    page.predictions.into_iter().map(|row| row.prediction).collect()
}

/// All predictions, page by page, with the cursor as text between them.
async fn walk(store: &PredictionStore, rows: u32) -> Vec<Prediction> {
    let limit = PageLimit::try_from(rows).unwrap();
    let mut filter = Filter { limit, ..Filter::default() };
    let mut found = Vec::new();
    loop {
        let page = store.predictions(&filter).await.unwrap();
        assert!(page.predictions.len() <= rows as usize);
        found.extend(page.predictions.into_iter().map(|row| row.prediction));
        let Some(next) = page.next else { return found };
        filter.cursor = Some(next.to_string().parse::<Cursor>().unwrap());
    }
}
