//! Whether the descriptions of a model are whole and can be meant: they decide what its answers are
//! called, how large an image is made, and what is let through.

use std::path::Path;

use artifact::Digest;
use dataset::ClassIndices;
use serde::Serialize;

use crate::calibration::{Calibration, OperatingPointOutcome};
use crate::model::ModelDescription;
use crate::{ClassifierError, Result};

/// The sizes of images that a network can be asked for, as `prepare_base.image_size` allows them.
const IMAGE_SIZES: std::ops::RangeInclusive<u32> = 32..=1024;

/// The digest of a description without its seal.
pub(crate) fn seal_of(description: &impl Serialize) -> Digest {
    // Nothing of ours has keys that are not text, the one thing that cannot be written.
    Digest::of(&serde_json::to_vec(description).expect("a description can be written as JSON"))
}

/// What was recorded when it was written is what is there. Descriptions of earlier versions have
/// nothing recorded.
pub(crate) fn check_seal(
    path: &Path,
    recorded: Option<Digest>,
    unsealed: &impl Serialize,
) -> Result<()> {
    let Some(recorded) = recorded else { return Ok(()) };
    let found = seal_of(unsealed);
    if found == recorded {
        return Ok(());
    }
    Err(ClassifierError::Changed { path: path.to_owned(), recorded, found })
}

/// Checks `model.json`, and `class_indices.json` beside it.
pub(super) fn check_description(folder: &Path, description: &ModelDescription) -> Result<()> {
    let path = folder.join(ModelDescription::FILE);
    let seal = description.seal;
    check_seal(&path, seal, &ModelDescription { seal: None, ..description.clone() })?;
    let require = |is_so: bool, reason: String| {
        let path = path.clone();
        if is_so { Ok(()) } else { Err(ClassifierError::Description { path, reason }) }
    };
    let (architecture, size) = (&description.architecture, description.preprocessing.image_size);
    require(
        IMAGE_SIZES.contains(&size),
        format!("image_size is {size}; expected 32 to 1024 pixels"),
    )?;
    require(
        architecture.image_size == size,
        format!("the network sees {} pixels, and images have {size}", architecture.image_size),
    )?;
    let statistics = description.preprocessing.normalisation.statistics();
    require(
        statistics.mean.iter().all(|mean| mean.is_finite())
            && statistics.deviation.iter().all(|it| it.is_finite() && *it > 0.0),
        "the normalisation divides by nothing, or is no number".to_owned(),
    )?;
    let classes = architecture.class_indices();
    classes.check_names()?;
    require(
        classes.len() >= 2 && classes.names() == architecture.classes,
        "the classes are not two or more, each once, in alphabetical order".to_owned(),
    )?;
    let beside = ClassIndices::path_in(folder);
    // Models that came from a registry may have none.
    if beside.exists() && ClassIndices::read(folder)? != classes {
        let reason = format!("its classes are not those of {}", path.display());
        return Err(ClassifierError::Description { path: beside, reason });
    }
    Ok(())
}

/// Checks `calibration.json` against its model.
pub(crate) fn check_calibration(
    path: &Path,
    calibration: &Calibration,
    model: &ModelDescription,
) -> Result<()> {
    let seal = calibration.seal;
    check_seal(path, seal, &Calibration { seal: None, ..calibration.clone() })?;
    let require = |is_so: bool, reason: &str| {
        let (path, reason) = (path.to_owned(), reason.to_owned());
        if is_so { Ok(()) } else { Err(ClassifierError::Description { path, reason }) }
    };
    let foreign = &calibration.foreign;
    let correlation = foreign.histogram.correlation_limit;
    require(
        (-1.0..=1.0).contains(&correlation),
        "foreign.histogram.correlation_limit is not between -1 and 1",
    )?;
    require(
        foreign.feature_distance_limit.is_finite() && foreign.feature_distance_limit > 0.0,
        "foreign.feature_distance_limit is not a number above 0",
    )?;
    let classes = model.architecture.class_indices();
    let is_usable = |(class, histogram): (&String, &Vec<f64>)| {
        classes.index(class).is_ok()
            && histogram.len() == imaging::GREY_BINS
            && histogram.iter().all(|share| (0.0..=1.0).contains(share))
    };
    require(
        !foreign.histogram.classes.is_empty() && foreign.histogram.classes.iter().all(is_usable),
        "foreign.histogram is not of this model's classes, or not of shares",
    )?;
    if let Some(positive) = &calibration.positive {
        positive.indices(&classes)?;
        let is_share = |outcome: &OperatingPointOutcome| match outcome {
            OperatingPointOutcome::Found(point) => {
                // The strictest one lies beyond every probability.
                point.threshold.is_finite() && point.threshold >= 0.0
            }
            OperatingPointOutcome::Missing(_) => true,
        };
        require(
            positive.operating_points.iter().all(is_share),
            "a threshold of an operating point is no probability",
        )?;
    }
    Ok(())
}
