//! Activations: the output of the frozen part of a network for an image. They never change, so each
//! is computed once and kept on disk, in the folder of [`StoreSettings`].
//!
//! [`Extractor`] computes or finds activations, `store` names and keeps them, `activation` is one
//! file, `room` holds the limit and removes the least recently used ones.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;

use artifact::Digest;
use config::{Augmentation, HeadKind};
use imaging::{Preprocessing, View};
use rayon::prelude::*;
use serde::Serialize;

use crate::architecture::{Architecture, BaseDescription};
use crate::backend::{Backend, FORWARD_BATCH, Fingerprint};
use crate::bases::Base;
use crate::network::{Network, to_host};
use crate::tensors::{HostTensor, TensorMap};
use crate::{ClassifierError, Result};

mod activation;
mod request;
mod room;
mod store;
#[cfg(test)]
mod tests;

use activation::Activation;
pub(crate) use room::ByteCount;
use room::DiskGrant;
use store::{ActivationKind, FeatureStore};

pub use request::ImageRequest;
pub use store::StoreSettings;

/// Groups of images that may be decoded ahead of the network.
const GROUPS_AHEAD: usize = 2;

/// Images of a group, at most; see [`groups`].
const GROUP_IMAGES: usize = 8 * FORWARD_BATCH;

/// Computes activations of images: decode, resize, augment, normalise, frozen part.
#[derive(Debug)]
pub struct Extractor {
    network: Network,
    loader: Loader,
    computed: AtomicU64,
    found: AtomicU64,
}

/// Where activations came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivationCounts {
    /// The network processed the image.
    pub computed: u64,
    /// The activation was found in the store.
    pub found: u64,
}

/// The part of the work that needs no network, shared by threads.
#[derive(Debug)]
struct Loader {
    preprocessing: Preprocessing,
    views: Views,
    store: Option<FeatureStore>,
}

/// Everything except the image and its view that affects an activation.
#[derive(Serialize)]
struct SetKey {
    /// The program's own part: how it decodes, prepares, computes.
    code: &'static str,
    architecture: &'static str,
    base: Digest,
    frozen_layers: usize,
    content: ActivationContent,
    preprocessing: Preprocessing,
    machine: Fingerprint,
}

/// The part of an activation that depends on the kind of head. Its dense layers do not matter.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum ActivationContent {
    /// The input of the dense layers.
    Pooled(HeadKind),
    /// The means and deviations of channels that linear and kernel heads read: the same for both.
    ChannelStatistics,
    /// The output of the last frozen layer for the image.
    Activation,
    /// The same, and the part that the multi-scale head reads from the blocks before.
    ScalesAndActivation,
    /// The same, and the means and deviations of the channels of the blocks before.
    StatisticsAndActivation,
}

/// Everything else that affects a view. The number of views does not matter, and for the unchanged
/// image nothing here does.
#[derive(Serialize)]
struct ViewsKey {
    augmentation: Augmentation,
    seed: u64,
}

/// The random changes that an [`Extractor`] makes to views, and their seed.
#[derive(Debug, Clone, Copy)]
pub struct Views {
    /// The changes.
    pub augmentation: Augmentation,
    /// Their seed.
    pub seed: u64,
}

impl Extractor {
    /// Uses the frozen part of a whole model's weights. With a `store`, activations are kept there
    /// and found again by any later run that would compute the same. Activations that would not be
    /// requested again are not kept: all of them if nothing is frozen, and views that are drawn
    /// anew every epoch.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape, or the store cannot be opened.
    pub fn new(
        base: &BaseDescription,
        weights: &TensorMap,
        backend: Backend,
        preprocessing: Preprocessing,
        views: Views,
        store: Option<&StoreSettings>,
    ) -> Result<Self> {
        let network =
            Network::new(&base.architecture, weights, backend, BaseDescription::UPDATED_BASE_FILE)?;
        let settings = store.filter(|it| it.limits.limit_bytes() > 0 && !network.is_unfrozen());
        let store = match settings {
            None => None,
            Some(settings) => {
                let set = SetKey {
                    code: env!("FEATURES_CODE"),
                    architecture: base.architecture.base.name,
                    base: base.base_sha256,
                    frozen_layers: base.architecture.frozen_layers(),
                    content: ActivationContent::of(&base.architecture)?,
                    preprocessing,
                    machine: backend.fingerprint(),
                };
                let kind = ActivationKind {
                    set: digest_of(&set),
                    views: views.digest(),
                    length: network.activation_length(),
                };
                FeatureStore::open_if_possible(settings, kind)?
            }
        };
        let loader = Loader { preprocessing, views, store };
        Ok(Self { network, loader, computed: AtomicU64::new(0), found: AtomicU64::new(0) })
    }

