//! Stage 2: copies, leaks, shortcuts and odd pictures, found and told.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use artifact::StagedFolder;
use dataset::{
    BASELINES_FILE, BaselineKind, BaselinePredictions, MANIFEST_FILE, Manifest, Split,
    ValidatedManifest, ValidatedRecord,
};

mod arguments;
mod groups;
mod ingested;
mod patients;
mod split;

pub use arguments::Arguments;

use groups::{Groups, pairs_of_equal};

/// Validates the images that `ingest` left.
///
/// # Errors
/// When the configuration cannot be used, an image has changed, a finding's policy is `fail`, or
/// the output cannot be written.
pub fn run(arguments: &Arguments) -> Result<()> {
    let settings = arguments.settings()?;
    let paths = &settings.config.paths;
    let params = &settings.params.validation;
    let manifest =
        Manifest::read(&paths.data_ingestion).context("find the images; run ingest first")?;
    let records = manifest.records();
    let patients = patients::patients_of(records, &settings.config.data.patients)?;
    let copies = pairs_of_equal(records.iter().map(|record| Some(record.sha256)));
    let duplicates = Groups::of(records.len(), copies.iter().copied());
    let ties = copies.iter().copied().chain(pairs_of_equal(patients.iter().map(Option::as_ref)));
    let groups = Groups::of(records.len(), ties);
    let splits = if params.resplit {
        split::draw(records, &groups, settings.params.ingest.split, params.seed)
    } else {
        split::pull_together(records, &groups, &ingested::drawn_splits(&paths.data_ingestion)?)
    };
    let members = duplicates.members();
    let validated = records.iter().enumerate().map(|(index, image)| {
        let duplicate = duplicates.of_image(index);
        let mut image = image.clone();
        let original_split = image.split;
        image.split = splits[index];
        ValidatedRecord {
            image,
            original_split,
            duplicate_group: (members[duplicate.0 as usize].len() > 1).then_some(duplicate),
            group: groups.of_image(index),
            patient_id: patients[index].clone(),
            excluded: None,
        }
    });
    let validated = ValidatedManifest::new(&paths.data_ingestion, validated.collect());

    let included = validated.included();
    let classes = included.classes();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for record in included.split(Split::Train) {
        *counts.entry(&record.class).or_default() += 1;
    }
    let most = counts.iter().max_by_key(|(_, count)| **count).map(|(class, _)| *class);
    let row: Vec<f64> = classes
        .names()
        .iter()
        .map(|name| f64::from(u8::from(Some(name.as_str()) == most)))
        .collect();
    let others = included.records().iter().filter(|record| record.split != Split::Train);
    let majority = BaselinePredictions {
        name: "majority_class".into(),
        kind: BaselineKind::Majority,
        images: others.map(|record| (record.path.clone(), row.clone())).collect(),
    };
    let staged = StagedFolder::in_place_of(&paths.data_validation, MANIFEST_FILE)?;
    validated.write(staged.path())?;
    dataset::write_baselines(&staged.path().join(BASELINES_FILE), &classes, &[majority])?;
    Ok(staged.publish()?)
}
