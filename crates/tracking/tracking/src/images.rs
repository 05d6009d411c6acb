//! The images, as an input of the run.

use std::collections::BTreeMap;
use std::path::Path;

use config::{DataConfig, SourceConfig};
use dataset::{Manifest, Split};
use mlflow::{Dataset, DatasetFields};
use serde_json::{Value, json};
use url::Url;

/// The longest digest that MLflow accepts.
const DIGEST_CHARACTERS: usize = 36;

/// The purpose of the images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataUse {
    /// The training and validation images.
    Training,
    /// The test images.
    Evaluation,
}

impl DataUse {
    fn splits(self) -> &'static [Split] {
        match self {
            Self::Training => &[Split::Train, Split::Valid],
            Self::Evaluation => &[Split::Test],
        }
    }

    fn context(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Evaluation => "evaluation",
        }
    }
}

/// The images in use of a manifest, with their numbers by split and class.
///
/// The server treats two data sets with the same name and digest as one, and keeps the first. So
/// the digest is that of the images in use, not of all images.
pub(crate) fn dataset(
    data: &DataConfig,
    manifest: &Manifest,
    of: DataUse,
) -> Result<Dataset, mlflow::InvalidDataset> {
    let (name, source) = place(&data.source);
    let used = manifest.filtered(|image| of.splits().contains(&image.split));
    let digest = used.digest().to_string();
    Dataset::new(DatasetFields {
        name,
        digest: digest.chars().take(DIGEST_CHARACTERS).collect(),
        source_type: kind(&data.source).to_owned(),
        source: source.to_string(),
        schema: None,
        profile: Some(counts(&used).to_string()),
        context: Some(of.context().to_owned()),
    })
}

/// Images by split and class, and their sum.
fn counts(manifest: &Manifest) -> Value {
    let mut splits: BTreeMap<&str, BTreeMap<&str, u64>> = BTreeMap::new();
    for image in manifest.records() {
        *splits.entry(image.split.name()).or_default().entry(&image.class).or_default() += 1;
    }
    json!({ "images": manifest.records().len(), "splits": splits })
}

fn kind(source: &SourceConfig) -> &'static str {
    match source {
        SourceConfig::Sample {} => "sample",
        SourceConfig::Local { .. } => "local",
        SourceConfig::Url { .. } => "http",
        SourceConfig::Kaggle { .. } => "kaggle",
        SourceConfig::Gdrive { .. } => "gdrive",
    }
}

/// A name for the images, and their source. Without login and query of an address, and without a
/// link that gives access to the file: any of these may be a secret.
fn place(source: &SourceConfig) -> (String, Value) {
    match source {
        SourceConfig::Sample {} => ("synthetic sample".into(), json!({ "kind": "sample" })),
        SourceConfig::Local { path, .. } => (file_stem(path), json!({ "uri": path })),
        SourceConfig::Url { url, .. } => {
            let url = public_part(url);
            (file_stem(url.as_ref()), json!({ "uri": url }))
        }
        SourceConfig::Kaggle { dataset, version, .. } => {
            let uri = format!("https://www.kaggle.com/datasets/{dataset}");
            (dataset.clone(), json!({ "uri": uri, "version": version }))
        }
        SourceConfig::Gdrive { .. } => ("shared file".into(), json!({ "kind": "gdrive" })),
    }
}

fn file_stem(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    stem.filter(|stem| !stem.is_empty()).unwrap_or_else(|| "images".to_owned())
}

fn public_part(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else { return "http:".to_owned() };
    // An address that cannot have them has nothing to remove.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use artifact::Digest;
    use dataset::ImageRecord;

    use super::*;

    fn manifest() -> Manifest {
        let record = |split: Split, class: &str, number: u8| ImageRecord {
            path: format!("{split}/{class}/{number}.png"),
            split,
            class: class.into(),
            sha256: Digest::of(&[number]),
            width: 1,
            height: 1,
        };
        let records = vec![
            record(Split::Train, "cancer", 1),
            record(Split::Train, "cancer", 2),
            record(Split::Train, "normal", 3),
            record(Split::Valid, "normal", 4),
            record(Split::Test, "normal", 5),
        ];
        Manifest::new("images", records)
    }

    fn data(source: &str) -> DataConfig {
        serde_yaml::from_str(&format!("{{source: {source}, classes: {{a: [a], b: [b]}}}}")).unwrap()
    }

    #[test]
    fn images_are_those_that_are_used_by_split_and_class() {
        let used = |of| dataset(&data("{kind: sample}"), &manifest(), of).unwrap();
        let (training, evaluation) = (used(DataUse::Training), used(DataUse::Evaluation));
        let profile = |dataset: &Dataset| -> Value {
            serde_json::from_str(dataset.fields().profile.as_deref().unwrap()).unwrap()
        };
        let splits = json!({"train": {"cancer": 2, "normal": 1}, "valid": {"normal": 1}});
        assert_eq!(profile(&training), json!({"images": 4, "splits": splits}));
        assert_eq!(profile(&evaluation)["images"], 1);
        assert_ne!(training.fields().digest, evaluation.fields().digest);
    }

    #[test]
    fn an_address_that_opens_the_data_is_not_told() {
        for (source, name) in [
            ("{kind: sample}", "synthetic sample"),
            ("{kind: local, path: data/scans.zip}", "scans"),
            ("{kind: url, url: 'https://ada:hush@host.example/ct.zip?token=hush'}", "ct"),
            ("{kind: kaggle, dataset: owner/ct}", "owner/ct"),
            ("{kind: gdrive, link: hush}", "shared file"),
        ] {
            let dataset = dataset(&data(source), &manifest(), DataUse::Training).unwrap();
            assert_eq!(dataset.fields().name, name);
            assert!(!format!("{dataset:?}").contains("hush"), "{dataset:?}");
        }
    }
}
