//! Settings and scores in MLflow's flat form.

use serde::Serialize;
use serde_json::Value;

/// Every value in a section of settings, by its dotted key: `train.schedule.kind`.
pub(crate) fn params(section: &str, settings: &impl Serialize) -> Vec<(String, String)> {
    leaves(section, '.', settings)
        .into_iter()
        .map(|(key, value)| match value {
            Value::String(text) => (key, terminal::shown(text)),
            other => (key, other.to_string()),
        })
        .collect()
}

/// Every number in a tree of scores, by its path: `test/classes/normal/recall`. Lists, words and
/// undefined values are left out.
pub(crate) fn scores(prefix: &str, scores: &impl Serialize) -> Vec<(String, f64)> {
    leaves(prefix, '/', scores)
        .into_iter()
        .filter_map(|(key, value)| Some((key, value.as_f64()?)))
        .collect()
}

fn leaves(prefix: &str, separator: char, tree: &impl Serialize) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    match serde_json::to_value(tree) {
        Ok(tree) => collect(prefix.to_owned(), separator, tree, &mut found),
        Err(error) => tracing::warn!("{prefix} is not tracked: {error}"),
    }
    found
}

fn collect(key: String, separator: char, value: Value, found: &mut Vec<(String, Value)>) {
    let Value::Object(section) = value else {
        found.push((key, value));
        return;
    };
    for (name, value) in section {
        collect(format!("{key}{separator}{name}"), separator, value, found);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_could_harm_a_terminal_is_escaped() {
        let settings = json!({ "path": "scans\u{1b}[2J" });
        let expected = vec![("data.path".to_owned(), "scans\\u{1b}[2J".to_owned())];
        assert_eq!(params("data", &settings), expected);
    }

    #[test]
    fn params_are_flat_and_their_words_have_no_quotes() {
        let settings =
            json!({"rate": 0.001, "schedule": {"kind": "step"}, "list": [1], "flip": false});
        let pairs = [
            ("train.rate", "0.001"),
            ("train.schedule.kind", "step"),
            ("train.list", "[1]"),
            ("train.flip", "false"),
        ];
        let expected = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(params("train", &settings), expected);
    }

    #[test]
    fn scores_are_the_numbers_alone() {
        let tree = json!({
            "worth": {"verdict": "good", "gain": 0.25},
            "accuracy": 1,
            "loss": null,
            "names": ["a"],
            "points": [1.0],
        });
        let expected = [("test/worth/gain", 0.25), ("test/accuracy", 1.0)]
            .map(|(key, it)| (key.to_owned(), it));
        assert_eq!(scores("test", &tree), expected);
    }
}
