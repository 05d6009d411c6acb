//! From a file's bytes to an answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use classifier::description::ModelDescription;
use classifier::model::Heatmap;
use dataset::ClassIndex;
use imaging::{DecodeOptions, Window};
use jiff::Timestamp;
use prediction_store::{ImageFacts, IntensityWindow, ModelIdentity, PredictionId, TimingsMs};
use services::{ForeignImages, ServeConfig};
use uuid::Uuid;

use crate::answer::{
    ClassProbability, Explanation, OperatingPoint, Positive, Prediction, Timings, milliseconds,
};
use crate::encode::encode_png;
use crate::error::Failure;
use crate::guard::keys::Caller;
use crate::intake::Intake;
use crate::meters::Meters;
use crate::model::engine::Job;
use crate::model::host::ModelHost;
use crate::model::served::ServedModel;
use crate::own_task::OwnTasks;
use crate::records::{Kept, Records};
use crate::scan::Scan;
use crate::upload::Upload;

/// Pixels of an explanation's longer side: a map of at most 14×14 cells shows no more.
const EXPLANATION_SIDE: u32 = 448;

/// The options of a request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PredictionOptions {
    pub(crate) explain: bool,
    /// The window for grey DICOM images, if not the default.
    pub(crate) window: Option<Window>,
    pub(crate) deadline: Instant,
}

/// The parts needed for a prediction.
#[derive(Debug, Clone)]
pub(crate) struct Predictor {
    pub(crate) settings: Arc<ServeConfig>,
    pub(crate) intake: Arc<Intake>,
    pub(crate) host: Arc<ModelHost>,
    pub(crate) records: Arc<Records>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) own_tasks: Arc<OwnTasks>,
}

impl Predictor {
    /// The model's prediction for an image. It is stored, and so is a refusal.
    ///
    /// # Errors
    /// When the bytes are not a usable image, the image is foreign and foreign ones are refused, or
    /// the deadline passed.
    pub(crate) async fn predict(
        &self,
        upload: Upload,
        options: PredictionOptions,
        caller: &Caller,
    ) -> Result<Prediction, Failure> {
        let began = Instant::now();
        let served = self.host.shelf.current();
        let (scan, decode) = self.prepare(&served, &upload, options.window, caller).await?;
        let job = Job {
            model: Arc::clone(&served),
            planes: scan.planes,
            explain: options.explain,
            deadline: options.deadline,
        };
        let seen = self.host.engine.look(job).await?;
        let checks = served.check(&scan.histogram, &seen.output.pooled);
        let (ClassIndex(class), probabilities) = served.probabilities(&seen.output.logits)?;
        let total = began.elapsed();
        self.meters.predicted(&served.classes.names()[class], &seen, decode, checks);
        let now = Timestamp::now();
        let id = PredictionId::new(now);
        let mut prediction = Prediction {
            id: Uuid::from_bytes(id.into()),
            created_at: now.to_string(),
            file: upload.file,
            model: served.name.clone(),
            class: served.classes.names()[class].clone(),
            confidence: probabilities[class],
            positive: positive(&served, &probabilities),
            checks,
            explanation: match seen.heatmap {
                Some(map) => {
                    let (width, height) = (scan.image.width, scan.image.height);
                    let drawn = self
                        .intake
                        .beside_the_model(caller, move || explanation(&map, width, height));
                    let class = served.classes.names()[class].clone();
                    drawn.await?.map(|png| Explanation { class, png })
                }
                None => None,
            },
            probabilities: by_class(&served, &probabilities),
            image: scan.image,
            timings_ms: Timings {
                decode: milliseconds(decode),
                wait: milliseconds(seen.wait),
                inference: milliseconds(seen.inference),
                total: milliseconds(total),
            },
            stored: true,
            notice: ModelDescription::NOTICE,
        };
        let refused = checks.filter(|checks| {
            !checks.accepted && self.settings.foreign_images == ForeignImages::Refuse
        });
        let kept = remembered(&prediction, id, now, &served, caller, refused.is_some());
        let (recording, image) = (Arc::clone(&self.records), upload.bytes);
        let keep = async move { recording.prediction(kept, &image).await };
        if self.own_tasks.run(keep).await? == Kept::NotStored {
            self.meters.operation.not_stored.inc();
            prediction.stored = false;
        }
        match refused {
            Some(checks) => Err(Failure::foreign(prediction.id, checks)),
            None => Ok(prediction),
        }
    }

