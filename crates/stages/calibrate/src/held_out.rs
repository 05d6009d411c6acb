//! Logits of images, each by a head that was not trained on it.

use anyhow::{Result, bail};
use classifier::calibration::CalibrationImages;
use classifier::features::{Extractor, StoreSettings};
use classifier::held_out::{HeldOut, HeldOutImage};
use classifier::model::Model;
use config::{CalibrateParams, Flip};
use dataset::{ClassIndex, Split};
use fit::Refit;

use crate::images::{Images, PredictedImage, outputs_through};
use crate::out_of_fold;

/// How pictures are seen: as they are, or flipped.
pub(crate) struct View {
    pub(crate) flip: Flip,
    /// None for pictures as they are: the refit's own.
    pub(crate) extractor: Option<Extractor>,
}

/// An image with its logits in every view.
#[derive(Debug)]
pub(crate) struct Predicted<'a> {
    pub(crate) image: &'a PredictedImage,
    pub(crate) logits: Vec<Vec<f32>>,
}

/// The images as they are, and as `calibrate.flips` asks for.
pub(crate) fn views(
    refit: &Refit,
    params: &CalibrateParams,
    features: &StoreSettings,
) -> Result<Vec<View>> {
    let flipped = params.flips.iter().map(|flip| {
        let extractor = Some(refit.extractor_of_flipped(*flip, features)?);
        Ok(View { flip: *flip, extractor })
    });
    std::iter::once(Ok(View { flip: Flip::None, extractor: None })).chain(flipped).collect()
}

/// The validation images, and the training images where those are few.
pub(crate) fn gather<'a>(
    images: &'a Images,
    model: &Model,
    refit: &Refit,
    params: &CalibrateParams,
    views: &[View],
) -> Result<(Vec<Predicted<'a>>, CalibrationImages)> {
    let mut predicted = validation(images, model, views)?;
    let validation = predicted.len();
    let left_out_copies = images.of(Split::Valid).count() - validation;
    let few = validation < params.out_of_fold_below as usize;
    let folds = (few && refit.is_cheap()).then(|| out_of_fold::folds_of(images, params));
    let reason = match &folds {
        None if few => format!(
            "{validation} validation images are few, but part of the base was trained too: folds \
             would cost {} trainings",
            params.folds
        ),
        None => format!("{validation} validation images are enough"),
        Some(Err(error)) => format!(
            "{validation} validation images are too few, and so are the training images for folds: \
             {}",
            error.in_words(model.classes().names())
        ),
        Some(Ok(folds)) => format!(
            "{validation} validation images are fewer than {}, so the training images were \
             predicted too, in {} folds",
            params.out_of_fold_below,
            folds.count()
        ),
    };
    if let Some(Ok(folds)) = &folds {
        let epochs = model.description().source.epoch;
        predicted.extend(out_of_fold::logits(images, refit, views, folds, epochs)?);
    }
    let out_of_fold = predicted.len() - validation;
    tracing::info!("calibrating on {} images: {reason}", predicted.len());
    if predicted.is_empty() {
        bail!("calibrate the model: there are no validation images without a copy in training");
    }
    Ok((predicted, CalibrationImages { validation, left_out_copies, out_of_fold, reason }))
}

fn validation<'a>(images: &'a Images, model: &Model, views: &[View]) -> Result<Vec<Predicted<'a>>> {
    let of_image = |image: &'a PredictedImage| {
        let logits = vec![image.output.logits.clone()];
        Predicted { image, logits }
    };
    let mut predicted: Vec<Predicted<'a>> = images.unseen().map(of_image).collect();
    let requests: Vec<_> = predicted.iter().map(|it| images.request(it.image)).collect();
    for extractor in views.iter().filter_map(|view| view.extractor.as_ref()) {
        let outputs = outputs_through(extractor, &requests, model)?;
        for (image, output) in predicted.iter_mut().zip(outputs) {
            image.logits.push(output.logits);
        }
    }
    Ok(predicted)
}

/// The logits of the images as they are.
pub(crate) fn as_they_are(predicted: &[Predicted<'_>]) -> Vec<(ClassIndex, Vec<f32>)> {
    predicted.iter().map(|it| (it.image.class, it.logits[0].clone())).collect()
}

/// What an ensemble is chosen by.
pub(crate) fn to_keep(predicted: &[Predicted<'_>], views: &[View]) -> HeldOut {
    let images = predicted.iter().map(|Predicted { image, .. }| HeldOutImage {
        sha256: image.record.image.sha256,
        class: image.class.0,
        group: image.group().0,
        out_of_fold: image.record.image.split == Split::Train,
    });
    let of_view = |(place, view): (usize, &View)| {
        (view.flip, predicted.iter().map(|it| it.logits[place].clone()).collect())
    };
    HeldOut { images: images.collect(), logits: views.iter().enumerate().map(of_view).collect() }
}
