//! `model.json` of earlier formats.

use serde_json::{Map, Value};

/// Keys that were directly in `training` before heads could be solved.
const OF_DESCENT: [&str; 10] = [
    "epochs",
    "batch_size",
    "optimizer",
    "learning_rate",
    "momentum",
    "weight_decay",
    "schedule",
    "label_smoothing",
    "early_stopping",
    "augmentation",
];

/// The same in today's format, which has this number. Wrong values are left for the reader to
/// refuse.
pub(super) fn of_format_2(mut description: Value, format: u32) -> Value {
    if let Some(training) = description.get_mut("training").and_then(Value::as_object_mut) {
        let moved = OF_DESCENT.iter().filter_map(|key| training.remove_entry(*key));
        let descent: Map<String, Value> = moved.collect();
        training.insert("descent".into(), Value::Object(descent));
        training.insert("solve".into(), Value::Null);
    }
    if let Some(fields) = description.as_object_mut() {
        fields.insert("solved".into(), Value::Null);
        fields.insert("format".into(), format.into());
    }
    description
}

#[cfg(test)]
mod tests {

    use crate::description::ModelDescription;

    /// As `select` wrote it until November 2026.
    const FORMAT_2: &str = include_str!("format-2.json");

    #[test]
    fn a_model_of_format_2_is_still_read() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(ModelDescription::FILE), FORMAT_2).unwrap();
        let description = ModelDescription::read(folder.path()).unwrap();
        assert_eq!(description.architecture.head.kind, config::HeadKind::MultiScale);
        assert_eq!(description.solved, None);
        assert_eq!(description.training.solve, None);
        assert_eq!(description.training.descent.unwrap().label_smoothing, 0.1);
    }

    #[test]
    fn another_format_and_a_damaged_description_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let refusal = |text: &str| {
            std::fs::write(folder.path().join(ModelDescription::FILE), text).unwrap();
            ModelDescription::read(folder.path()).unwrap_err().to_string()
        };
        let other = refusal(&FORMAT_2.replace("\"format\": 2", "\"format\": 9"));
        assert!(other.contains("model.json") && other.contains('9'), "{other}");
        let damaged = refusal(&FORMAT_2.replace("\"training\"", "\"trainin\""));
        assert!(damaged.contains("model.json") && damaged.contains("training"), "{damaged}");
    }
}
