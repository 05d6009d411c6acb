use std::collections::BTreeMap;
use std::num::NonZeroU16;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Serialize;
use utoipa::ToSchema;

use crate::database::on;
use crate::filter::IS_RIGHT;
use crate::row::row;
use crate::timestamp::{DAY_US, from_microseconds};
use crate::{PredictionStore, Result};

/// The predictions of some days in figures. Classes are in alphabetical order.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Dashboard {
    /// Days, today included.
    #[schema(value_type = u16)]
    pub days: NonZeroU16,
    /// How many.
    pub counts: PredictionCounts,
    /// Of each class: predicted, or given a probability.
    pub by_class: Vec<ClassShare>,
    /// What readers said of them.
    pub feedback: FeedbackCounts,
    /// How long they took, by predicted class.
    pub latency_ms: Vec<ClassLatency>,
    /// Every day from the first to today, those without predictions too.
    pub per_day: Vec<Day>,
}

/// How many predictions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct PredictionCounts {
    /// All.
    pub total: u64,
    /// Those that passed the checks.
    pub accepted: u64,
    /// Those that did not.
    pub refused: u64,
}

/// One class among the predictions.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ClassShare {
    /// The class.
    pub class: String,
    /// How often it was predicted.
    pub count: u64,
    /// Mean confidence where it was predicted; `None` where it never was.
    pub mean_confidence: Option<f64>,
    /// Mean of the probability it was given, over all predictions; `None` where it was given none.
    pub mean_probability: Option<f64>,
}

/// What readers said, by the feedback that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FeedbackCounts {
    /// It names the predicted class.
    pub right: u64,
    /// It names another, or none was predicted.
    pub wrong: u64,
    /// By predicted class.
    pub by_class: Vec<ClassFeedback>,
}

/// What readers said of one predicted class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ClassFeedback {
    /// The predicted class; `None` where a foreign image was refused.
    pub class: Option<String>,
    /// They agreed.
    pub right: u64,
    /// They did not.
    pub wrong: u64,
}

/// How long predictions of one class took in all, in milliseconds. Percentiles by nearest rank: the
/// smallest time that at least so many percent of the times do not exceed.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct ClassLatency {
    /// The predicted class.
    pub class: String,
    /// Half took no longer.
    pub p50: f64,
    /// 95 of 100 took no longer.
    pub p95: f64,
}

/// One day, in UTC.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Day {
    /// Which day.
    #[schema(value_type = String, format = Date)]
    pub day: Date,
    /// Predictions that passed the checks.
    pub accepted: u64,
    /// Those that did not.
    pub refused: u64,
    /// Mean confidence of those that have one.
    pub mean_confidence: Option<f64>,
    /// Mean distance from the training images, of those where it was measured.
    pub mean_feature_distance: Option<f64>,
    /// How often each class was predicted.
    pub by_class: BTreeMap<String, u64>,
}

const IN_PERIOD: &str = "p.created_at_us >= $1 AND p.created_at_us < $2";

/// The rows that the database returns.
struct Answers {
    shares: Vec<(String, i64, Option<f64>)>,
    mean_probabilities: Vec<(String, f64)>,
    feedback: Vec<(Option<String>, i64, i64)>,
    latency: Vec<(String, f64, f64)>,
    days: Vec<DayCounts>,
    day_classes: Vec<(i64, String, i64)>,
}

row! {
    /// One day that has predictions.
    struct DayCounts {
        day: i64,
        accepted: i64,
        refused: i64,
        mean_confidence: Option<f64>,
        mean_feature_distance: Option<f64>,
    }
}

impl PredictionStore {
    /// The figures of the last `days` days in UTC, including the day of `now`, all of one moment.
    ///
    /// # Errors
    /// [`StoreError::InvalidRow`](crate::StoreError::InvalidRow) or
    /// [`StoreError::Database`](crate::StoreError::Database).
    pub async fn dashboard(&self, days: NonZeroU16, now: Timestamp) -> Result<Dashboard> {
        let today = now.as_microsecond().div_euclid(DAY_US);
        let first = today - i64::from(days.get()) + 1;
        let answers = self
            .within_patience("count predictions", self.ask(first * DAY_US, (today + 1) * DAY_US))
            .await?;
        let per_day = (first..=today).map(|day| answers.day(day)).collect::<Result<Vec<_>>>()?;
        let accepted = per_day.iter().map(|day| day.accepted).sum();
        let refused = per_day.iter().map(|day| day.refused).sum();
        Ok(Dashboard {
            days,
            counts: PredictionCounts { total: accepted + refused, accepted, refused },
            by_class: answers.class_shares(),
            feedback: answers.feedback(),
            latency_ms: answers.latency(),
            per_day,
        })
    }

