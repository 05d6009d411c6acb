//! Says in which keys two records differ.

use serde::Serialize;
use serde_json::Value;

/// `key here, not there` for each key that differs; empty if none does.
pub(crate) fn difference<T: Serialize>(here: &T, there: &T) -> String {
    // All keys are text; other keys are the only thing that cannot be written.
    let of = |value| serde_json::to_value(value).expect("a record can be written as JSON");
    let (here, there): (Value, Value) = (of(here), of(there));
    match (&here, &there) {
        (Value::Object(here), Value::Object(there)) => {
            let differ = here.iter().filter(|(key, value)| there.get(*key) != Some(*value));
            let told = differ
                .map(|(key, value)| format!("{key} {}, not {}", short(value), short(&there[key])));
            told.collect::<Vec<_>>().join(", ")
        }
        _ if here == there => String::new(),
        _ => format!("{}, not {}", short(&here), short(&there)),
    }
}

/// A value for people; of a digest the first digits.
fn short(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => match text.parse::<artifact::Digest>() {
            Ok(digest) => digest.short(),
            Err(_) => text.clone(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use artifact::Digest;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_told_and_digests_are_short() {
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        let here = json!({"weights": one.to_string(), "window": null, "files": 3});
        let there = json!({"weights": two.to_string(), "window": "40,400", "files": 3});
        assert_eq!(
            difference(&here, &there),
            format!("weights {}, not {}, window none, not 40,400", one.short(), two.short())
        );
        assert_eq!(difference(&here, &here), "");
        assert_eq!(difference(&"0.1.0", &"0.2.0"), "0.1.0, not 0.2.0");
    }
}
