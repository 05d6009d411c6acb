//! What to do about the findings, most important first.

use dataset::BaselineKind;
use metrics::Proportion;
use scoring::Unit;

use super::evaluated::Evaluated;
use super::words;
use crate::explanations::Explanations;
use crate::scores::FEW_TEST_IMAGES;
use crate::source::Source;
use crate::worth::WorthVerdict;
use crate::worth::leak::Leak;

/// Every action that the evaluation suggests.
pub(super) fn items(evaluated: &Evaluated<'_>) -> Vec<String> {
    let of_data = match evaluated.source {
        Source::TestSplit => [beat_the_baseline(evaluated), drop_copies(evaluated)],
        Source::Folder => [None, leave_out_known(evaluated)],
    };
    let rest = [
        name_patients(evaluated),
        get_more_images(evaluated),
        calibrate(evaluated),
        check_thresholds(evaluated),
        mend_shift(evaluated),
        doubt_maps(evaluated),
        Some("Look through the mistakes at the end, and at the heat maps.".to_owned()),
    ];
    of_data.into_iter().chain(rest).flatten().collect()
}

fn beat_the_baseline(evaluated: &Evaluated<'_>) -> Option<String> {
    let worth = &evaluated.scores.worth;
    let shortcut = worth.best_shortcut.as_ref().filter(|it| it.kind == BaselineKind::Shortcut);
    match worth.verdict {
        WorthVerdict::BeatsAllBaselines => None,
        WorthVerdict::BaselinesSawFewer => Some(
            "Run validate again, so that every baseline is fitted on all training images; until then \
             the comparison says nothing in the model's favour."
                .into(),
        ),
        WorthVerdict::BeatsShortcutsOnly => Some(
            "Do not claim that details were learnt: a picture of a few pixels may do as well. \
             Try a larger image_size, or unfreeze part of the base."
                .into(),
        ),
        WorthVerdict::NotBetterThanAShortcut => Some(match shortcut {
            Some(shortcut) => format!(
                "Do not report this score as skill. Find out how {} distinguishes the classes \
                 (data_validation/report.html), and collect images in which it cannot.",
                words::spoken(&shortcut.name)
            ),
            None => "Do not report this score as skill: always naming the most frequent class may \
                     do as well. Train longer, or on more images."
                .into(),
        }),
        WorthVerdict::Control => {
            Some("Do not use this model; set train.permute_labels: false to train one.".into())
        }
        WorthVerdict::TooFewImages => {
            Some("Do not report a score: add more test images of each class first.".into())
        }
        WorthVerdict::NothingToCompare => {
            Some("Run validate, so that there are baselines to compare the score with.".into())
        }
    }
}

fn drop_copies(evaluated: &Evaluated<'_>) -> Option<String> {
    let copied = evaluated.copied_images()?;
    let have = if copied == 1 { "has a copy" } else { "have a copy" };
    let images = words::number(copied, "test image", "test images");
    Some(format!(
        "{images} {have} in training: set validation.policy.leaks=drop in params.yaml and run \
         dvc repro."
    ))
}

fn leave_out_known(evaluated: &Evaluated<'_>) -> Option<String> {
    let copied = evaluated.copied_images()?;
    let are = words::number(copied, "image is", "images are");
    Some(format!("{are} in the training data: take them out of the folder and score it again."))
}

fn name_patients(evaluated: &Evaluated<'_>) -> Option<String> {
    let is_unknown = evaluated.unit == Unit::Slices && evaluated.source == Source::TestSplit;
    is_unknown.then(|| {
        "Record the patient of each image with data.patients of config.yaml (a pattern on the \
         path, or a CSV): slices of one patient in training and test raise a score."
            .into()
    })
}

fn get_more_images(evaluated: &Evaluated<'_>) -> Option<String> {
    let thin: Vec<String> = evaluated
        .scores
        .thin_classes()
        .map(|(class, images)| format!("{} ({images})", words::spoken(class)))
        .collect();
    (!thin.is_empty()).then(|| {
        format!(
            "Get more images of {}: with fewer than {FEW_TEST_IMAGES}, a class's scores say little.",
            thin.join(", ")
        )
    })
}

fn calibrate(evaluated: &Evaluated<'_>) -> Option<String> {
    (!evaluated.model.is_calibrated).then(|| {
        "Run calibrate: until then the probabilities are uncalibrated, and there are \
         no thresholds."
            .into()
    })
}

/// A threshold chosen on other images may not keep its specificity on these.
fn check_thresholds(evaluated: &Evaluated<'_>) -> Option<String> {
    let points = &evaluated.scores.positive.as_ref()?.operating_points;
    let broken = points.iter().find_map(|point| {
        let found: Proportion = point.specificity?;
        (found.high < point.required_specificity).then_some((point.required_specificity, found))
    });
    broken.map(|(required, found)| {
        format!(
            "Do not use the thresholds on images like these: the one for specificity {required:.2} \
             comes to {:.2} here. Calibrate on images from the same source.",
            found.share
        )
    })
}

fn mend_shift(evaluated: &Evaluated<'_>) -> Option<String> {
    let shift = evaluated.scores.worth.deeper.shift.as_ref()?;
    shift.is_shown.then(|| {
        "Do not correct the shifted scores with these test images: find out how the validation images \
         differ from them, get validation images from the source that the model is meant for, and \
         calibrate again."
            .into()
    })
}

fn doubt_maps(evaluated: &Evaluated<'_>) -> Option<String> {
    let Explanations::Tested(tested) = &evaluated.scores.explanations else { return None };
    tested.has_many_empty().then(|| {
        format!(
            "Do not rely on the heat maps: {} of {} are empty, so nothing in the picture supports \
             the prediction.",
            tested.empty, tested.images
        )
    })
}

impl Evaluated<'_> {
    /// Number of images with a copy in training, if there are any.
    fn copied_images(&self) -> Option<u64> {
        match &self.scores.worth.leak {
            Leak::NoCopies => None,
            Leak::NotMeasured { copied_test_images, .. } => Some(*copied_test_images as u64),
            Leak::Measured(effect) => Some(effect.copied_test_images as u64),
        }
    }
}