    async fn ask(&self, from: i64, until: i64) -> sqlx::Result<Answers> {
        // All queries see the same moment: always in SQLite's transactions, in PostgreSQL's on
        // request.
        let begin = self.read.either("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
        let json_entries =
            self.read.either("json_each(p.probabilities)", "json_each_text(p.probabilities::json)");
        on!(&self.read, pool => {
            let mut moment = pool.begin_with(begin).await?;
            macro_rules! rows {
                ($sql:expr) => {
                    sqlx::query_as(sqlx::AssertSqlSafe($sql))
                        .bind(from)
                        .bind(until)
                        .fetch_all(&mut *moment)
                        .await?
                };
            }
            Ok(Answers {
                shares: rows!(format!(
                    "SELECT p.class, COUNT(*), AVG(p.confidence) FROM predictions p
                     WHERE {IN_PERIOD} AND p.class IS NOT NULL GROUP BY p.class"
                )),
                mean_probabilities: rows!(format!(
                    "SELECT e.key, AVG(CAST(e.value AS DOUBLE PRECISION))
                     FROM predictions p, {json_entries} e WHERE {IN_PERIOD} GROUP BY e.key"
                )),
                feedback: rows!(format!(
                    "SELECT p.class, COUNT(*) FILTER (WHERE {IS_RIGHT}),
                     COUNT(*) FILTER (WHERE NOT {IS_RIGHT})
                     FROM predictions p JOIN feedback f ON f.id = p.feedback_id
                     WHERE {IN_PERIOD} GROUP BY p.class"
                )),
                // Nearest rank: the ceiling of n × 50 / 100 and n × 95 / 100, in whole numbers.
                latency: rows!(format!(
                    "SELECT class,
                     MAX(CASE WHEN place = (n * 50 + 99) / 100 THEN total_ms END),
                     MAX(CASE WHEN place = (n * 95 + 99) / 100 THEN total_ms END)
                     FROM (SELECT p.class, p.total_ms,
                       ROW_NUMBER() OVER (PARTITION BY p.class ORDER BY p.total_ms) AS place,
                       COUNT(*) OVER (PARTITION BY p.class) AS n
                       FROM predictions p WHERE {IN_PERIOD} AND p.class IS NOT NULL) ranked
                     GROUP BY class"
                )),
                days: rows!(format!(
                    "SELECT p.created_at_us / {DAY_US} AS day,
                     COUNT(*) FILTER (WHERE p.accepted) AS accepted,
                     COUNT(*) FILTER (WHERE NOT p.accepted) AS refused,
                     AVG(p.confidence) AS mean_confidence,
                     AVG(p.feature_distance) AS mean_feature_distance
                     FROM predictions p WHERE {IN_PERIOD} GROUP BY 1"
                )),
                day_classes: rows!(format!(
                    "SELECT p.created_at_us / {DAY_US} AS day, p.class, COUNT(*)
                     FROM predictions p WHERE {IN_PERIOD} AND p.class IS NOT NULL GROUP BY 1, 2"
                )),
            })
        })
    }
}

impl Answers {
    fn class_shares(&self) -> Vec<ClassShare> {
        let mut shares = BTreeMap::new();
        for (class, mean_probability) in &self.mean_probabilities {
            shares.insert(class, (0, None, Some(*mean_probability)));
        }
        for (class, count, mean_confidence) in &self.shares {
            let share = shares.entry(class).or_insert((0, None, None));
            (share.0, share.1) = (count.unsigned_abs(), *mean_confidence);
        }
        shares
            .into_iter()
            .map(|(class, (count, mean_confidence, mean_probability))| ClassShare {
                class: class.clone(),
                count,
                mean_confidence,
                mean_probability,
            })
            .collect()
    }

    fn feedback(&self) -> FeedbackCounts {
        let mut by_class: Vec<ClassFeedback> = self
            .feedback
            .iter()
            .map(|(class, right, wrong)| ClassFeedback {
                class: class.clone(),
                right: right.unsigned_abs(),
                wrong: wrong.unsigned_abs(),
            })
            .collect();
        by_class.sort_by(|a, b| a.class.cmp(&b.class));
        FeedbackCounts {
            right: by_class.iter().map(|class| class.right).sum(),
            wrong: by_class.iter().map(|class| class.wrong).sum(),
            by_class,
        }
    }

    fn latency(&self) -> Vec<ClassLatency> {
        let mut latency: Vec<ClassLatency> = self
            .latency
            .iter()
            .map(|(class, p50, p95)| ClassLatency { class: class.clone(), p50: *p50, p95: *p95 })
            .collect();
        latency.sort_by(|a, b| a.class.cmp(&b.class));
        latency
    }

    /// The date this many days after 1970-01-01.
    fn day(&self, day: i64) -> Result<Day> {
        let date = from_microseconds(day * DAY_US)?.to_zoned(TimeZone::UTC).date();
        let counts = self.days.iter().find(|counts| counts.day == day);
        let by_class = self
            .day_classes
            .iter()
            .filter(|row| row.0 == day)
            .map(|(_, class, count)| (class.clone(), count.unsigned_abs()))
            .collect();
        Ok(Day {
            day: date,
            accepted: counts.map_or(0, |counts| counts.accepted.unsigned_abs()),
            refused: counts.map_or(0, |counts| counts.refused.unsigned_abs()),
            mean_confidence: counts.and_then(|counts| counts.mean_confidence),
            mean_feature_distance: counts.and_then(|counts| counts.mean_feature_distance),
            by_class,
        })
    }
}
