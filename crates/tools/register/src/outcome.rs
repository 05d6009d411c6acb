//! The program's output and exit code.

use anyhow::Result;
use classifier::description::ModelDescription;
use program::CommonArguments;
use serde_json::{Value, json};

/// The exit code for a model that was registered but not promoted.
pub const NOT_PROMOTED: u8 = 3;

/// Prints an outcome: for people, or as facts for scripts.
pub(crate) fn print(common: &CommonArguments, text: &str, facts: Value) -> Result<()> {
    let mut all = json!({"program": "register"});
    if let (Some(all), Value::Object(facts)) = (all.as_object_mut(), facts) {
        all.extend(facts);
    }
    common.print(&format!("{text}\n{}", ModelDescription::NOTICE), &all)
}
