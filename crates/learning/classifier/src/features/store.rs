use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use artifact::{Digest, IoError, WithPath};
use config::{Config, FeaturesConfig, OnFullDisk};

use super::activation::{self, Activation};
use super::request::ImageRequest;
use super::room::{self, ACTIVATION_EXTENSION, ByteCount, DiskGrant, FeatureRoom};
use crate::{ClassifierError, Result};

/// Activations that are mapped at the same time. Linux allows a process 65 530 maps; above this
/// number an activation is mapped at each request.
const MAPPED_ACTIVATIONS: usize = 32_768;

/// Where activations are kept, and how much room they may take.
#[derive(Debug, Clone, PartialEq)]
pub struct StoreSettings {
    /// The store's folder.
    pub folder: PathBuf,
    /// Its limits.
    pub limits: FeaturesConfig,
}

impl StoreSettings {
    /// The settings of `config.yaml`.
    pub fn of(config: &Config) -> Self {
        Self { folder: config.paths.features.clone(), limits: config.features }
    }
}

/// The common part of all activations that one [`super::Extractor`] requests.
#[derive(Debug, Clone, Copy)]
pub(super) struct ActivationKind {
    /// Everything except the image and its view.
    pub(super) set: Digest,
    /// How views are drawn.
    pub(super) views: Digest,
    /// Values in an activation.
    pub(super) length: usize,
}

/// Activations on disk, one file each, by the content of the image and everything else that affects
/// them. Any number of processes may share the store; it may be removed at any time.
#[derive(Debug)]
pub(super) struct FeatureStore {
    settings: StoreSettings,
    kind: ActivationKind,
    room: FeatureRoom,
    known: Mutex<Known>,
    was_within_limit: AtomicBool,
    has_told_limit: AtomicBool,
    is_disk_full: AtomicBool,
}

/// An image, and its view.
type ActivationName = (Digest, Option<u64>);

/// The part of the store that this process knows.
#[derive(Debug, Default)]
struct Known {
    /// `None` for an activation that was found but is not mapped.
    activations: HashMap<ActivationName, Option<Arc<Activation>>>,
    mapped: usize,
}

impl FeatureStore {
    /// Opens the part of the store that holds activations of one kind. `None` if the disk is full
    /// and the settings say to go on.
    ///
    /// # Errors
    /// When the folder cannot be made or locked, or the disk is full.
    pub(super) fn open_if_possible(
        settings: &StoreSettings,
        kind: ActivationKind,
    ) -> Result<Option<Self>> {
        let set = kind.set.short();
        let room = FeatureRoom::enter(&settings.folder, &set, settings.limits.limit_bytes())
            .map_err(|error| when_disk_is_full(settings, error, FeatureRoom::MARKER_BYTES));
        match room {
            Ok(room) => Ok(Some(Self::new(settings, kind, room))),
            Err(error)
                if error.is_full_feature_disk()
                    && settings.limits.on_full_disk == OnFullDisk::GoWithout =>
            {
                warn_of_going_without(&error);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn new(settings: &StoreSettings, kind: ActivationKind, room: FeatureRoom) -> Self {
        Self {
            settings: settings.clone(),
            kind,
            room,
            known: Mutex::default(),
            was_within_limit: AtomicBool::new(false),
            has_told_limit: AtomicBool::new(false),
            is_disk_full: AtomicBool::new(false),
        }
    }

    /// An activation, or `None` if it is missing or damaged.
    pub(super) fn get(&self, image: &ImageRequest) -> Option<Arc<Activation>> {
        let name = name_of(image);
        if let Some(Some(activation)) = self.known().activations.get(&name) {
            return Some(Arc::clone(activation));
        }
        let identity = self.identity_of(image);
        let activation = Activation::open(&self.path_of(image), &identity, self.kind.length);
        let mut known = self.known();
        let Some(activation) = activation.map(Arc::new) else {
            // The announced activation is damaged or gone: the next pass must look again.
            known.activations.remove(&name);
            return None;
        };
        if known.mapped < MAPPED_ACTIVATIONS {
            known.mapped += 1;
            known.activations.insert(name, Some(Arc::clone(&activation)));
        }
        Some(activation)
    }

    /// Announces that an activation is about to be used, so that no other process removes it, and
    /// returns whether it is missing.
    pub(super) fn announce(&self, image: &ImageRequest) -> bool {
        let name = name_of(image);
        let mut known = self.known();
        if known.activations.contains_key(&name) {
            return false;
        }
        let Ok(file) = File::open(self.path_of(image)) else { return true };
        // In a store that belongs to another user the times cannot be set, but it can be read.
        let _ = file.set_modified(room::now());
        known.activations.insert(name, None);
        false
    }

    /// Makes room for this many activations, as far as the limit allows. The first call also brings
    /// the store within its limit.
    ///
    /// # Errors
    /// When the store cannot be looked through, or something cannot be removed.
    pub(super) fn make_room(&self, activations: usize) -> Result<Option<DiskGrant<'_>>> {
        let was_within_limit = self.was_within_limit.swap(true, Ordering::Relaxed);
        if activations == 0 && was_within_limit || self.is_disk_full.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let activation_bytes = activation::file_bytes(self.kind.length);
        let grant = self.room.grant(activation_bytes * activations as u64)?;
        let fitting = grant.bytes() / activation_bytes;
        if fitting < activations as u64 && !self.has_told_limit.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "features.limit_gigabytes: {} leaves room for the features of {fitting} of {activations} \
                 images in {} ({} are needed): the others are computed each time",
                self.settings.limits.limit_gigabytes,
                self.settings.folder.display(),
                ByteCount(activation_bytes * activations as u64),
            );
        }
        Ok(Some(grant))
    }

