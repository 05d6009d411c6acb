//! The dashboard's figures, computed here by hand.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use prediction_store::{
    ClassFeedback, ClassLatency, ClassShare, FeedbackCounts, Prediction, PredictionCounts,
};

use crate::databases::{Database, on_both_databases};
use crate::samples::{at, feedback, prediction};

on_both_databases!(
    an_empty_store_has_empty_days,
    panels_are_those_computed_by_hand,
    percentiles_are_by_nearest_rank,
);

fn days(days: u16) -> NonZeroU16 {
    NonZeroU16::new(days).unwrap()
}

fn close(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
}

async fn an_empty_store_has_empty_days(database: Database) {
    let store = database.open().await;
    let dashboard = store.dashboard(days(3), at("2026-03-01T23:59:59Z")).await.unwrap();
    assert_eq!(dashboard.counts, PredictionCounts { total: 0, accepted: 0, refused: 0 });
    let per_day: Vec<_> = dashboard.per_day.iter().map(|day| day.day.to_string()).collect();
    assert_eq!(per_day, ["2026-02-27", "2026-02-28", "2026-03-01"]);
    assert_eq!(dashboard.per_day[0].mean_confidence, None);
    assert_eq!((dashboard.by_class, dashboard.latency_ms), (vec![], vec![]));
}

/// A prediction with these figures; `class` is empty for a refused image.
fn figures(created_at: &str, class: &str, confidence: f64, distance: f64) -> Prediction {
    let mut made = prediction(class, at(created_at));
    made.confidence = Some(confidence);
    made.feature_distance = Some(distance);
    made.probabilities[0].probability = confidence;
    made.probabilities[1].probability = 1.0 - confidence;
    if class.is_empty() {
        (made.class, made.confidence, made.accepted) = (None, None, false);
        made.probabilities.clear();
    }
    made
}

async fn panels_are_those_computed_by_hand(database: Database) {
    let store = database.open().await;
    let made = [
        figures("2026-11-18T23:59:59.999999Z", "adenocarcinoma", 0.5, 9.0), // the day before
        figures("2026-11-19T00:00:00Z", "adenocarcinoma", 0.9, 1.0),
        figures("2026-11-19T12:00:00Z", "adenocarcinoma", 0.7, 2.0),
        figures("2026-11-20T09:00:00Z", "squamous", 0.6, 1.5),
        figures("2026-11-20T09:30:00Z", "", 0.0, 7.5),
        figures("2026-11-20T23:59:59.999999Z", "squamous", 0.8, 0.5),
        figures("2026-11-21T00:00:00Z", "adenocarcinoma", 0.5, 9.0), // a clock was ahead
    ];
    store.record_predictions(&made).await.unwrap();
    for (on, class) in
        [(0, "squamous"), (1, "adenocarcinoma"), (2, "squamous"), (3, "normal"), (4, "normal")]
    {
        let said = feedback(&made[on], class, at("2026-11-20T12:00:00Z"));
        store.record_feedback(&said).await.unwrap();
    }
    let dashboard = store.dashboard(days(2), at("2026-11-20T10:00:00Z")).await.unwrap();

    assert_eq!(dashboard.counts, PredictionCounts { total: 5, accepted: 4, refused: 1 });
    let [adenocarcinoma, normal, squamous] = dashboard.by_class.as_slice() else {
        panic!("{:?}", dashboard.by_class)
    };
    let count = |share: &ClassShare| (share.class.clone(), share.count);
    assert_eq!(count(adenocarcinoma), ("adenocarcinoma".to_owned(), 2));
    close(adenocarcinoma.mean_confidence, (0.9 + 0.7) / 2.0);
    close(adenocarcinoma.mean_probability, (0.9 + 0.7) / 2.0);
    assert_eq!(count(normal), ("normal".to_owned(), 0));
    assert_eq!(normal.mean_confidence, None);
    close(normal.mean_probability, (0.1 + 0.3 + 0.4 + 0.2) / 4.0);
    assert_eq!(count(squamous), ("squamous".to_owned(), 2));
    close(squamous.mean_confidence, (0.6 + 0.8) / 2.0);

    let of = |class: Option<&str>, right, wrong| ClassFeedback {
        class: class.map(str::to_owned),
        right,
        wrong,
    };
    let by_class =
        vec![of(None, 0, 1), of(Some("adenocarcinoma"), 1, 1), of(Some("squamous"), 0, 1)];
    assert_eq!(dashboard.feedback, FeedbackCounts { right: 1, wrong: 3, by_class });

    let [before, today] = dashboard.per_day.as_slice() else { panic!("{:?}", dashboard.per_day) };
    assert_eq!(
        (before.day.to_string().as_str(), before.accepted, before.refused),
        ("2026-11-19", 2, 0)
    );
    close(before.mean_confidence, (0.9 + 0.7) / 2.0);
    close(before.mean_feature_distance, (1.0 + 2.0) / 2.0);
    assert_eq!(
        (today.day.to_string().as_str(), today.accepted, today.refused),
        ("2026-11-20", 2, 1)
    );
    close(today.mean_confidence, (0.6 + 0.8) / 2.0);
    close(today.mean_feature_distance, (1.5 + 7.5 + 0.5) / 3.0);
    assert_eq!(today.by_class, BTreeMap::from([("squamous".to_owned(), 2)]));
}

/// NumPy's `percentile(…, method="inverted_cdf")` is the nearest rank: of 1…n, the ceiling of n ×
/// p.
async fn percentiles_are_by_nearest_rank(database: Database) {
    let store = database.open().await;
    let now = at("2026-11-20T10:00:00Z");
    let cases = [("one", 1, 1.0, 1.0), ("two", 2, 1.0, 2.0), ("ten", 10, 5.0, 10.0)];
    let more =
        [("nineteen", 19, 10.0, 19.0), ("twenty", 20, 10.0, 19.0), ("hundred", 100, 50.0, 95.0)];
    let cases = cases.into_iter().chain(more);
    let mut expected = Vec::new();
    for (class, times, p50, p95) in cases {
        // The longest first: the order of recording must not matter.
        let made = (1..=times).rev().map(|milliseconds| {
            let mut made = prediction(class, now);
            made.timings_ms.total = f64::from(milliseconds);
            made
        });
        store.record_predictions(&made.collect::<Vec<_>>()).await.unwrap();
        expected.push(ClassLatency { class: class.to_owned(), p50, p95 });
    }
    expected.sort_by(|a, b| a.class.cmp(&b.class));
    let dashboard = store.dashboard(days(1), now).await.unwrap();
    assert_eq!(dashboard.latency_ms, expected);
}
