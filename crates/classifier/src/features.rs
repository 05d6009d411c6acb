//! Records: what the frozen part of a network makes of an image. They never change, so each is
//! computed once and kept in a [`FeatureStore`].

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

use artifact::Digest;
use config::Augmentation;
use imaging::{Preprocessing, View};
use rayon::prelude::*;
use serde::Serialize;

use crate::architecture::{Architecture, BaseDescription};
use crate::backend::{Backend, FORWARD_BATCH};
use crate::network::Network;
use crate::tensors::TensorMap;
use crate::{ClassifierError, Result};

mod store;

pub use store::FeatureStore;

/// Batches that may be decoded ahead of the network.
const BATCHES_AHEAD: usize = 2;

/// An image, and the view of it that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRequest {
    /// The file.
    pub path: PathBuf,
    /// The digest of its content; keys the random changes and the store.
    pub sha256: Digest,
    /// Which augmented view; `None` for the image as it is.
    pub view: Option<u64>,
}

/// Makes records of images: decode, resize, augment, normalise, frozen part.
#[derive(Debug)]
pub struct Extractor {
    network: Network,
    loader: Loader,
}

/// The part of the work that needs no network, and is shared by threads.
#[derive(Debug)]
struct Loader {
    preprocessing: Preprocessing,
    views: Views,
    store: Option<FeatureStore>,
}

/// Everything that a record depends on beside the image and the view.
#[derive(Serialize)]
struct StoreKey<'a> {
    base: Digest,
    frozen_layers: usize,
    head: config::HeadKind,
    preprocessing: Preprocessing,
    augmentation: &'a Augmentation,
    seed: u64,
    fingerprint: crate::backend::Fingerprint,
}

/// Which random changes an [`Extractor`] makes to views, and from which seed.
#[derive(Debug, Clone, Copy)]
pub struct Views {
    /// The changes.
    pub augmentation: Augmentation,
    /// Their seed.
    pub seed: u64,
}

impl Extractor {
    /// Takes the frozen part of a whole model's weights. With a `features` folder, records are
    /// kept there and found again by any later run that would compute the same; where nothing is
    /// frozen there is nothing to keep.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape, or the folder cannot be made.
    pub fn new(
        base: &BaseDescription,
        weights: &TensorMap,
        backend: Backend,
        preprocessing: Preprocessing,
        views: Views,
        features: Option<&std::path::Path>,
    ) -> Result<Self> {
        let architecture: &Architecture = &base.architecture;
        let network =
            Network::new(architecture, weights, backend, BaseDescription::UPDATED_BASE_FILE)?;
        let key = StoreKey {
            base: base.base_sha256,
            frozen_layers: architecture.frozen_layers()?,
            head: architecture.head.kind,
            preprocessing,
            augmentation: &views.augmentation,
            seed: views.seed,
            fingerprint: backend.fingerprint(),
        };
        let key = serde_json::to_vec(&key).expect("the key is a plain struct");
        let store = match features {
            Some(folder) if !network.is_unfrozen() => {
                Some(FeatureStore::open(folder, &Digest::of(&key), network.record_length())?)
            }
            _ => None,
        };
        Ok(Self { network, loader: Loader { preprocessing, views, store } })
    }

    /// Length of a record.
    pub fn record_length(&self) -> usize {
        self.network.record_length()
    }

    /// Makes or finds the records of images, in order, and hands them on in batches of
    /// `batch_size` (the last may be shorter), one record after the other. Decoding runs ahead of
    /// the network; no more than a few batches are in memory.
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
        let full = batch_size * self.record_length();
        let mut pending: Vec<f32> = Vec::new();
        let loader = &self.loader;
        decode_ahead(
            images,
            |image| loader.look_up(image),
            |found| {
                self.complete(&found, &mut pending)?;
                while pending.len() >= full {
                    consume(&pending[..full])?;
                    pending.drain(..full);
                }
                Ok(())
            },
        )?;
        if pending.is_empty() { Ok(()) } else { consume(&pending) }
    }

    /// Runs the frozen part where records are missing, keeps those, and appends all in order.
    fn complete(&self, found: &[Found<'_>], records: &mut Vec<f32>) -> Result<()> {
        let pixels: Vec<&[f32]> = found
            .iter()
            .filter_map(|found| match found {
                Found::Pixels(_, planes) => Some(planes.as_slice()),
                Found::Record(_) => None,
            })
            .collect();
        let computed = self.compute(&pixels)?;
        let mut fresh = computed.chunks(self.record_length());
        for found in found {
            match found {
                Found::Record(record) => records.extend_from_slice(record),
                Found::Pixels(image, _) => {
                    let record = fresh.next().expect("one record was computed per missing image");
                    if let Some(store) = &self.loader.store {
                        store.put(image, record)?;
                    }
                    records.extend_from_slice(record);
                }
            }
        }
        Ok(())
    }

    fn compute(&self, images: &[&[f32]]) -> Result<Vec<f32>> {
        if images.is_empty() || self.network.is_unfrozen() {
            return Ok(images.concat());
        }
        let _no_grad = tch::no_grad_guard();
        let shape = self.network.image_shape(FORWARD_BATCH);
        let mut values = images.concat();
        values.resize(shape.iter().product::<i64>() as usize, 0.0);
        let records = self.network.records(&self.network.upload(&values, &shape)?)?;
        let records = records.f_narrow(0, 0, images.len() as i64)?;
        let flat = records.f_to_device(tch::Device::Cpu)?.f_contiguous()?.f_flatten(0, -1)?;
        Ok(Vec::<f32>::try_from(&flat)?)
    }
}

impl Loader {
    /// The record, where it is kept; else the pixels it is to be made of.
    fn look_up<'a>(&self, image: &'a ImageRequest) -> Result<Found<'a>> {
        if let Some(record) = self.store.as_ref().and_then(|store| store.get(image)) {
            return Ok(Found::Record(record));
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

/// What is known of an image before the network runs.
enum Found<'a> {
    Record(Vec<f32>),
    Pixels(&'a ImageRequest, Vec<f32>),
}

/// Loads items in parallel, [`FORWARD_BATCH`] at a time and a few batches ahead of `consume`, and
/// hands them on in order.
fn decode_ahead<'a, I: Sync, T: Send>(
    items: &'a [I],
    load: impl Fn(&'a I) -> Result<T> + Sync,
    mut consume: impl FnMut(Vec<T>) -> Result<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel(BATCHES_AHEAD);
        let load = &load;
        scope.spawn(move || {
            for chunk in items.chunks(FORWARD_BATCH) {
                let loaded: Result<Vec<T>> = chunk.par_iter().map(load).collect();
                let is_last = loaded.is_err();
                // A receiver that is gone has failed itself, and reports that.
                if sender.send(loaded).is_err() || is_last {
                    return;
                }
            }
        });
        // The receiver is dropped with this loop, which ends the loading where `consume` fails.
        for loaded in receiver {
            consume(loaded?)?;
        }
        Ok(())
    })
}
