#![cfg(test)]
//! The store against real databases and a real bucket.

mod samples;

use prediction_store::*;
use samples::*;

#[tokio::test]
async fn smoke() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        PredictionStore::open(&DatabaseUrl::sqlite(dir.path().join("a/b.db"))).await.unwrap();
    store.is_alive().await.unwrap();
    let now = at("2026-11-20T10:00:00Z");
    let mut p = prediction("adenocarcinoma", now);
    p.image.window = Some(IntensityWindow { centre: -600.0, width: 1500.0 });
    store.record_prediction(&p).await.unwrap();
    store.record_prediction(&p).await.unwrap();
    let f = store.record_feedback(&feedback(&p, "normal", now)).await.unwrap();
    let row = store.prediction(p.id).await.unwrap();
    assert_eq!(row, PredictionRow { prediction: p.clone(), feedback: Some(f) });
    let page = store
        .predictions(&Filter { feedback: Some(FeedbackFilter::Wrong), ..Filter::default() })
        .await
        .unwrap();
    assert_eq!(page.predictions, [row]);
    println!(
        "{}",
        serde_json::to_string_pretty(&store.dashboard(2.try_into().unwrap(), now).await.unwrap())
            .unwrap()
    );
    println!("{:?}", store.feedback_summary(None).await.unwrap());
    println!("{:?}", store.corrections(None).await.unwrap());
    let t = store
        .start_training(&NewTraining {
            started_at: now,
            key_name: None,
            model_before: Digest::of(b"a"),
        })
        .await
        .unwrap();
    store.finish_training(t, now, &TrainingOutcome::Failed { reason: "x".into() }).await.unwrap();
    println!("{:?}", store.trainings(PageLimit::default()).await.unwrap());
    assert_eq!(store.forget_file_names(at("2027-01-01T00:00:00Z")).await.unwrap(), 1);
    assert_eq!(store.remove_predictions(at("2027-01-01T00:00:00Z")).await.unwrap(), 1);
}