    /// The base that it computes.
    pub fn base(&self) -> &'static Base {
        self.network.architecture().base
    }

    /// The maps of preprocessed images at each cut point, `[N, C, H, W]`, for comparison with other
    /// programs. Nothing is kept.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn maps_at_cut_points(&self, images: &[&[f32]]) -> Result<Vec<(String, HostTensor)>> {
        let _no_grad = tch::no_grad_guard();
        let shape = self.network.image_shape(images.len());
        let images = self.network.upload(&images.concat(), &shape)?;
        let maps = self.network.maps_at_cut_points(&images)?;
        let cuts = self.base().cut_points().into_iter().zip(&maps);
        cuts.map(|(cut, maps)| Ok((cut.name, to_host(maps)?))).collect()
    }

    /// Length of an activation.
    pub fn activation_length(&self) -> usize {
        self.network.activation_length()
    }

    /// Whether activations of images that are requested again are kept.
    pub fn keeps_activations(&self) -> bool {
        self.loader.store.is_some()
    }

    /// How many activations were computed and how many found so far.
    pub fn activation_counts(&self) -> ActivationCounts {
        ActivationCounts {
            computed: self.computed.load(Ordering::Relaxed),
            found: self.found.load(Ordering::Relaxed),
        }
    }

    /// Computes or finds the activations of images, in order, and passes them on in batches of
    /// `batch_size` (the last may be shorter), one activation after the other. Decoding runs ahead
    /// of the network; no more than a few batches are in memory.
    ///
    /// # Errors
    /// When a file cannot be read or decoded (the error names it), when the store cannot be
    /// written, or when `consume` fails.
    pub fn for_each_batch(
        &self,
        images: &[ImageRequest],
        batch_size: usize,
        mut consume: impl FnMut(&[f32]) -> Result<()>,
    ) -> Result<()> {
        let loader = &self.loader;
        let (is_missing, mut grant) = loader.plan(images)?;
        let full = batch_size * self.activation_length();
        let mut batch: Vec<f32> =
            Vec::with_capacity(full.min(images.len() * self.activation_length()));
        decode_ahead(
            groups(images, &is_missing),
            |image| loader.look_up(image),
            |found| {
                let computed = self.compute_missing(&found)?;
                let mut computed = computed.chunks(self.activation_length());
                for found in found {
                    match found {
                        Found::Activation(activation) => activation.append_to(&mut batch),
                        Found::Pixels(image, _) => {
                            let activation =
                                computed.next().expect("one per image without an activation");
                            loader.keep(image, activation, grant.as_mut())?;
                            batch.extend_from_slice(activation);
                        }
                    }
                    if batch.len() == full {
                        consume(&batch)?;
                        batch.clear();
                    }
                }
                Ok(())
            },
        )?;
        if batch.is_empty() { Ok(()) } else { consume(&batch) }
    }

    /// Runs the frozen part on the images without a stored activation.
    fn compute_missing(&self, found: &[Found<'_>]) -> Result<Vec<f32>> {
        let missing: Vec<&[f32]> = found.iter().filter_map(Found::pixels).collect();
        let activations_found = found.len() - missing.len();
        self.found.fetch_add(activations_found as u64, Ordering::Relaxed);
        self.computed.fetch_add(missing.len() as u64, Ordering::Relaxed);
        let mut activations = Vec::with_capacity(missing.len() * self.activation_length());
        for images in missing.chunks(FORWARD_BATCH) {
            self.compute(images, &mut activations)?;
        }
        Ok(activations)
    }

    /// Adds the activations of [`FORWARD_BATCH`] images at most.
    fn compute(&self, images: &[&[f32]], activations: &mut Vec<f32>) -> Result<()> {
        if self.network.is_unfrozen() {
            images.iter().for_each(|image| activations.extend_from_slice(image));
            return Ok(());
        }
        let _no_grad = tch::no_grad_guard();
        let computed = self.network.filled_activations(images, FORWARD_BATCH)?;
        let computed = computed.f_narrow(0, 0, images.len() as i64)?;
        let flat = computed.f_to_device(tch::Device::Cpu)?.f_contiguous()?.f_flatten(0, -1)?;
        activations.extend(Vec::<f32>::try_from(&flat)?);
        Ok(())
    }
}

impl Views {
    fn digest(&self) -> Digest {
        // One view is the same, whatever the number of views.
        let augmentation = Augmentation { views: 0, ..self.augmentation };
        digest_of(&ViewsKey { augmentation, seed: self.seed })
    }
}

impl ActivationContent {
    fn of(architecture: &Architecture) -> Result<Self> {
        Ok(match architecture.head.kind {
            HeadKind::Linear | HeadKind::Kernel if architecture.is_frozen() => {
                Self::ChannelStatistics
            }
            HeadKind::Linear | HeadKind::Kernel => Self::StatisticsAndActivation,
            kind if architecture.is_frozen() => Self::Pooled(kind),
            HeadKind::MultiScale => Self::ScalesAndActivation,
            HeadKind::Flatten | HeadKind::GlobalPool => Self::Activation,
        })
    }
}

