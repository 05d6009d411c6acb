//! Training images, each predicted by a head that was not trained on it.
//!
//! As scikit-learn's `CalibratedClassifierCV(ensemble=False)`: the heads of the folds are only used
//! to calibrate the one model, which was trained on all of them.

use anyhow::Result;
use config::CalibrateParams;
use dataset::{Manifest, Split};
use fit::{Length, Refit};
use solvers::folds::Folds;

use crate::held_out::{Predicted, View};
use crate::images::{Images, PredictedImage};

/// Assigns the training images to folds and keeps copies, scans and patients together.
///
/// # Errors
/// When a class is in one group alone, so that no fold can be held out of its training.
pub(crate) fn folds_of(images: &Images, params: &CalibrateParams) -> solvers::Result<Folds> {
    let training: Vec<&PredictedImage> = images.of(Split::Train).collect();
    let classes: Vec<usize> = training.iter().map(|image| image.class.0).collect();
    let groups: Vec<_> = training.iter().map(|image| image.group()).collect();
    solvers::folds::assign(&classes, &groups, params.folds as usize, params.seed)
}

/// Logits of every training image in every view, in the order of the manifest. The heads train for as
/// many epochs as the selected one, so that they are equally confident.
pub(crate) fn logits<'a>(
    images: &'a Images,
    refit: &Refit,
    views: &[View],
    folds: &Folds,
    epochs: u32,
) -> Result<Vec<Predicted<'a>>> {
    let training: Vec<&PredictedImage> = images.of(Split::Train).collect();
    let mut predicted: Vec<Vec<Vec<f32>>> = vec![Vec::new(); training.len()];
    let bar = terminal::items_bar(folds.count() as u64, "out-of-fold heads");
    for fold in 0..folds.count() {
        let (_, held_out) = folds.divide(fold);
        let rest = without(images, held_out.iter().map(|index| training[*index]));
        let head = refit.train(&rest, Length::Epochs(epochs))?;
        let requests: Vec<_> =
            held_out.iter().map(|index| images.request(training[*index])).collect();
        for view in views {
            let logits = match &view.extractor {
                None => head.logits(&requests)?,
                Some(extractor) => head.logits_through(extractor, &requests)?,
            };
            for (index, logits) in held_out.iter().zip(logits) {
                predicted[*index].push(logits);
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let all = training.into_iter().zip(predicted);
    Ok(all
        .filter(|(_, logits)| !logits.is_empty())
        .map(|(image, logits)| Predicted { image, logits })
        .collect())
}

/// The manifest without some images.
fn without<'a>(images: &Images, held_out: impl Iterator<Item = &'a PredictedImage>) -> Manifest {
    let held_out: std::collections::BTreeSet<&str> =
        held_out.map(|image| image.record.image.path.as_str()).collect();
    images.manifest.filtered(|image| !held_out.contains(image.path.as_str()))
}