    /// Stores an activation, if there is room for it, or in place of a damaged one. It appears
    /// completely or not at all; it is not synced, since a damaged one is simply computed again.
    ///
    /// # Errors
    /// When it cannot be written, unless the disk is full and the settings say to go on.
    pub(super) fn put(
        &self,
        image: &ImageRequest,
        values: &[f32],
        grant: Option<&mut DiskGrant<'_>>,
    ) -> Result<()> {
        if self.is_disk_full.load(Ordering::Relaxed) {
            return Ok(());
        }
        let activation_bytes = activation::file_bytes(self.kind.length);
        let needed_bytes = grant.as_ref().map_or(0, |grant| grant.bytes()).max(activation_bytes);
        let is_granted = grant.is_some_and(|grant| grant.take(activation_bytes));
        if !is_granted && !self.path_of(image).exists() {
            return Ok(());
        }
        let Err(error) = self.write(image, values) else { return Ok(()) };
        let error = when_disk_is_full(&self.settings, error, needed_bytes);
        let goes_on = self.settings.limits.on_full_disk == OnFullDisk::GoWithout;
        if !(goes_on && error.is_full_feature_disk()) {
            return Err(error);
        }
        self.is_disk_full.store(true, Ordering::Relaxed);
        warn_of_going_without(&error);
        Ok(())
    }

