//! The model's outputs for the training and validation images.

use anyhow::{Context, Result};
use classifier::features::{Extractor, ImageRequest};
use classifier::model::{BatchSize, Input, Model, ModelOutput};
use dataset::{ClassIndex, GroupNumber, Manifest, Split, ValidatedManifest, ValidatedRecord};
use fit::Refit;
use imaging::GREY_BINS;
use rayon::prelude::*;

/// The splits in use; the test split is not one of them.
const SPLITS: [Split; 2] = [Split::Train, Split::Valid];

/// Images processed between two updates of the progress bar.
const BATCH: usize = 32;

/// One image.
#[derive(Debug)]
pub(crate) struct PredictedImage {
    pub(crate) record: ValidatedRecord,
    pub(crate) class: ClassIndex,
    pub(crate) output: ModelOutput,
    pub(crate) histogram: [f64; GREY_BINS],
    /// Whether training has a copy of it; never so for training images.
    pub(crate) was_seen_in_training: bool,
}

/// All images, in the order of the manifest.
#[derive(Debug)]
pub(crate) struct Images {
    /// The manifest for the stages after `validate`.
    pub(crate) manifest: Manifest,
    pub(crate) seen: Vec<PredictedImage>,
}

impl Images {
    /// Runs the model on every image of both splits.
    pub(crate) fn look(
        validated: &ValidatedManifest,
        model: &Model,
        refit: &Refit,
    ) -> Result<Self> {
        let manifest = validated.included();
        let in_training = validated.duplicate_groups_in_training();
        let records: Vec<&ValidatedRecord> = validated
            .records()
            .iter()
            .filter(|it| it.excluded.is_none() && SPLITS.contains(&it.image.split))
            .collect();
        let histograms = histograms(&manifest, &records)?;
        let outputs = outputs(&manifest, &records, model, refit)?;
        let seen = records
            .into_iter()
            .zip(histograms.into_iter().zip(outputs))
            .map(|(record, (histogram, output))| {
                let copied = record.duplicate_group.is_some_and(|it| in_training.contains(&it));
                Ok(PredictedImage {
                    class: model.classes().index(&record.image.class)?,
                    was_seen_in_training: record.image.split != Split::Train && copied,
                    record: record.clone(),
                    histogram,
                    output,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self { manifest, seen })
    }

    /// The validation images without a copy in training.
    pub(crate) fn unseen(&self) -> impl Iterator<Item = &PredictedImage> {
        self.of(Split::Valid).filter(|image| !image.was_seen_in_training)
    }

    /// The images of a split.
    pub(crate) fn of(&self, split: Split) -> impl Iterator<Item = &PredictedImage> {
        self.seen.iter().filter(move |image| image.record.image.split == split)
    }

    /// The request to an extractor.
    pub(crate) fn request(&self, image: &PredictedImage) -> ImageRequest {
        request(&self.manifest, &image.record)
    }
}

impl PredictedImage {
    /// The group that it must stay with.
    pub(crate) fn group(&self) -> GroupNumber {
        self.record.group
    }
}

fn request(manifest: &Manifest, record: &ValidatedRecord) -> ImageRequest {
    let path = manifest.file_of(&record.image);
    ImageRequest { path, sha256: record.image.sha256, view: None }
}

fn outputs(
    manifest: &Manifest,
    records: &[&ValidatedRecord],
    model: &Model,
    refit: &Refit,
) -> Result<Vec<ModelOutput>> {
    let requests: Vec<_> = records.iter().map(|record| request(manifest, record)).collect();
    outputs_through(refit.extractor(), &requests, model)
}

/// The model's outputs for images as an extractor of its base sees them.
pub(crate) fn outputs_through(
    extractor: &Extractor,
    requests: &[ImageRequest],
    model: &Model,
) -> Result<Vec<ModelOutput>> {
    let bar = terminal::items_bar(requests.len() as u64, "looking at images");
    let mut outputs = Vec::with_capacity(requests.len());
    extractor.for_each_batch(requests, BATCH, |activations| {
        let seen = model.output(Input::Activations(activations), BatchSize::AsGiven)?;
        bar.inc(seen.len() as u64);
        outputs.extend(seen);
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(outputs)
}

fn histograms(manifest: &Manifest, records: &[&ValidatedRecord]) -> Result<Vec<[f64; GREY_BINS]>> {
    let bar = terminal::items_bar(records.len() as u64, "counting greys");
    let counted: Vec<Result<_>> = records
        .par_iter()
        .map(|record| {
            let counted = histogram(manifest, record);
            bar.inc(1);
            counted
        })
        .collect();
    bar.finish_and_clear();
    counted.into_iter().collect()
}

fn histogram(manifest: &Manifest, record: &ValidatedRecord) -> Result<[f64; GREY_BINS]> {
    let path = manifest.file_of(&record.image);
    let bytes = dataset::read_image(&path, record.image.sha256)?;
    let picture = imaging::decode(&bytes).with_context(|| format!("decode {}", path.display()))?;
    Ok(imaging::grey_histogram(&picture))
}
