//! Predictions to record.

use prediction_store::{
    ClassProbability, Digest, ImageFacts, ModelIdentity, NewFeedback, Prediction, PredictionId,
    Timestamp, TimingsMs,
};

/// The time `text`, in RFC 3339.
pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A prediction of `class` at `created_at` with confidence 0.75, the rest for
/// another class.
pub(crate) fn prediction(class: &str, created_at: Timestamp) -> Prediction {
    let probability =
        |class: &str, probability| ClassProbability { class: class.to_owned(), probability };
    let other = if class == "normal" { "adenocarcinoma" } else { "normal" };
    Prediction {
        id: PredictionId::new(created_at),
        created_at,
        key_name: Some("ward 7".to_owned()),
        file: Some("scan.png".to_owned()),
        model: ModelIdentity {
            name: "tumour-classifier".to_owned(),
            version: Some("3".to_owned()),
            digest: Digest::of(b"weights"),
        },
        image: ImageFacts {
            sha256: Digest::of(b"image"),
            format: "png".to_owned(),
            width: 512,
            height: 384,
            colour_mode: "L".to_owned(),
            window: None,
            stored: false,
        },
        class: Some(class.to_owned()),
        confidence: Some(0.75),
        probabilities: vec![probability(class, 0.75), probability(other, 0.25)],
        accepted: true,
        grey_correlation: Some(0.99),
        feature_distance: Some(1.25),
        timings_ms: TimingsMs { decode: 2.0, wait: 0.5, inference: 80.0, total: 83.0 },
    }
}

/// Feedback that `prediction` is of `class`.
pub(crate) fn feedback(prediction: &Prediction, class: &str, created_at: Timestamp) -> NewFeedback {
    NewFeedback {
        prediction_id: prediction.id,
        class: class.to_owned(),
        note: None,
        key_name: Some("Dr Okafor".to_owned()),
        created_at,
    }
}
