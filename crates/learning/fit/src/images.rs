//! The order of the images in each epoch, and their labels.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Result;
use artifact::Digest;
use classifier::features::ImageRequest;
use config::{ClassWeights, TrainParams};
use dataset::{ClassIndices, Manifest, Split};

/// Images whose activations are computed at once if there are no optimizer steps.
const WITHOUT_STEPS: usize = 64;

/// An image and its label.
#[derive(Debug, Clone)]
struct LabelledImage {
    path: PathBuf,
    sha256: Digest,
    /// Distinguishes copies of one content.
    name: String,
    label: i64,
}

/// The training and validation images.
#[derive(Debug, Clone)]
pub struct TrainingImages {
    train: Vec<LabelledImage>,
    valid: Vec<LabelledImage>,
    class_names: Vec<String>,
    seed: u64,
    batch_size: usize,
    /// Distinct views per image, or `None` without augmentation.
    views: Option<Views>,
}

/// How views are numbered.
#[derive(Debug, Clone, Copy)]
enum Views {
    /// The epoch's number.
    FreshEachEpoch,
    /// Epochs use this many views in turn.
    InTurn(u32),
}

impl TrainingImages {
    /// Takes the training and validation images of a manifest.
    ///
    /// # Errors
    /// When a split has no images, or an image's class is not one of `classes`.
    pub fn new(manifest: &Manifest, classes: &ClassIndices, params: &TrainParams) -> Result<Self> {
        let labelled = |split| -> Result<Vec<LabelledImage>> {
            manifest
                .non_empty_split(split)?
                .into_iter()
                .map(|record| {
                    Ok(LabelledImage {
                        path: manifest.file_of(record),
                        sha256: record.sha256,
                        name: record.path.clone(),
                        label: classes.index(&record.class)?.0 as i64,
                    })
                })
                .collect()
        };
        let mut train = labelled(Split::Train)?;
        if params.permute_labels {
            tracing::warn!(
                "training labels are shuffled (train.permute_labels): this is the control"
            );
            permute_labels(&mut train, params.seed);
        }
        let augmentation = params.augmentation();
        let views = match augmentation.views {
            _ if !augmentation.is_on() => None,
            0 => Some(Views::FreshEachEpoch),
            count => Some(Views::InTurn(count)),
        };
        Ok(Self {
            train,
            valid: labelled(Split::Valid)?,
            class_names: classes.names().to_vec(),
            seed: params.seed,
            batch_size: params.descent.as_ref().map_or(WITHOUT_STEPS, |it| it.batch_size as usize),
            views,
        })
    }

    /// The same with the labels of the training images shuffled, so that each class keeps its
    /// number of images. `seed` decides the shuffle.
    #[must_use]
    pub fn with_shuffled_labels(mut self, seed: u64) -> Self {
        permute_labels(&mut self.train, seed);
        self
    }

    /// The same with a part of the training images held out as the validation images. `held_out`
    /// has their positions among the training images, in the order of the manifest.
    #[must_use]
    pub fn holding_out(&self, held_out: &[usize]) -> Self {
        let held_out: BTreeSet<usize> = held_out.iter().copied().collect();
        let (valid, train): (Vec<_>, Vec<_>) =
            self.train.iter().enumerate().partition(|(place, _)| held_out.contains(place));
        let images = |part: Vec<(usize, &LabelledImage)>| {
            part.into_iter().map(|(_, image)| image.clone()).collect()
        };
        Self { train: images(train), valid: images(valid), ..self.clone() }
    }

    /// Images per optimizer step, or images whose activations are computed at once if a head is
    /// solved.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// How many images a split has.
    pub fn count(&self, split: Split) -> usize {
        self.of(split).len()
    }

    /// How many different views of each image of a split are used in turn over the epochs; none if
    /// each epoch has fresh ones.
    pub(crate) fn views_seen_again(&self, split: Split) -> Option<u32> {
        match self.views {
            Some(Views::FreshEachEpoch) if split == Split::Train => None,
            Some(Views::InTurn(count)) if split == Split::Train => Some(count),
            _ => Some(1),
        }
    }

