use serde::{Deserialize, Serialize};

use crate::client::{Client, Done};
use crate::transport::Call;
use crate::{Metric, Param, Result, RunId, Tag};

/// Limits of the server on a request.
const MOST_METRICS: usize = 1000;
const MOST_PARAMS: usize = 100;
const MOST_TAGS: usize = 100;
const MOST_ENTRIES: usize = 1000;
/// The part of the server's limit of a megabyte that remains beside the frame.
const MOST_BYTES: usize = 900_000;

/// Metrics, parameters and tags of one run, any number of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Points of metrics.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// Parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<Param>,
    /// Tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Tag>,
}

impl Batch {
    /// Whether it is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of metrics, parameters and tags in it.
    pub fn len(&self) -> usize {
        self.metrics.len() + self.params.len() + self.tags.len()
    }

    /// Appends another batch.
    pub fn append(&mut self, mut other: Self) {
        self.metrics.append(&mut other.metrics);
        self.params.append(&mut other.params);
        self.tags.append(&mut other.tags);
    }

    /// Every entry by itself.
    pub(crate) fn singles(self) -> impl Iterator<Item = Self> {
        let metrics = self
            .metrics
            .into_iter()
            .map(|metric| Self { metrics: vec![metric], ..Self::default() });
        let params =
            self.params.into_iter().map(|param| Self { params: vec![param], ..Self::default() });
        let tags = self.tags.into_iter().map(|tag| Self { tags: vec![tag], ..Self::default() });
        params.chain(tags).chain(metrics)
    }

    /// Parts that each fit into one request, in order. A parameter or tag that appears twice begins
    /// a new part, because a request may contain it only once.
    fn parts(&self) -> Vec<Part<'_>> {
        let mut parts = Parts::default();
        for param in &self.params {
            parts.part_for(encoded_length(param), |part| {
                part.params.len() < MOST_PARAMS
                    && part.params.iter().all(|known| known.key != param.key)
            });
            parts.open.params.push(param);
        }
        for tag in &self.tags {
            parts.part_for(encoded_length(tag), |part| {
                part.tags.len() < MOST_TAGS && part.tags.iter().all(|known| known.key != tag.key)
            });
            parts.open.tags.push(tag);
        }
        for metric in &self.metrics {
            parts.part_for(encoded_length(metric), |part| part.metrics.len() < MOST_METRICS);
            parts.open.metrics.push(metric);
        }
        parts.finish()
    }
}

/// One request.
#[derive(Debug, Default, Serialize)]
struct Part<'a> {
    metrics: Vec<&'a Metric>,
    params: Vec<&'a Param>,
    tags: Vec<&'a Tag>,
}

impl Part<'_> {
    fn len(&self) -> usize {
        self.metrics.len() + self.params.len() + self.tags.len()
    }
}

#[derive(Debug, Default)]
struct Parts<'a> {
    full: Vec<Part<'a>>,
    open: Part<'a>,
    open_bytes: usize,
}

impl<'a> Parts<'a> {
    /// Makes sure that the open part can hold one more entry with this many bytes.
    fn part_for(&mut self, bytes: usize, takes_more: impl Fn(&Part<'a>) -> bool) {
        let fits = self.open.len() < MOST_ENTRIES
            && self.open_bytes + bytes <= MOST_BYTES
            && takes_more(&self.open);
        if !fits {
            self.full.push(std::mem::take(&mut self.open));
            self.open_bytes = 0;
        }
        self.open_bytes += bytes;
    }

    fn finish(mut self) -> Vec<Part<'a>> {
        self.full.push(self.open);
        self.full.retain(|part| part.len() > 0);
        self.full
    }
}

/// Bytes in a request, including the comma.
fn encoded_length(entry: &impl Serialize) -> usize {
    // All our keys are text; other keys are the only thing that cannot be written.
    serde_json::to_vec(entry).expect("an entry can be written as JSON").len() + 1
}

impl Client {
    /// Logs metrics, parameters and tags, in as many requests as needed. A batch can be sent again
    /// safely: identical points and parameters are stored once.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached; with status 400 if a parameter already has
    /// another value. Entries sent before stay.
    pub fn log_batch(&self, run: &RunId, batch: &Batch) -> Result<()> {
        #[derive(Serialize)]
        struct Body<'a> {
            run_id: &'a RunId,
            #[serde(flatten)]
            part: &'a Part<'a>,
        }
        for part in &batch.parts() {
            let body = Body { run_id: run, part };
            let call = Call::post("log metrics, parameters and tags", "runs/log-batch").json(&body);
            self.transport.send::<Done>(&call)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, Timestamp};

    fn metric(number: usize) -> Metric {
        let key = Key::new("loss").unwrap();
        Metric { key, value: 1.0, timestamp: Timestamp(0), step: number as i64 }
    }

    fn param(number: usize, length: usize) -> Param {
        Param::new(Key::new(format!("p{number}")).unwrap(), "x".repeat(length))
    }

    fn tag(number: usize) -> Tag {
        Tag::new(Key::new(format!("t{number}")).unwrap(), "x")
    }

    #[test]
    fn parts_keep_to_the_servers_limits_and_lose_nothing() {
        let batch = Batch {
            metrics: (0..2950).map(metric).collect(),
            params: (0..250).map(|number| param(number, 10)).collect(),
            tags: (0..101).map(tag).collect(),
        };
        let parts = batch.parts();
        for part in &parts {
            assert!(part.metrics.len() <= 1000 && part.params.len() <= 100);
            assert!(part.tags.len() <= 100 && part.len() <= 1000);
        }
        let steps: Vec<i64> =
            parts.iter().flat_map(|part| part.metrics.iter().map(|metric| metric.step)).collect();
        assert_eq!(steps, (0..2950).collect::<Vec<i64>>());
        assert_eq!(parts.iter().map(|part| part.params.len()).sum::<usize>(), 250);
        assert_eq!(parts.iter().map(|part| part.tags.len()).sum::<usize>(), 101);
    }

    #[test]
    fn parts_stay_below_a_megabyte() {
        // 100 parameters of 6,000 characters of 3 bytes each: twice what a request may hold.
        let params = (0..100)
            .map(|number| Param::new(Key::new(format!("p{number}")).unwrap(), "損".repeat(6000)))
            .collect();
        let batch = Batch { params, ..Batch::default() };
        let parts = batch.parts();
        assert_eq!(parts.len(), 3);
        for part in &parts {
            assert!(serde_json::to_vec(part).unwrap().len() < 1_000_000);
        }
    }

    #[test]
    fn a_key_that_is_there_twice_begins_a_new_request() {
        let twice = Batch { params: vec![param(1, 2), param(1, 3)], ..Batch::default() };
        assert_eq!(twice.parts().len(), 2);
        assert!(Batch::default().parts().is_empty());
    }
}
