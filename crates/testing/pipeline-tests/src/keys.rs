use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value;

/// The dotted keys of all values in `settings` that are not sections themselves.
///
/// # Panics
/// If `settings` cannot be written as JSON.
pub fn leaves(settings: &impl Serialize) -> BTreeSet<String> {
    let value = serde_json::to_value(settings).expect("settings are plain data");
    let mut keys = BTreeSet::new();
    collect(&value, "", &mut keys);
    keys
}

fn collect(value: &Value, key: &str, keys: &mut BTreeSet<String>) {
    let Value::Object(section) = value else {
        keys.insert(key.to_owned());
        return;
    };
    for (name, value) in section {
        let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        collect(value, &key, keys);
    }
}

/// Whether `listed` names `key` or a section that contains it.
pub fn covers(listed: &str, key: &str) -> bool {
    key.strip_prefix(listed).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn sections_open_and_lists_do_not() {
        let keys = leaves(&json!({"a": {"b": 1, "c": [1, 2]}, "d": null}));
        assert_eq!(keys, ["a.b", "a.c", "d"].map(String::from).into());
    }

    #[test]
    fn a_section_covers_its_keys_and_no_longer_name() {
        assert!(covers("train", "train.epochs"));
        assert!(covers("train.epochs", "train.epochs"));
        assert!(!covers("train", "training.epochs"));
        assert!(!covers("train.epochs", "train"));
    }
}