    /// The order of a split in an epoch: training images are shuffled anew each epoch, validation
    /// images are in the order of the manifest.
    fn order(&self, split: Split, epoch: u32) -> Vec<&LabelledImage> {
        if split != Split::Train {
            return self.valid.iter().collect();
        }
        let mut images: Vec<&LabelledImage> = self.train.iter().collect();
        images.sort_by_cached_key(|image| {
            keyed(self.seed, "order", &[&epoch.to_le_bytes(), image.name.as_bytes()])
        });
        images
    }

    /// The requests to the extractor, in the order of an epoch.
    pub fn requests(&self, split: Split, epoch: u32) -> Vec<ImageRequest> {
        let view = match self.views {
            Some(Views::FreshEachEpoch) if split == Split::Train => Some(u64::from(epoch)),
            Some(Views::InTurn(count)) if split == Split::Train => {
                Some(u64::from((epoch - 1) % count))
            }
            _ => None,
        };
        self.order(split, epoch)
            .into_iter()
            .map(|image| ImageRequest { path: image.path.clone(), sha256: image.sha256, view })
            .collect()
    }

    /// The requests to the extractor for the unchanged images of a split, in the order of the
    /// manifest.
    pub fn requests_in_order(&self, split: Split) -> Vec<ImageRequest> {
        let request = |image: &LabelledImage| ImageRequest {
            path: image.path.clone(),
            sha256: image.sha256,
            view: None,
        };
        self.of(split).iter().map(request).collect()
    }

    /// Every request to the extractor that a training makes more than once, or another training
    /// makes too: the unchanged images, or the views that epochs use in turn. Views that are drawn
    /// anew in each epoch are not among them.
    pub fn requests_that_recur(&self, split: Split) -> Vec<ImageRequest> {
        match self.views {
            Some(Views::InTurn(count)) if split == Split::Train => {
                (1..=count).flat_map(|epoch| self.requests(split, epoch)).collect()
            }
            Some(Views::FreshEachEpoch) if split == Split::Train => Vec::new(),
            _ => self.requests_in_order(split),
        }
    }

    /// The class of each image of a split, in the order of the manifest.
    pub fn labels_in_order(&self, split: Split) -> Vec<usize> {
        self.of(split).iter().map(|image| image.label as usize).collect()
    }

    /// The path of each image of a split in the manifest, in its order.
    pub fn names_in_order(&self, split: Split) -> impl Iterator<Item = &str> {
        self.of(split).iter().map(|image| image.name.as_str())
    }

    /// How many classes there are.
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// Their names, in the order of their labels.
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    fn of(&self, split: Split) -> &[LabelledImage] {
        if split == Split::Train { &self.train } else { &self.valid }
    }

    /// The labels, in the order of [`requests`](Self::requests).
    pub fn labels(&self, split: Split, epoch: u32) -> Vec<i64> {
        self.order(split, epoch).into_iter().map(|image| image.label).collect()
    }

    /// A weight per class, or none for equal weights. `balanced` is `n / (k·n_c)`, as
    /// scikit-learn's `compute_class_weight`.
    pub fn class_weights(&self, choice: ClassWeights) -> Option<Vec<f64>> {
        let ClassWeights::Balanced = choice else { return None };
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        for image in &self.train {
            *counts.entry(image.label).or_default() += 1;
        }
        let weight = |class: usize| {
            let count = counts.get(&(class as i64)).copied().unwrap_or_default();
            // A class without training images has weight zero, since it never enters the loss.
            if count == 0 { 0.0 } else { self.train.len() as f64 / (self.classes() * count) as f64 }
        };
        Some((0..self.classes()).map(weight).collect())
    }

    /// Seed of the units that a step drops.
    pub fn dropout_key(&self, epoch: u32, step: usize) -> Digest {
        keyed(self.seed, "dropout", &[&epoch.to_le_bytes(), &step.to_le_bytes()])
    }
}

/// A random number that depends only on the seed, its purpose and its parts.
fn keyed(seed: u64, purpose: &str, parts: &[&[u8]]) -> Digest {
    let seed = seed.to_le_bytes();
    let mut fields: Vec<&[u8]> = vec![&seed, purpose.as_bytes()];
    fields.extend(parts);
    Digest::of_fields(fields)
}