    async fn prepare(
        &self,
        served: &Arc<ServedModel>,
        upload: &Upload,
        window: Option<Window>,
        caller: &Caller,
    ) -> Result<(Scan, Duration), Failure> {
        let input = served.description.input();
        let options = DecodeOptions { window, max_pixels: self.intake.max_pixels };
        let bytes = upload.bytes.clone();
        let decoded = self.intake.beside_the_model(caller, move || {
            let began = Instant::now();
            let scan = Scan::prepare(&bytes, &input, &options);
            (scan, began.elapsed())
        });
        let (scan, time) = decoded.await?;
        Ok((scan?, time))
    }
}

/// The prediction as stored; for a refused image without the model's answer.
fn remembered(
    prediction: &Prediction,
    id: PredictionId,
    now: Timestamp,
    served: &ServedModel,
    caller: &Caller,
    is_refused: bool,
) -> prediction_store::Prediction {
    let said = (!is_refused).then_some(prediction);
    let probabilities = said.map_or(&[][..], |said| &said.probabilities).iter();
    let image = &prediction.image;
    prediction_store::Prediction {
        id,
        created_at: now,
        key_name: Some(caller.name.clone()),
        file: prediction.file.clone(),
        model: ModelIdentity {
            name: prediction.model.name.clone(),
            version: prediction.model.version.clone(),
            digest: served.description.digests.weights,
        },
        image: ImageFacts {
            sha256: image.sha256,
            format: image.format.clone(),
            width: image.width,
            height: image.height,
            colour_mode: image.colour_mode.clone(),
            window: image.window.map(|it| IntensityWindow { centre: it.centre, width: it.width }),
            stored: false,
        },
        class: said.map(|said| said.class.clone()),
        confidence: said.map(|said| said.confidence),
        probabilities: probabilities
            .map(|it| prediction_store::ClassProbability {
                class: it.class.clone(),
                probability: it.probability,
            })
            .collect(),
        accepted: prediction.checks.is_none_or(|checks| checks.accepted),
        grey_correlation: prediction.checks.map(|checks| checks.grey_histogram.correlation),
        feature_distance: prediction.checks.map(|checks| checks.features.distance),
        timings_ms: TimingsMs {
            decode: prediction.timings_ms.decode,
            wait: prediction.timings_ms.wait,
            inference: prediction.timings_ms.inference,
            total: prediction.timings_ms.total,
        },
    }
}

fn by_class(served: &ServedModel, probabilities: &[f64]) -> Vec<ClassProbability> {
    let classes = served.classes.names().iter().zip(probabilities);
    let of = |(class, probability): (&String, &f64)| ClassProbability {
        class: class.clone(),
        probability: *probability,
    };
    classes.map(of).collect()
}

fn positive(served: &ServedModel, probabilities: &[f64]) -> Option<Positive> {
    use classifier::calibration::OperatingPointOutcome;

    let positive = served.calibration.as_ref()?.positive.as_ref()?;
    let indices = positive.indices(&served.classes).ok()?;
    let probability = indices.iter().map(|class| probabilities[class.0]).sum();
    let found = positive.operating_points.iter().filter_map(|outcome| match outcome {
        OperatingPointOutcome::Found(point) => Some(OperatingPoint {
            specificity: point.required_specificity,
            threshold: point.threshold,
            sensitivity: point.sensitivity.share,
            reached: probability >= point.threshold,
        }),
        OperatingPointOutcome::Missing(_) => None,
    });
    Some(Positive {
        classes: positive.classes.clone(),
        probability,
        operating_points: found.collect(),
    })
}

/// Only the heat, in the image's proportions, as a data URL.
fn explanation(map: &Heatmap, width: u32, height: u32) -> Option<String> {
    let longest = width.max(height).max(1);
    let scaled = |side: u32| {
        let side = u64::from(side) * u64::from(EXPLANATION_SIDE) / u64::from(longest);
        u32::try_from(side.max(1)).unwrap_or(EXPLANATION_SIDE)
    };
    let bytes = heat_png(map, scaled(width), scaled(height))?;
    let text = base64::engine::general_purpose::STANDARD.encode(bytes);
    Some(format!("data:image/png;base64,{text}"))
}

/// Only the heat, `width` × `height` pixels, as a PNG with transparency. None where the map is empty.
pub(crate) fn heat_png(map: &Heatmap, width: u32, height: u32) -> Option<Vec<u8>> {
    let layer = scoring::heat_layer(map, width, height)?;
    encode_png(width, height, png::ColorType::Rgba, &layer).ok()
}