fn digest_of(key: &impl Serialize) -> Digest {
    Digest::of(&serde_json::to_vec(key).expect("the key is a plain struct"))
}

impl Loader {
    /// The store, if the activation of this image is worth keeping.
    fn store_for(&self, image: &ImageRequest) -> Option<&FeatureStore> {
        let comes_again = image.view.is_none() || self.views.augmentation.draws_the_same_again();
        self.store.as_ref().filter(|_| comes_again)
    }

    /// For each image, whether its activation is missing; and room for the missing ones.
    fn plan(&self, images: &[ImageRequest]) -> Result<(Vec<bool>, Option<DiskGrant<'_>>)> {
        let Some(store) = &self.store else { return Ok((vec![true; images.len()], None)) };
        let mut to_keep = 0;
        let is_missing = images
            .iter()
            .map(|image| match self.store_for(image) {
                None => true,
                Some(store) if store.announce(image) => {
                    to_keep += 1;
                    true
                }
                Some(_) => false,
            })
            .collect();
        Ok((is_missing, store.make_room(to_keep)?))
    }

    /// Stores an activation that was missing.
    fn keep(
        &self,
        image: &ImageRequest,
        activation: &[f32],
        grant: Option<&mut DiskGrant<'_>>,
    ) -> Result<()> {
        match self.store_for(image) {
            Some(store) => store.put(image, activation, grant),
            None => Ok(()),
        }
    }

    /// The activation, if it is stored; otherwise the pixels to compute it from.
    fn look_up<'a>(&self, image: &'a ImageRequest) -> Result<Found<'a>> {
        if let Some(activation) = self.store_for(image).and_then(|store| store.get(image)) {
            return Ok(Found::Activation(activation));
        }
        let bytes = dataset::read_image(&image.path, image.sha256)?;
        let picture = imaging::decode(&bytes)
            .map_err(|source| ClassifierError::Picture { path: image.path.clone(), source })?;
        let mut planes = self.preprocessing.resize(&picture);
        if let Some(number) = image.view {
            let view = View { seed: self.views.seed, number, image: *image.sha256.as_bytes() };
            planes = imaging::augment(
                &planes,
                self.preprocessing.image_size,
                &self.views.augmentation,
                &view,
            );
        }
        self.preprocessing.normalise(&mut planes);
        Ok(Found::Pixels(image, planes))
    }
}

/// The data of an image before the network runs.
enum Found<'a> {
    Activation(Arc<Activation>),
    Pixels(&'a ImageRequest, Vec<f32>),
}

impl Found<'_> {
    fn pixels(&self) -> Option<&[f32]> {
        match self {
            Self::Activation(_) => None,
            Self::Pixels(_, planes) => Some(planes),
        }
    }
}

/// Divides images into groups that the network processes in one pass: [`FORWARD_BATCH`] images
/// without an activation, together with the images between them that have one, so that a few new
/// images among many old ones do not cost a forward pass each.
fn groups<'a>(
    images: &'a [ImageRequest],
    is_missing: &[bool],
) -> impl Iterator<Item = &'a [ImageRequest]> + use<'a> {
    let mut groups = Vec::new();
    let (mut start, mut missing) = (0, 0);
    for (index, is_missing) in is_missing.iter().enumerate() {
        missing += usize::from(*is_missing);
        if missing == FORWARD_BATCH || index + 1 - start == GROUP_IMAGES {
            groups.push(&images[start..=index]);
            (start, missing) = (index + 1, 0);
        }
    }
    if start < images.len() {
        groups.push(&images[start..]);
    }
    groups.into_iter()
}

/// Loads groups of items, each in parallel and a few groups ahead of `consume`, and passes them on
/// in order.
fn decode_ahead<'a, I: Sync + 'a, T: Send>(
    groups: impl Iterator<Item = &'a [I]> + Send,
    load: impl Fn(&'a I) -> Result<T> + Sync,
    mut consume: impl FnMut(Vec<T>) -> Result<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(GROUPS_AHEAD);
        let load = &load;
        scope.spawn(move || {
            for group in groups {
                let loaded: Result<Vec<T>> = group.par_iter().map(load).collect();
                let is_last = loaded.is_err();
                // A receiver that is gone has failed itself, and reports that.
                if sender.send(loaded).is_err() || is_last {
                    return;
                }
            }
        });
        // This loop drops the receiver at its end, which stops the loading if `consume` fails.
        for loaded in receiver {
            consume(loaded?)?;
        }
        Ok(())
    })
}