/// Shuffles the labels: each class keeps its number of images.
fn permute_labels(images: &mut [LabelledImage], seed: u64) {
    let mut dealt: Vec<(Digest, i64)> = images
        .iter()
        .map(|image| (keyed(seed, "permuted label", &[image.name.as_bytes()]), image.label))
        .collect();
    dealt.sort();
    for (image, (_, label)) in images.iter_mut().zip(dealt) {
        image.label = label;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images(labels: &[i64]) -> TrainingImages {
        let image = |(index, label): (usize, &i64)| LabelledImage {
            path: format!("{index}.png").into(),
            sha256: Digest::of(&index.to_le_bytes()),
            name: format!("{index}.png"),
            label: *label,
        };
        TrainingImages {
            train: labels.iter().enumerate().map(image).collect(),
            valid: Vec::new(),
            class_names: ["a", "b", "c"].map(str::to_owned).to_vec(),
            seed: 17,
            batch_size: 2,
            views: None,
        }
    }

    #[test]
    fn each_epoch_has_an_order_of_its_own_and_the_same_one_again() {
        let images = images(&[0; 20]);
        assert_ne!(images.requests(Split::Train, 1), images.requests(Split::Train, 2));
        assert_eq!(images.requests(Split::Train, 1), images.requests(Split::Train, 1));
    }

    #[test]
    fn labels_stay_with_their_images_when_shuffled() {
        let images = images(&(0..20).collect::<Vec<i64>>());
        let requests = images.requests(Split::Train, 3);
        for (request, label) in requests.iter().zip(images.labels(Split::Train, 3)) {
            assert_eq!(request.path, PathBuf::from(format!("{label}.png")));
        }
    }

    #[test]
    fn permuted_labels_keep_the_class_counts_and_break_the_pairing() {
        let before: Vec<i64> = (0..60).map(|index| index % 3).collect();
        let mut permuted = images(&before).train;
        permute_labels(&mut permuted, 17);
        let after: Vec<i64> = permuted.iter().map(|image| image.label).collect();
        let count = |labels: &[i64], class| labels.iter().filter(|label| **label == class).count();
        assert_eq!(count(&after, 1), count(&before, 1));
        let agreeing = before.iter().zip(&after).filter(|(a, b)| a == b).count();
        assert!(agreeing < 35, "{agreeing} of 60 labels are unchanged");
    }

    #[test]
    fn shuffled_labels_are_others_for_another_seed() {
        let labels: Vec<i64> = (0..60).map(|index| index % 3).collect();
        let shuffled = |seed| images(&labels).with_shuffled_labels(seed);
        let in_order = |images: &TrainingImages| images.labels_in_order(Split::Train);
        assert_eq!(in_order(&shuffled(1)), in_order(&shuffled(1)));
        assert_ne!(in_order(&shuffled(1)), in_order(&shuffled(2)));
    }

    #[test]
    fn balanced_weights_are_scikit_learns() {
        // compute_class_weight("balanced", classes=[0,1,2], y=[0,0,0,1,1,2])
        let weights = images(&[0, 0, 0, 1, 1, 2]).class_weights(ClassWeights::Balanced).unwrap();
        assert_eq!(weights, [6.0 / 9.0, 1.0, 2.0]);
        assert_eq!(images(&[0]).class_weights(ClassWeights::None), None);
    }

    #[test]
    fn images_that_are_held_out_are_not_trained_on_and_keep_their_labels() {
        let all = images(&[0, 1, 2, 0, 1, 2]);
        let fold = all.holding_out(&[1, 5]);
        assert_eq!(fold.labels_in_order(Split::Train), [0, 2, 0, 1]);
        assert_eq!(fold.labels_in_order(Split::Valid), [1, 2]);
        let names: Vec<&str> = fold.names_in_order(Split::Valid).collect();
        assert_eq!(names, ["1.png", "5.png"]);
        assert_eq!(fold.requests(Split::Train, 1).len(), 4);
    }

    #[test]
    fn views_take_turns_over_the_epochs() {
        let mut images = images(&[0, 1]);
        images.views = Some(Views::InTurn(2));
        let view = |epoch| images.requests(Split::Train, epoch)[0].view;
        assert_eq!([view(1), view(2), view(3)], [Some(0), Some(1), Some(0)]);
    }
}
