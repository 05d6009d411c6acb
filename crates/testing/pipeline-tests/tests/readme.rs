//! `docs/configuration.md` lists every configuration key, and no other.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

use std::collections::BTreeSet;

use config::{Config, Params};
use pipeline_tests::{leaves, project, text};
use regex::Regex;
use services::Services;

/// One of each source, with all of its keys.
const SOURCES: [&str; 5] = [
    "{kind: sample}",
    "{kind: local, path: data, sha256: null}",
    "{kind: url, url: 'https://localhost/', sha256: null}",
    "{kind: kaggle, dataset: owner/name, version: 1, sha256: null}",
    "{kind: gdrive, link: id, sha256: null}",
];

/// One of each way to find the patients.
const PATIENTS: [&str; 3] =
    ["{kind: unknown}", "{kind: path, pattern: '(p)'}", "{kind: csv, path: data/patients.csv}"];

fn known_keys() -> BTreeSet<String> {
    // A solved head and one that learns by epochs have different keys.
    let mut keys = BTreeSet::new();
    for file in ["params.yaml", "tests/params/by-epochs.yaml"] {
        keys.extend(leaves(&Params::load(&project().join(file)).unwrap()));
    }
    for section in ["train.solve", "train.descent"] {
        keys.remove(section);
    }
    let kinds = SOURCES.iter().flat_map(|source| PATIENTS.map(|patients| (source, patients)));
    for (source, patients) in kinds {
        let text = format!(
            "data: {{source: {source}, classes: {{a: [a], b: [b]}}, patients: {patients}}}"
        );
        let config: Config = serde_yaml::from_str(&text).unwrap();
        keys.extend(leaves(&config).into_iter().filter(|key| !key.starts_with("data.classes.")));
    }
    keys.insert("data.classes".to_owned());
    // The stages do not read these sections; the programs that read them know their keys.
    for section in ["registry", "promotion", "serve"] {
        keys.remove(section);
    }
    keys.extend(leaves(&Services::default()));
    keys
}

#[test]
fn every_configuration_key_is_explained() {
    let configuration = text(project().join("docs/configuration.md"));
    let row = Regex::new(r"(?m)^\| `([a-z0-9_.]+)` \|").unwrap();
    let explained: BTreeSet<String> =
        row.captures_iter(&configuration).map(|found| found[1].to_owned()).collect();
    assert_eq!(
        explained,
        known_keys(),
        "keys in docs/configuration.md (left), in crates/base/config (right)"
    );
}
