//! Values that servers write in more than one way.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// A list of `{"key": …, "value": …}`.
#[derive(Debug, Deserialize)]
pub(crate) struct Pair {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
}

/// A list of pairs as a map.
pub(crate) fn map<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let pairs = Vec::<Pair>::deserialize(deserializer)?;
    Ok(pairs.into_iter().map(|pair| (pair.key, pair.value)).collect())
}

/// An integer of 64 bits: a number in MLflow's JSON, text by the rules of protobuf.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Integer {
    Number(i64),
    Text(String),
}

impl Integer {
    fn value<E: serde::de::Error>(self) -> Result<i64, E> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Text(text) => text.parse().map_err(E::custom),
        }
    }
}

pub(crate) fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Integer::deserialize(deserializer)?.value()
}

pub(crate) fn optional_integer<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<i64>, D::Error> {
    Option::<Integer>::deserialize(deserializer)?.map(Integer::value).transpose()
}

/// Text that may be missing or empty.
pub(crate) fn optional_text<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Answer {
        #[serde(deserialize_with = "integer")]
        step: i64,
        #[serde(default, deserialize_with = "optional_integer")]
        size: Option<i64>,
        #[serde(default, deserialize_with = "optional_text")]
        run: Option<String>,
        #[serde(default, deserialize_with = "map")]
        tags: BTreeMap<String, String>,
    }

    #[test]
    fn integers_come_as_numbers_or_as_text() {
        let read = |json| serde_json::from_str::<Answer>(json).unwrap();
        let answer = read(r#"{"step": "-3", "size": "7", "run": "", "tags": [{"key": "a"}]}"#);
        assert_eq!((answer.step, answer.size, answer.run), (-3, Some(7), None));
        assert_eq!(answer.tags["a"], "");
        let answer = read(r#"{"step": 3, "run": "r"}"#);
        assert_eq!((answer.step, answer.size, answer.run.as_deref()), (3, None, Some("r")));
        assert!(serde_json::from_str::<Answer>(r#"{"step": "x"}"#).is_err());
    }
}
