//! The predictions in the database.

use serde_json::Value;
use sqlx::QueryBuilder;

use crate::database::on;
use crate::row::row;
use crate::timestamp::from_microseconds;
use crate::values::{parsed, storable};
use crate::{
    ClassProbability, Cursor, Feedback, Filter, ImageFacts, IntensityWindow, ModelIdentity, Page,
    Prediction, PredictionId, PredictionRow, PredictionStore, Result, StoreError, TimingsMs,
};

const COLUMNS: &str = "p.id, p.created_at_us, p.key_name, p.file, p.model_name, p.model_version, \
    p.model_digest, p.image_sha256, p.image_format, p.image_width, p.image_height, \
    p.image_colour_mode, p.image_window_centre, p.image_window_width, p.image_stored, p.class, \
    p.confidence, p.probabilities, p.accepted, p.grey_correlation, p.feature_distance, \
    p.decode_ms, p.wait_ms, p.inference_ms, p.total_ms, \
    f.id AS feedback_id, f.created_at_us AS feedback_created_at_us, \
    f.key_name AS feedback_key_name, f.class AS feedback_class, f.note AS feedback_note";
const TABLES: &str = "predictions p LEFT JOIN feedback f ON f.id = p.feedback_id";

/// Rows of one INSERT: 25 values each, and SQLite accepts 32 766.
const ROWS_AT_ONCE: usize = 500;

impl PredictionStore {
    /// Records a prediction. One that is already recorded is unchanged.
    ///
    /// # Errors
    /// [`StoreError::NotFinite`] for NaN and infinities, [`StoreError::Database`].
    pub async fn record_prediction(&self, prediction: &Prediction) -> Result<()> {
        self.record_predictions(std::slice::from_ref(prediction)).await
    }

    /// Records predictions, all or none, in one transaction, which waits for the disk once. Those
    /// that are already recorded are unchanged.
    ///
    /// # Errors
    /// [`StoreError::NotFinite`] for NaN and infinities, [`StoreError::Database`].
    pub async fn record_predictions(&self, predictions: &[Prediction]) -> Result<()> {
        if predictions.is_empty() {
            return Ok(());
        }
        predictions.iter().try_for_each(check_numbers)?;
        let work = async {
            on!(&self.write, pool => {
                let mut transaction = pool.begin().await?;
                for some in predictions.chunks(ROWS_AT_ONCE) {
                    let mut query = QueryBuilder::<Db>::new(
                        "INSERT INTO predictions (id, created_at_us, key_name, file, model_name, \
                         model_version, model_digest, image_sha256, image_format, image_width, \
                         image_height, image_colour_mode, image_window_centre, image_window_width, \
                         image_stored, class, confidence, probabilities, accepted, \
                         grey_correlation, feature_distance, decode_ms, wait_ms, inference_ms, \
                         total_ms) ",
                    );
                    query.push_values(some, |mut row, prediction| {
                        let image = &prediction.image;
                        let timings = &prediction.timings_ms;
                        row.push_bind(prediction.id.to_string())
                            .push_bind(prediction.created_at.as_microsecond())
                            .push_bind(prediction.key_name.as_deref().map(storable))
                            .push_bind(prediction.file.as_deref().map(storable))
                            .push_bind(storable(&prediction.model.name))
                            .push_bind(prediction.model.version.as_deref().map(storable))
                            .push_bind(prediction.model.digest.to_string())
                            .push_bind(image.sha256.to_string())
                            .push_bind(storable(&image.format))
                            .push_bind(i64::from(image.width))
                            .push_bind(i64::from(image.height))
                            .push_bind(storable(&image.colour_mode))
                            .push_bind(image.window.map(|window| window.centre))
                            .push_bind(image.window.map(|window| window.width))
                            .push_bind(image.stored)
                            .push_bind(prediction.class.as_deref().map(storable))
                            .push_bind(prediction.confidence)
                            .push_bind(probabilities_to_json(&prediction.probabilities))
                            .push_bind(prediction.accepted)
                            .push_bind(prediction.grey_correlation)
                            .push_bind(prediction.feature_distance)
                            .push_bind(timings.decode)
                            .push_bind(timings.wait)
                            .push_bind(timings.inference)
                            .push_bind(timings.total);
                    });
                    query.push(" ON CONFLICT (id) DO NOTHING");
                    query.build().execute(&mut *transaction).await?;
                }
                transaction.commit().await
            })
        };
        self.within_patience("record predictions", work).await
    }

    /// One prediction, with its last feedback.
    ///
    /// # Errors
    /// [`StoreError::UnknownPrediction`], [`StoreError::InvalidRow`] or [`StoreError::Database`].
    pub async fn prediction(&self, id: PredictionId) -> Result<PredictionRow> {
        let work = async {
            on!(&self.read, pool => {
                let mut query = QueryBuilder::<Db>::new("SELECT ");
                query.push(COLUMNS).push(" FROM ").push(TABLES);
                query.push(" WHERE p.id = ").push_bind(id.to_string());
                query.build_query_as::<Stored>().fetch_optional(pool).await
            })
        };
        self.within_patience("read a prediction", work)
            .await?
            .ok_or(StoreError::UnknownPrediction(id))?
            .try_into()
    }

