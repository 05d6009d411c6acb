//! Runs the model over test images.

use std::path::{Path, PathBuf};

use classifier::ClassifierError;
use classifier::backend::FORWARD_BATCH;
use classifier::features::{Extractor, ImageRequest};
use classifier::model::{BatchSize, Input, Model};
use classifier::tensors::{self, HostTensor, TensorMap};
use metrics::{Temperature, most_probable, softmax_with_temperature};

use crate::images::{ImageError, read_images};
use crate::predictions::Prediction;
use crate::test_set::TestImage;

/// Why the model has no answer.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// An image cannot be used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// The network cannot run, or a file cannot be written.
    #[error(transparent)]
    Classifier(#[from] ClassifierError),
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

/// The model's prediction for each image, in order.
///
/// # Errors
/// When an image cannot be used, the network cannot run, or its output is not a number.
pub fn predict(
    model: &Model,
    images: &[TestImage],
    temperature: Temperature,
) -> Result<Vec<Prediction>, InferenceError> {
    let progress = terminal::items_bar(images.len() as u64, "test images");
    let mut predictions = Vec::with_capacity(images.len());
    for batch in images.chunks(FORWARD_BATCH) {
        let planes = read_images(batch, model.input())?;
        let planes: Vec<&[f32]> = planes.iter().map(Vec::as_slice).collect();
        let outputs = model.output(Input::Images(&planes), BatchSize::Fixed)?;
        for (image, output) in batch.iter().zip(outputs) {
            predictions.push(prediction(image, &output.logits, temperature)?);
        }
        progress.inc(batch.len() as u64);
    }
    progress.finish_and_clear();
    Ok(predictions)
}

/// The same, with activations that an extractor of the model's base computes, or finds in its
/// store. New ones are stored for later requests.
/// # Errors
/// As [`predict`], and when the store cannot be written.
pub fn predict_with_activations(
    model: &Model,
    extractor: &Extractor,
    images: &[TestImage],
    temperature: Temperature,
) -> Result<Vec<Prediction>, InferenceError> {
    let progress = terminal::items_bar(images.len() as u64, "test images");
    let requests: Vec<ImageRequest> = images.iter().map(TestImage::request).collect();
    let mut logits = Vec::with_capacity(images.len());
    extractor.for_each_batch(&requests, FORWARD_BATCH, |activations| {
        let outputs = model.output(Input::Activations(activations), BatchSize::Fixed)?;
        progress.inc(outputs.len() as u64);
        logits.extend(outputs.into_iter().map(|output| output.logits));
        Ok(())
    })?;
    progress.finish_and_clear();
    let pairs = images.iter().zip(logits);
    pairs.map(|(image, logits)| prediction(image, &logits, temperature)).collect()
}

/// Writes the data that another framework needs to check the model to a safetensors file, all f32:
/// `images` `[N, 3, S, S]`, the model's input (of an ensemble also `images.1` and so on),
/// `probabilities` `[N, classes]`, and `grad_cam` `[N,
/// S / 16, S / 16]`, the map of the predicted class, not scaled.
///
/// # Errors
/// As [`predict`], and when the file cannot be written.
pub fn dump_inputs(
    model: &Model,
    images: &[TestImage],
    temperature: Temperature,
    file: &Path,
) -> Result<(), InferenceError> {
    let inputs = read_images(images, model.input())?;
    let predictions = predict(model, images, temperature)?;
    let mut maps = Vec::with_capacity(images.len());
    for (input, prediction) in inputs.iter().zip(&predictions) {
        maps.push(model.grad_cam(input, prediction.predicted)?);
    }
    let probabilities = predictions.iter().flat_map(|image| &image.probabilities);
    let probabilities = probabilities.map(|probability| *probability as f32).collect();
    let side = maps.first().map_or(0, |map| map.side);
    let heat = maps.into_iter().flat_map(|map| map.values).collect();
    let count = images.len();
    let mut tensors = TensorMap::from([
        (
            "probabilities".to_owned(),
            HostTensor::new(&[count, model.classes().len()], probabilities),
        ),
        ("grad_cam".to_owned(), HostTensor::new(&[count, side, side], heat)),
    ]);
    for (place, image) in model.input().images().iter().enumerate() {
        let name = if place == 0 { "images".to_owned() } else { format!("images.{place}") };
        let (size, range) = (image.image_size as usize, model.input().range(place));
        let values = inputs.iter().flat_map(|input| &input[range.clone()]).copied().collect();
        tensors.insert(name, HostTensor::new(&[count, 3, size, size], values));
    }
    tensors::write(file, &tensors, &model.description().digests)?;
    Ok(())
}

/// The prediction for an image from its logits.
///
/// # Errors
/// When they are not numbers.
pub fn prediction(
    image: &TestImage,
    logits: &[f32],
    temperature: Temperature,
) -> Result<Prediction, InferenceError> {
    let not_a_number =
        || InferenceError::NotANumber { path: image.file.clone(), logits: logits.to_vec() };
    let exact: Vec<f64> = logits.iter().map(|logit| f64::from(*logit)).collect();
    if exact.iter().any(|logit| !logit.is_finite()) {
        return Err(not_a_number());
    }
    let probabilities = softmax_with_temperature(&exact, temperature);
    let predicted = most_probable(&probabilities).ok_or_else(not_a_number)?;
    Ok(Prediction {
        path: image.name.clone(),
        actual: image.actual,
        predicted,
        probabilities,
        has_copy_in_training: image.has_copy_in_training,
    })
}
