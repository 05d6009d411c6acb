use std::collections::HashMap;

use crate::spool::{Event, Record};
use crate::{Batch, Key, Mark, Metric, Param, Timestamp};

/// What to do with a point of a metric if its step already has a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RepeatedPoint {
    /// Keep the first value: for a training that continues after an interruption, and may repeat
    /// its last epoch.
    KeepFirst,
    /// Log it, if it differs: for an evaluation that is repeated.
    Update,
}

/// The content of a spool, so that nothing is logged twice.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// For every metric, the bits of the last value at each step.
    metrics: HashMap<Key, HashMap<i64, u64>>,
    params: HashMap<Key, String>,
    /// The first mark, which the run is created with.
    pub(crate) mark: Option<Mark>,
    /// The time of the last event, if no end came after it.
    pub(crate) open_since: Option<Timestamp>,
    pub(crate) begun: Option<Timestamp>,
}

impl Index {
    /// Adds a record to the index.
    pub(crate) fn see(&mut self, record: &Record) {
        self.open_since = Some(record.time);
        match &record.event {
            Event::Begin(begin) => {
                self.mark.get_or_insert_with(|| begin.mark.clone());
                self.begun.get_or_insert(record.time);
            }
            Event::Values(batch) => self.see_values(batch),
            Event::End { .. } => self.open_since = None,
            Event::Dataset(_) | Event::Artifact { .. } => {}
        }
    }

    fn see_values(&mut self, batch: &Batch) {
        for metric in &batch.metrics {
            let steps = self.metrics.entry(metric.key.clone()).or_default();
            steps.insert(metric.step, metric.value.to_bits());
        }
        for param in &batch.params {
            self.params.insert(param.key.clone(), param.value().to_owned());
        }
    }

    /// Whether a point has to be logged.
    pub(crate) fn is_new_metric(&self, metric: &Metric, repeated: RepeatedPoint) -> bool {
        match self.metrics.get(&metric.key).and_then(|steps| steps.get(&metric.step)) {
            None => true,
            Some(bits) => repeated == RepeatedPoint::Update && *bits != metric.value.to_bits(),
        }
    }

    /// The existing value of a parameter.
    pub(crate) fn param(&self, param: &Param) -> Option<&str> {
        self.params.get(&param.key).map(String::as_str)
    }

    /// The step after the last one of all metrics with this prefix.
    pub(crate) fn next_step(&self, prefix: &str) -> i64 {
        let named = self.metrics.iter().filter(|(key, _)| key.as_str().starts_with(prefix));
        named.flat_map(|(_, steps)| steps.keys()).max().map_or(0, |last| last + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunStatus;

    fn metric(key: &str, value: f64, step: i64) -> Metric {
        Metric { key: Key::new(key).unwrap(), value, timestamp: Timestamp(step), step }
    }

    fn index(metrics: Vec<Metric>) -> Index {
        let mut index = Index::default();
        let event = Event::Values(Batch { metrics, ..Batch::default() });
        index.see(&Record { time: Timestamp(1), event });
        index
    }

    #[test]
    fn a_step_is_logged_once_unless_its_value_may_change() {
        let index = index(vec![metric("loss", 0.5, 1), metric("loss", f64::NAN, 2)]);
        let is_new = |metric, repeated| index.is_new_metric(&metric, repeated);
        for repeated in [RepeatedPoint::KeepFirst, RepeatedPoint::Update] {
            assert!(!is_new(metric("loss", 0.5, 1), repeated));
            assert!(!is_new(metric("loss", f64::NAN, 2), repeated));
            assert!(is_new(metric("loss", 0.5, 3), repeated));
            assert!(is_new(metric("accuracy", 0.5, 1), repeated));
        }
        assert!(!is_new(metric("loss", 0.6, 1), RepeatedPoint::KeepFirst));
        assert!(is_new(metric("loss", 0.6, 1), RepeatedPoint::Update));
    }

    #[test]
    fn steps_go_on_after_the_last() {
        let index = index(vec![metric("system/cpu", 1.0, 7), metric("loss", 1.0, 40)]);
        assert_eq!(index.next_step("system/"), 8);
        assert_eq!(index.next_step("other/"), 0);
    }

    #[test]
    fn a_run_is_open_until_its_end() {
        let mut index = index(Vec::new());
        assert_eq!(index.open_since, Some(Timestamp(1)));
        let event = Event::End { status: RunStatus::Finished };
        index.see(&Record { time: Timestamp(2), event });
        assert_eq!(index.open_since, None);
    }
}
