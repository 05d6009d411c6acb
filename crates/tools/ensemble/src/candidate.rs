//! What an ensemble can be made of.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use artifact::Digest;
use classifier::calibration::Calibration;
use classifier::description::ModelDescription;
use classifier::held_out::{HeldOut, HeldOutImage};
use config::Flip;
use metrics::Temperature;

/// With fewer images that all models were held out of, a choice would be chance.
const FEWEST_IMAGES: usize = 20;

/// A calibrated model.
#[derive(Debug)]
pub(crate) struct CalibratedModel {
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) description: ModelDescription,
    pub(crate) calibration: Calibration,
    held_out: HeldOut,
}

/// A model with one view of the image.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) name: String,
    /// Which of the models.
    pub(crate) model: usize,
    pub(crate) flip: Flip,
    pub(crate) temperature: Temperature,
    /// Its logits of every image, each by a head that was not trained on it.
    pub(crate) logits: Vec<Vec<f32>>,
}

/// All candidates on the same images.
#[derive(Debug)]
pub(crate) struct Candidates {
    pub(crate) images: Vec<HeldOutImage>,
    pub(crate) all: Vec<Candidate>,
}

impl CalibratedModel {
    /// Reads a model folder; its weights are read later.
    pub(crate) fn read(folder: &Path, name: String) -> Result<Self> {
        let context = || format!("use the model in {}", folder.display());
        let description = ModelDescription::read(folder).with_context(context)?;
        if !description.ensemble.is_empty() {
            bail!(
                "use the model in {}: it is an ensemble itself; name its members",
                folder.display()
            );
        }
        let calibration = Calibration::read(folder, &description).with_context(context)?;
        let held_out = folder.join(HeldOut::FILE);
        let (Some(calibration), true) = (calibration, held_out.exists()) else {
            bail!(
                "use the model in {}: it has no {}, by which models are weighed; run calibrate in \
                 its study, and copy the whole folder",
                folder.display(),
                HeldOut::FILE
            );
        };
        let held_out = HeldOut::read(folder, &description).with_context(context)?;
        Ok(Self { name, folder: folder.to_owned(), description, calibration, held_out })
    }
}

/// A name for each folder: its last part, with the parts above it where that is not enough, and
/// without an end that all of them have, such as `model`.
///
/// # Errors
/// When a folder is named twice.
pub(crate) fn names(folders: &[PathBuf]) -> Result<Vec<String>> {
    let parents: Vec<PathBuf> =
        folders.iter().filter_map(|it| it.parent().map(Path::to_owned)).collect();
    let ends: BTreeSet<_> = folders.iter().map(|folder| folder.file_name()).collect();
    let are_told_apart = parents.iter().collect::<BTreeSet<_>>().len() == folders.len();
    if folders.len() > 1 && ends.len() == 1 && are_told_apart {
        return names(&parents);
    }
    let name = |folder: &PathBuf, parts: usize| {
        let all: Vec<_> = folder.iter().map(|part| part.to_string_lossy()).collect();
        all[all.len().saturating_sub(parts)..].join("/")
    };
    let depth = folders.iter().map(|folder| folder.iter().count()).max().unwrap_or(1);
    for parts in 1..=depth {
        let names: Vec<String> = folders.iter().map(|folder| name(folder, parts)).collect();
        if names.iter().collect::<BTreeSet<_>>().len() == names.len() {
            return Ok(names);
        }
    }
    bail!("make one model of several: a folder is named twice")
}

impl Candidates {
    /// Every model with every view of it, on the images that all of them were held out of.
    pub(crate) fn of(models: &[CalibratedModel]) -> Result<Self> {
        let Some(first) = models.first() else { bail!("make one model of several: there is none") };
        for model in &models[1..] {
            let (found, expected) =
                (model.description.digests.data, first.description.digests.data);
            if found != expected {
                bail!(
                    "weigh {} beside {}: they were trained on other images (manifest {} and {}); \
                     train both on the same",
                    model.folder.display(),
                    first.folder.display(),
                    found.short(),
                    expected.short()
                );
            }
        }
        let places: Vec<BTreeMap<Digest, usize>> = models.iter().map(places).collect();
        let of_all = |image: &&HeldOutImage| {
            places.iter().zip(models).all(|(places, model)| {
                places
                    .get(&image.sha256)
                    .is_some_and(|it| model.held_out.images[*it].class == image.class)
            })
        };
        // Copies count once.
        let mut seen = BTreeSet::new();
        let images: Vec<HeldOutImage> = first
            .held_out
            .images
            .iter()
            .filter(|image| seen.insert(image.sha256))
            .filter(of_all)
            .copied()
            .collect();
        if images.len() < FEWEST_IMAGES {
            bail!(
                "weigh {} models: {} images were held out of all of them, and {FEWEST_IMAGES} are \
                 needed; raise calibrate.out_of_fold_below, or bring more validation images",
                models.len(),
                images.len()
            );
        }
        let all = models.iter().zip(&places).enumerate().flat_map(|(place, (model, places))| {
            model
                .held_out
                .logits
                .iter()
                .map(move |(flip, logits)| (place, model, places, flip, logits))
        });
        let all = all.map(|(place, model, places, flip, logits)| Candidate {
            name: if flip.is_none() {
                model.name.clone()
            } else {
                format!("{}, flipped ({flip})", model.name)
            },
            model: place,
            flip: *flip,
            temperature: model.calibration.temperature.temperature,
            logits: images.iter().map(|image| logits[places[&image.sha256]].clone()).collect(),
        });
        let all = all.collect();
        Ok(Self { images, all })
    }

    /// The class of each image.
    pub(crate) fn labels(&self) -> Vec<usize> {
        self.images.iter().map(|image| image.class).collect()
    }
}

/// Where each image is, by its content.
fn places(model: &CalibratedModel) -> BTreeMap<Digest, usize> {
    let images = model.held_out.images.iter().enumerate().rev();
    images.map(|(place, image)| (image.sha256, place)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_one_name_are_told_apart_by_what_is_above_them() {
        let folders = ["a/model", "b/model"].map(PathBuf::from);
        assert_eq!(names(&folders).unwrap(), ["a", "b"]);
        assert_eq!(names(&["x/vgg", "y/vit"].map(PathBuf::from)).unwrap(), ["vgg", "vit"]);
        let deep = ["x/a/1", "x/b/1", "y/a/2"].map(PathBuf::from);
        assert_eq!(names(&deep).unwrap(), ["a/1", "b/1", "a/2"]);
        assert_eq!(names(&["study/model"].map(PathBuf::from)).unwrap(), ["model"]);
        let twice = names(&["a/model", "a/model"].map(PathBuf::from)).unwrap_err();
        assert!(twice.to_string().contains("named twice"), "{twice}");
    }
}
