//! `model.json` of earlier formats.

use std::path::Path;

use artifact::Digest;
use serde_json::{Map, Value};

use crate::Result;
use crate::seal::check_seal;

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

/// A sealed description without its seal, after a check of it: the seal of a file of an earlier
/// format is that of its own text.
pub(super) fn unsealed(path: &Path, mut description: Value) -> Result<Value> {
    let seal = description.as_object_mut().and_then(|fields| fields.shift_remove("seal"));
    let seal: Option<Digest> = seal.and_then(|seal| serde_json::from_value(seal).ok());
    check_seal(path, seal, &description)?;
    Ok(description)
}

/// A description of format 3 in today's format, which has this number: the only base was VGG16.
pub(super) fn of_format_3(mut description: Value, format: u32) -> Value {
    if let Some(architecture) = description.get_mut("architecture").and_then(Value::as_object_mut) {
        architecture.insert("base".into(), "vgg16".into());
    }
    if let Some(fields) = description.as_object_mut() {
        fields.insert("format".into(), format.into());
    }
    description
}

/// A description of format 2 in format 3. Wrong values are left for the reader to refuse.
pub(super) fn of_format_2(mut description: Value) -> Value {
    if let Some(training) = description.get_mut("training").and_then(Value::as_object_mut) {
        let moved = OF_DESCENT.iter().filter_map(|key| training.remove_entry(*key));
        let descent: Map<String, Value> = moved.collect();
        training.insert("descent".into(), Value::Object(descent));
        training.insert("solve".into(), Value::Null);
    }
    if let Some(fields) = description.as_object_mut() {
        fields.insert("solved".into(), Value::Null);
    }
    description
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn a_sealed_model_of_format_3_is_read_and_its_seal_checked() {
        // As version 0.1 wrote it: without the name of the base, and sealed.
        let today: Value = serde_json::from_str(FORMAT_2).unwrap();
        let mut sealed = of_format_2(today);
        sealed["format"] = 3.into();
        let seal = crate::seal::seal_of(&sealed);
        sealed["seal"] = serde_json::to_value(seal).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(ModelDescription::FILE);
        std::fs::write(&path, serde_json::to_string_pretty(&sealed).unwrap()).unwrap();
        let description = ModelDescription::read(folder.path()).unwrap();
        assert_eq!(description.architecture.base.name, "vgg16");
        sealed["source"]["epoch"] = 20.into();
        std::fs::write(&path, serde_json::to_string_pretty(&sealed).unwrap()).unwrap();
        let message = ModelDescription::read(folder.path()).unwrap_err().to_string();
        assert!(message.contains("recorded is"), "{message}");
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