    /// One page of predictions, newest first.
    ///
    /// # Errors
    /// [`StoreError::Cursor`], [`StoreError::InvalidRow`] or [`StoreError::Database`].
    pub async fn predictions(&self, filter: &Filter) -> Result<Page> {
        let mut rows: Vec<Stored> = on!(&self.read, pool => {
            let mut query = QueryBuilder::<Db>::new("SELECT ");
            query.push(COLUMNS).push(" FROM ").push(TABLES);
            filter.push_conditions(&mut query)?;
            query.push(" ORDER BY p.id DESC LIMIT ").push_bind(filter.limit.and_one());
            let work = query.build_query_as().fetch_all(pool);
            self.within_patience("list predictions", work).await?
        });
        let page = filter.limit.get() as usize;
        let more = rows.len() > page;
        rows.truncate(page);
        let predictions: Vec<PredictionRow> =
            rows.into_iter().map(TryInto::try_into).collect::<Result<_>>()?;
        let last = predictions.last().filter(|_| more);
        let next = last.map(|row| Cursor::after_prediction(row.prediction.id));
        Ok(Page { predictions, next })
    }
}

fn check_numbers(prediction: &Prediction) -> Result<()> {
    let window = prediction.image.window;
    let timings = prediction.timings_ms;
    let named = [
        ("the confidence", prediction.confidence),
        ("the grey correlation", prediction.grey_correlation),
        ("the feature distance", prediction.feature_distance),
        ("the window's centre", window.map(|window| window.centre)),
        ("the window's width", window.map(|window| window.width)),
        ("the decoding time", Some(timings.decode)),
        ("the waiting time", Some(timings.wait)),
        ("the inference time", Some(timings.inference)),
        ("the total time", Some(timings.total)),
    ];
    let probabilities =
        prediction.probabilities.iter().map(|share| ("a probability", Some(share.probability)));
    named
        .into_iter()
        .chain(probabilities)
        .find_map(|(what, value)| Some((what, value.filter(|value| !value.is_finite())?)))
        .map_or(Ok(()), |(what, value)| Err(StoreError::NotFinite { what, value }))
}

/// An object, so that each database can read its entries; in class order.
fn probabilities_to_json(shares: &[ClassProbability]) -> String {
    let entry = |share: &ClassProbability| (storable(&share.class), Value::from(share.probability));
    Value::Object(shares.iter().map(entry).collect()).to_string()
}

fn probabilities_from_json(text: &str) -> Result<Vec<ClassProbability>> {
    let invalid = || StoreError::InvalidRow { what: format!("the probabilities {text}") };
    let entries: serde_json::Map<String, Value> =
        serde_json::from_str(text).map_err(|_| invalid())?;
    entries
        .into_iter()
        .map(|(class, value)| {
            Ok(ClassProbability { class, probability: value.as_f64().ok_or_else(invalid)? })
        })
        .collect()
}

row! {
    /// The columns of [`COLUMNS`].
    struct Stored {
        id: String,
        created_at_us: i64,
        key_name: Option<String>,
        file: Option<String>,
        model_name: String,
        model_version: Option<String>,
        model_digest: String,
        image_sha256: String,
        image_format: String,
        image_width: i64,
        image_height: i64,
        image_colour_mode: String,
        image_window_centre: Option<f64>,
        image_window_width: Option<f64>,
        image_stored: bool,
        class: Option<String>,
        confidence: Option<f64>,
        probabilities: String,
        accepted: bool,
        grey_correlation: Option<f64>,
        feature_distance: Option<f64>,
        decode_ms: f64,
        wait_ms: f64,
        inference_ms: f64,
        total_ms: f64,
        feedback_id: Option<String>,
        feedback_created_at_us: Option<i64>,
        feedback_key_name: Option<String>,
        feedback_class: Option<String>,
        feedback_note: Option<String>,
    }
}

impl TryFrom<Stored> for PredictionRow {
    type Error = StoreError;

    fn try_from(mut row: Stored) -> Result<Self> {
        let feedback = row.take_feedback()?;
        let window = row
            .image_window_centre
            .zip(row.image_window_width)
            .map(|(centre, width)| IntensityWindow { centre, width });
        let prediction = Prediction {
            id: parsed(&row.id)?,
            created_at: from_microseconds(row.created_at_us)?,
            key_name: row.key_name,
            file: row.file,
            model: ModelIdentity {
                name: row.model_name,
                version: row.model_version,
                digest: parsed(&row.model_digest)?,
            },
            image: ImageFacts {
                sha256: parsed(&row.image_sha256)?,
                format: row.image_format,
                width: pixels(row.image_width)?,
                height: pixels(row.image_height)?,
                colour_mode: row.image_colour_mode,
                window,
                stored: row.image_stored,
            },
            class: row.class,
            confidence: row.confidence,
            probabilities: probabilities_from_json(&row.probabilities)?,
            accepted: row.accepted,
            grey_correlation: row.grey_correlation,
            feature_distance: row.feature_distance,
            timings_ms: TimingsMs {
                decode: row.decode_ms,
                wait: row.wait_ms,
                inference: row.inference_ms,
                total: row.total_ms,
            },
        };
        Ok(Self { prediction, feedback })
    }
}

impl Stored {
    fn take_feedback(&mut self) -> Result<Option<Feedback>> {
        let (Some(id), Some(created_at), Some(class)) =
            (&self.feedback_id, self.feedback_created_at_us, self.feedback_class.take())
        else {
            return Ok(None);
        };
        Ok(Some(Feedback {
            id: parsed(id)?,
            right: self.class.as_ref() == Some(&class),
            class,
            note: self.feedback_note.take(),
            key_name: self.feedback_key_name.take(),
            created_at: from_microseconds(created_at)?,
        }))
    }
}

fn pixels(count: i64) -> Result<u32> {
    count
        .try_into()
        .map_err(|_| StoreError::InvalidRow { what: format!("a side of {count} pixels") })
}
