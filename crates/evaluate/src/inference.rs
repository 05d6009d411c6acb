//! The model over test images.

use std::path::{Path, PathBuf};

use classifier::ClassifierError;
use classifier::backend::FORWARD_BATCH;
use classifier::model::{Model, softmax};
use classifier::tensors::{self, HostTensor, TensorMap};
use dataset::{ClassIndex, ClassIndices, ClassIndicesError, ImageRecord, Manifest};

use crate::images::{ImageError, read_images};
use crate::metrics::{cross_entropy, most_probable};
use crate::predictions::Prediction;

/// Why the model has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InferenceError {
    /// An image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The network cannot run, or a file cannot be written.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
    /// The test split has a class that the model was not trained on.
    #[error("score {path}: {source}; train on the present data, or ingest the model's")]
    Class {
        /// The image's path in the manifest.
        path: String,
        /// The class, and those there are.
        #[source]
        source: ClassIndicesError,
    },
    /// The network's output is NaN or infinite.
    #[error(
        "score {}: the model's output is {logits:?}, which are not all numbers; train again with \
         a lower learning rate, or in fp32",
        path.display()
    )]
    NotANumber {
        /// The image.
        path: PathBuf,
        /// The output.
        logits: Vec<f32>,
    },
}

/// An image of the test split and its class in the model.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TestImage<'a> {
    record: &'a ImageRecord,
    actual: ClassIndex,
}

impl<'a> TestImage<'a> {
    /// Looks up the class of every record.
    ///
    /// # Errors
    /// When the model does not have one of the classes.
    pub(crate) fn all(
        records: &[&'a ImageRecord],
        classes: &ClassIndices,
    ) -> Result<Vec<Self>, InferenceError> {
        records
            .iter()
            .map(|&record| match classes.index(&record.class) {
                Ok(actual) => Ok(Self { record, actual }),
                Err(source) => Err(InferenceError::Class { path: record.path.clone(), source }),
            })
            .collect()
    }
}

/// What the model says about each image, in order.
///
/// # Errors
/// When an image cannot be used, the network cannot run, or its output is not a number.
pub(crate) fn predict(
    model: &Model,
    manifest: &Manifest,
    images: &[TestImage<'_>],
) -> Result<Vec<Prediction>, InferenceError> {
    let progress = stage::items_bar(images.len() as u64, "test images");
    let mut predictions = Vec::with_capacity(images.len());
    for batch in images.chunks(FORWARD_BATCH) {
        let logits = model.logits(&read(model, manifest, batch)?)?;
        for (image, logits) in batch.iter().zip(logits) {
            predictions.push(prediction(manifest, image, logits)?);
        }
        progress.inc(batch.len() as u64);
    }
    progress.finish_and_clear();
    Ok(predictions)
}

/// Writes `images` `[N, 3, S, S]`, as the model sees them, and `probabilities` `[N, classes]`, both
/// f32, to a safetensors file: what another framework needs to check the model.
///
/// # Errors
/// As [`predict`], and when the file cannot be written.
pub(crate) fn dump_inputs(
    model: &Model,
    manifest: &Manifest,
    images: &[TestImage<'_>],
    file: &Path,
) -> Result<(), InferenceError> {
    let inputs = read(model, manifest, images)?;
    let probabilities: Vec<f32> = predict(model, manifest, images)?
        .iter()
        .flat_map(|image| image.probabilities.iter().map(|probability| *probability as f32))
        .collect();
    let size = model.description().preprocessing.image_size as usize;
    let classes = model.classes().len();
    let tensors = TensorMap::from([
        ("images".to_owned(), HostTensor::new(&[images.len(), 3, size, size], inputs.concat())),
        ("probabilities".to_owned(), HostTensor::new(&[images.len(), classes], probabilities)),
    ]);
    tensors::write(file, &tensors, &model.description().digests)?;
    Ok(())
}

fn read(
    model: &Model,
    manifest: &Manifest,
    images: &[TestImage<'_>],
) -> Result<Vec<Vec<f32>>, ImageError> {
    let records: Vec<_> = images.iter().map(|image| image.record).collect();
    read_images(manifest, &records, &model.description().preprocessing)
}

fn prediction(
    manifest: &Manifest,
    image: &TestImage<'_>,
    logits: Vec<f32>,
) -> Result<Prediction, InferenceError> {
    let probabilities = softmax(&logits);
    let Some(predicted) = most_probable(&probabilities) else {
        return Err(InferenceError::NotANumber { path: manifest.file_of(image.record), logits });
    };
    Ok(Prediction {
        path: image.record.path.clone(),
        actual: image.actual,
        predicted,
        loss: cross_entropy(&logits, image.actual),
        probabilities,
    })
}
