//! Metrics of the server's state: its queue, its model, its store, drift.

use std::sync::atomic::{AtomicI64, AtomicU64};

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use services::ServeConfig;

use crate::drift::outcome::{Signal, WindowOutcome};
use crate::model::served::ServedModel;

/// A whole number that goes up and down.
pub(crate) type Level = Gauge<i64, AtomicI64>;

/// Counts one up until it is dropped: when the work ends, or its client disconnects.
pub(crate) struct Counted<'a>(&'a Level);

impl<'a> Counted<'a> {
    pub(crate) fn enter(level: &'a Level) -> Self {
        level.inc();
        Self(level)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Any number.
type Value = Gauge<f64, AtomicU64>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ModelLabels {
    name: String,
    /// Empty where the model did not come from a registry.
    version: String,
    digest: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SignalLabels {
    signal: &'static str,
}

/// The metrics that other parts of the server set.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Images that wait for the model, or are in it.
    pub(crate) queue_images: Level,
    /// Accepted requests with images.
    pub(crate) queue_requests: Level,
    /// 1 while the database can be used.
    pub(crate) store_up: Level,
    /// Corrections with a kept image since the last training.
    pub(crate) corrections_waiting: Level,
    /// Predictions that were answered without being stored.
    pub(crate) not_stored: Counter,
    model: Family<ModelLabels, Level>,
    model_loaded: Level,
    champion_checked: Level,
    champion_served: Level,
    drift: Drift,
}

#[derive(Debug)]
struct Drift {
    statistic: Family<SignalLabels, Value>,
    limit: Family<SignalLabels, Value>,
    alarm: Family<SignalLabels, Level>,
    window_images: Level,
}

impl Operation {
    pub(crate) fn register(registry: &mut Registry, settings: &ServeConfig) -> Self {
        let metrics = Self {
            queue_images: Level::default(),
            queue_requests: Level::default(),
            store_up: Level::default(),
            corrections_waiting: Level::default(),
            not_stored: Counter::default(),
            model: Family::default(),
            model_loaded: Level::default(),
            champion_checked: Level::default(),
            champion_served: Level::default(),
            drift: Drift::register(registry),
        };
        let mut level = |name: &str, help: &str, level: &Level| {
            registry.register(name, help, level.clone());
        };
        level(
            "queue_images",
            "Images that wait for the model, or are in it",
            &metrics.queue_images,
        );
        level("queue_requests", "Accepted requests with images", &metrics.queue_requests);
        let most = Level::default();
        most.set(i64::try_from(settings.queue_requests).unwrap_or(i64::MAX));
        level("queue_requests_limit", "The most requests with images accepted at a time", &most);
        level("store_up", "1 while the database can be used, else 0", &metrics.store_up);
        level(
            "corrections_waiting",
            "Corrections with a kept image since the last training",
            &metrics.corrections_waiting,
        );
        let due = Level::default();
        due.set(i64::try_from(settings.retrain_after).unwrap_or(i64::MAX));
        level("corrections_due_above", "A training is due above this number of corrections", &due);
        if settings.follow.is_some() {
            let (checked, served) = (&metrics.champion_checked, &metrics.champion_served);
            let help = "1 while the version that answers is the registry's champion, else 0";
            level("champion_served", help, served);
            registry.register_with_unit(
                "champion_checked_timestamp",
                "When the registry last answered, seconds since 1970",
                Unit::Seconds,
                checked.clone(),
            );
        }
        registry.register("model", "The model that answers", metrics.model.clone());
        registry.register_with_unit(
            "model_loaded_timestamp",
            "When the model that answers was loaded, seconds since 1970",
            Unit::Seconds,
            metrics.model_loaded.clone(),
        );
        registry.register(
            "predictions_not_stored",
            "Predictions that were answered while the database could not be used",
            metrics.not_stored.clone(),
        );
        metrics
    }

    /// Records which model answers from now on.
    pub(crate) fn serves(&self, served: &ServedModel) {
        let labels = ModelLabels {
            name: served.name.name.clone(),
            version: served.name.version.clone().unwrap_or_default(),
            digest: served.name.digest.clone(),
        };
        self.model.clear();
        self.model.get_or_create(&labels).set(1);
        self.model_loaded.set(served.loaded_at.as_second());
    }

    /// Records that the registry answered, and whether its champion is the version that answers.
    pub(crate) fn champion_seen(&self, at: Timestamp, is_served: bool) {
        self.champion_checked.set(at.as_second());
        self.champion_served.set(i64::from(is_served));
    }

    /// Records the outcome of a window of predictions; `None` while none was tested with the
    /// present model.
    pub(crate) fn drift(&self, outcome: Option<&WindowOutcome>) {
        let Drift { statistic, limit, alarm, window_images } = &self.drift;
        window_images.set(outcome.map_or(0, |it| i64::try_from(it.images).unwrap_or(i64::MAX)));
        for signal in Signal::ALL {
            let labels = SignalLabels { signal: signal.name() };
            let found = outcome.and_then(|it| it.of(signal));
            statistic.get_or_create(&labels).set(found.map_or(0.0, |it| it.statistic));
            limit.get_or_create(&labels).set(found.map_or(1.0, |it| it.limit));
            alarm.get_or_create(&labels).set(i64::from(found.is_some_and(|it| it.alarm)));
        }
    }
}

impl Drift {
    fn register(registry: &mut Registry) -> Self {
        let drift = Self {
            statistic: Family::default(),
            limit: Family::default(),
            alarm: Family::default(),
            window_images: Level::default(),
        };
        registry.register(
            "drift_statistic",
            "How far the last window of predictions is from the calibration, 0 to 1",
            drift.statistic.clone(),
        );
        registry.register(
            "drift_limit",
            "The statistic above which a window counts as drift",
            drift.limit.clone(),
        );
        registry.register(
            "drift_alarm",
            "1 while the last window of predictions has drifted, else 0",
            drift.alarm.clone(),
        );
        registry.register(
            "drift_window_images",
            "Images in the last window that was tested",
            drift.window_images.clone(),
        );
        drift
    }
}