    fn write(&self, image: &ImageRequest, values: &[f32]) -> artifact::Result<()> {
        let path = self.path_of(image);
        let mut file = self.room.begin_file()?;
        activation::write(&mut file, &self.identity_of(image), values).with_path("write", &path)?;
        let Err(failed) = file.persist(&path) else { return Ok(()) };
        // The first activation in this folder, or the folder has been removed.
        artifact::create_folder(path.parent().unwrap_or(&self.settings.folder))?;
        failed.file.persist(&path).map_err(|failed| failed.error).with_path("write", &path)?;
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn path_of(&self, image: &ImageRequest) -> PathBuf {
        let digest = image.sha256.to_string();
        let name = match image.view {
            None => digest.clone(),
            Some(number) => format!("{digest}-{}-{number}", self.kind.views.short()),
        };
        let mut path = self.settings.folder.join(self.kind.set.short());
        path.push(&digest[..2]);
        path.push(format!("{name}.{ACTIVATION_EXTENSION}"));
        path
    }

    /// The identity of an activation: everything that affects it.
    fn identity_of(&self, image: &ImageRequest) -> Digest {
        let (set, image_content) = (self.kind.set.as_bytes(), image.sha256.as_bytes());
        match image.view {
            None => Digest::of_fields([&set[..], image_content]),
            Some(number) => {
                let views = self.kind.views.as_bytes();
                Digest::of_fields([&set[..], image_content, views, &number.to_le_bytes()])
            }
        }
    }
}

fn name_of(image: &ImageRequest) -> ActivationName {
    (image.sha256, image.view)
}

fn warn_of_going_without(error: &ClassifierError) {
    tracing::warn!("failed to {error}. Continuing: what cannot be kept is computed each time");
}

/// The error that says what to do if the disk is full; otherwise the error itself.
fn when_disk_is_full(
    settings: &StoreSettings,
    error: IoError,
    needed_bytes: u64,
) -> ClassifierError {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    match error {
        IoError::Io { source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded | FileTooLarge) =>
        {
            ClassifierError::FeatureDiskFull {
                folder: settings.folder.clone(),
                needed_bytes,
                source,
            }
        }
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    const LENGTH: usize = 5_000;

    fn open(root: &std::path::Path) -> FeatureStore {
        let settings = StoreSettings { folder: root.to_owned(), limits: FeaturesConfig::default() };
        let (set, views) = (Digest::of(b"set"), Digest::of(b"views"));
        let kind = ActivationKind { set, views, length: LENGTH };
        FeatureStore::open_if_possible(&settings, kind).unwrap().unwrap()
    }

    fn image() -> ImageRequest {
        ImageRequest { path: "a.png".into(), sha256: Digest::of(b"a"), view: None }
    }

    /// Two writers replace an activation again and again, with different values, so that a mixture
    /// would show.
    #[test]
    fn a_reader_finds_a_whole_activation_or_none_while_others_write() {
        let root = tempfile::tempdir().unwrap();
        let activations = [1.0_f32, 2.0].map(|value| vec![value; LENGTH]);
        let running = AtomicU32::new(2);
        let mut reads = 0;
        std::thread::scope(|scope| {
            for activation in &activations {
                scope.spawn(|| {
                    let store = open(root.path());
                    let mut grant = store.make_room(1).unwrap();
                    for _ in 0..200 {
                        store.put(&image(), activation, grant.as_mut()).unwrap();
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
            while running.load(Ordering::SeqCst) > 0 {
                // A store that has mapped nothing yet.
                let Some(found) = open(root.path()).get(&image()) else {
                    assert_eq!(reads, 0, "an activation was there, and then was not");
                    continue;
                };
                let mut values = Vec::new();
                found.append_to(&mut values);
                assert!(activations.contains(&values));
                reads += 1;
            }
        });
        assert!(reads > 0, "the writers were done before anything was read");
    }

    #[test]
    fn an_activation_that_is_gone_is_missing_again_in_the_next_pass() {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path());
        let mut grant = store.make_room(1).unwrap();
        assert!(store.announce(&image()));
        store.put(&image(), &vec![1.0; LENGTH], grant.as_mut()).unwrap();
        assert!(!store.announce(&image()));
        std::fs::remove_file(store.path_of(&image())).unwrap();
        assert!(store.get(&image()).is_none());
        assert!(store.announce(&image()));
    }

    #[test]
    fn an_announced_activation_counts_as_used_now() {
        let root = tempfile::tempdir().unwrap();
        let store = open(root.path());
        let mut grant = store.make_room(1).unwrap();
        store.put(&image(), &vec![1.0; LENGTH], grant.as_mut()).unwrap();
        let file = File::options().append(true).open(store.path_of(&image())).unwrap();
        let long_ago = room::now() - std::time::Duration::from_secs(1_000);
        file.set_modified(long_ago).unwrap();
        let later = open(root.path());
        assert!(!later.announce(&image()));
        let last_used = file.metadata().unwrap().modified().unwrap();
        assert!(last_used > long_ago + std::time::Duration::from_secs(900));
    }
}
