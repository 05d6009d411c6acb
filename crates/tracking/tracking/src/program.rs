use config::Params;
use mlflow::RepeatedPoint;
use serde_json::Value;

/// The program that works on a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Continues the run of an interrupted training, and otherwise begins one.
    Train,
    /// Adds to the run of the training.
    Evaluate,
}

impl Program {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Evaluate => "evaluate",
        }
    }

    /// The sections of `params.yaml` that affect its result, and that no earlier program of the run
    /// has logged.
    pub(crate) fn sections(self, params: &Params) -> Vec<(&'static str, Value)> {
        let sections: &[&str] = match self {
            Self::Train => &["ingest", "validation", "prepare_base", "train"],
            Self::Evaluate => &["select", "calibrate", "evaluate"],
        };
        let Ok(mut params) = serde_json::to_value(params) else { return Vec::new() };
        sections.iter().map(|section| (*section, params[*section].take())).collect()
    }

    /// A repeated epoch has the same values; scores may differ.
    pub(crate) fn repeated(self) -> RepeatedPoint {
        match self {
            Self::Train => RepeatedPoint::KeepFirst,
            Self::Evaluate => RepeatedPoint::Update,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_parameter_is_told_once() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../params.yaml");
        let params = Params::load(file.as_ref()).unwrap();
        let told = [Program::Train, Program::Evaluate].map(|program| program.sections(&params));
        let told: BTreeMap<&str, &Value> =
            told.iter().flatten().map(|(name, values)| (*name, values)).collect();
        let all = serde_json::to_value(&params).unwrap();
        let all: BTreeMap<&str, &Value> =
            all.as_object().unwrap().iter().map(|(name, values)| (name.as_str(), values)).collect();
        assert_eq!(told, all);
    }
}
