//! Entries logged to a run: metrics, parameters, tags.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::{self, Deserializer, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::Key;

/// The longest value of a parameter that MLflow keeps.
pub const LONGEST_PARAM_CHARACTERS: usize = 6000;
/// The longest value of a tag that MLflow keeps.
pub const LONGEST_TAG_CHARACTERS: usize = 8000;

/// A moment, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Now.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// One point of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// The metric's name.
    pub key: Key,
    /// The value; NaN and the infinities are values too.
    #[serde(with = "number")]
    pub value: f64,
    /// When it was measured. The server keeps identical points once.
    pub timestamp: Timestamp,
    /// The place on the x axis: the epoch.
    pub step: i64,
}

/// A parameter of a run. Once logged, it cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Param {
    /// Its name.
    pub key: Key,
    value: String,
}

impl Param {
    /// A parameter. A value longer than 6,000 characters, which MLflow would silently cut, is
    /// shortened to its beginning, with `… [cut: N characters]` at its end.
    pub fn new(key: Key, value: impl Into<String>) -> Self {
        Self { key, value: fitted(value.into(), LONGEST_PARAM_CHARACTERS) }
    }

    /// Its value, as sent.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// A tag of a run, a model or a version of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Its name.
    pub key: Key,
    value: String,
}

impl Tag {
    /// A tag. A value longer than 8,000 characters is shortened to its beginning, with `… [cut: N
    /// characters]` at its end.
    pub fn new(key: Key, value: impl Into<String>) -> Self {
        Self { key, value: fitted(value.into(), LONGEST_TAG_CHARACTERS) }
    }

    /// One of MLflow's own tags, or of ours, whose names are known to be valid.
    pub(crate) fn known(name: &'static str, value: impl Into<String>) -> Self {
        Self::new(Key::cleaned(name), value)
    }

    /// Its value, as sent.
    pub fn value(&self) -> &str {
        &self.value
    }
}

fn fitted(value: String, limit: usize) -> String {
    let length = value.chars().count();
    if length <= limit {
        return value;
    }
    let mark = format!("… [cut: {length} characters]");
    value.chars().take(limit - mark.chars().count()).chain(mark.chars()).collect()
}

/// A number that may be NaN or infinite: MLflow accepts these only as text, and would read any
/// other form as 0.
pub(crate) mod number {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        if value.is_finite() {
            serializer.serialize_f64(*value)
        } else if value.is_nan() {
            serializer.serialize_str("NaN")
        } else if *value > 0.0 {
            serializer.serialize_str("Infinity")
        } else {
            serializer.serialize_str("-Infinity")
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = f64;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or one of NaN, Infinity and -Infinity")
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<f64, E> {
                Ok(value)
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<f64, E> {
                Ok(value as f64)
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<f64, E> {
                Ok(value as f64)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<f64, E> {
                match text {
                    "NaN" => Ok(f64::NAN),
                    "Infinity" => Ok(f64::INFINITY),
                    "-Infinity" => Ok(f64::NEG_INFINITY),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(value: f64) -> Metric {
        let key = Key::new("loss").unwrap();
        Metric { key, value, timestamp: Timestamp(1_700_000_000_000), step: 3 }
    }

    #[test]
    fn numbers_that_are_none_travel_as_text() {
        let text = |value| serde_json::to_value(metric(value)).unwrap()["value"].to_string();
        assert_eq!(text(0.1), "0.1");
        assert_eq!(text(f64::NAN), "\"NaN\"");
        assert_eq!(text(f64::INFINITY), "\"Infinity\"");
        assert_eq!(text(f64::NEG_INFINITY), "\"-Infinity\"");
        for value in [1.0, 1e-300, f64::MAX, f64::INFINITY, f64::NEG_INFINITY] {
            let json = serde_json::to_string(&metric(value)).unwrap();
            assert_eq!(serde_json::from_str::<Metric>(&json).unwrap(), metric(value));
        }
        let json = serde_json::to_string(&metric(f64::NAN)).unwrap();
        assert!(serde_json::from_str::<Metric>(&json).unwrap().value.is_nan());
        assert!(serde_json::from_str::<Metric>(&json.replace("NaN", "nan")).is_err());
    }

    #[test]
    fn a_value_is_cut_only_where_mlflow_would_cut_it_and_says_so() {
        let param = |length: usize| Param::new(Key::new("a").unwrap(), "é".repeat(length));
        assert_eq!(param(6000).value(), "é".repeat(6000));
        let cut = param(6001);
        assert_eq!(cut.value().chars().count(), 6000);
        assert!(cut.value().ends_with("é… [cut: 6001 characters]"), "{}", cut.value());
    }
}
