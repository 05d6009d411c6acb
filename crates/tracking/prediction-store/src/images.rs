use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use artifact::Digest;
use bytes::Bytes;
use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use object_store::aws::AmazonS3Builder;
use object_store::gcp::GoogleCloudStorageBuilder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _, RetryConfig};

use crate::{Fault, ImageLocation, PageLimit};

/// How long a failing bucket is retried.
const RETRIES: RetryConfig = RetryConfig {
    backoff: object_store::BackoffConfig {
        init_backoff: Duration::from_millis(100),
        max_backoff: Duration::from_secs(2),
        base: 2.0,
    },
    max_retries: 3,
    retry_timeout: Duration::from_secs(15),
};

/// Images by the SHA-256 of their bytes: `ab/abcdef…`. The names hold no other information.
#[derive(Debug, Clone)]
pub struct ImageStore {
    objects: Arc<dyn ObjectStore>,
    /// The folder, if the objects are files.
    folder: Option<Arc<Path>>,
    shown_as: Arc<str>,
}

/// A stored image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredImage {
    /// SHA-256 of its bytes.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was stored last.
    pub stored_at: Timestamp,
}

/// Some of the images, in the order of their digests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePage {
    /// The images.
    pub images: Vec<StoredImage>,
    /// The start of the next page; `None` on the last.
    pub next: Option<Digest>,
}

/// A failure of the image store. Reads after "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The folder or bucket refused, or did not answer.
    #[error("{action} in {location}: {fault} ({source})")]
    Store {
        /// The action: "store an image".
        action: &'static str,
        /// The place.
        location: String,
        /// The kind of fault, and what to do.
        fault: Fault,
        /// The error.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It was never stored, or was removed.
    #[error("find the image {0}: it is not stored")]
    Unknown(Digest),
    /// The content stored under the digest is something else.
    #[error("read the image {digest} of {location}: its bytes have changed; remove it")]
    Damaged {
        /// The digest it is stored under.
        digest: Digest,
        /// The place.
        location: String,
    },
}

type Result<T> = std::result::Result<T, ImageError>;

impl ImageStore {
    /// Opens the folder, which is created if missing, or the bucket, with the credentials and
    /// endpoints from the environment: `AWS_…`, `GOOGLE_…`. A bucket is not contacted before it is
    /// needed.
    ///
    /// # Errors
    /// [`ImageError::Store`] if the folder cannot be made or the settings do not fit.
    pub fn open(location: &ImageLocation) -> Result<Self> {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let ours = name.starts_with("AWS_") || name.starts_with("GOOGLE_");
            ours.then_some((name, value.into_string().ok()?))
        });
        Self::open_with(location, environment)
    }

    /// Like [`ImageStore::open`], with these settings in place of the environment's, under the same
    /// names. Names that the kind of bucket does not use are ignored.
    ///
    /// # Errors
    /// As [`ImageStore::open`].
    pub fn open_with(
        location: &ImageLocation,
        settings: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let shown_as = location.to_string();
        let refuse = |source: Box<dyn Error + Send + Sync>| ImageError::Store {
            action: "open the image store",
            location: shown_as.clone(),
            fault: fault_of(source.as_ref()),
            source,
        };
        let settings = settings.into_iter().map(|(name, value)| (name.to_lowercase(), value));
        // reqwest is built without ciphers of its own. A second call finds them installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (objects, folder): (Arc<dyn ObjectStore>, _) = match location {
            ImageLocation::Folder(folder) => {
                artifact::create_folder(folder).map_err(|error| refuse(error.into()))?;
                let folder = std::path::absolute(folder).map_err(|error| refuse(error.into()))?;
                let files = LocalFileSystem::new_with_prefix(&folder)
                    .map_err(|error| refuse(error.into()))?
                    .with_fsync(true);
                (Arc::new(files), Some(Arc::from(folder)))
            }
            ImageLocation::S3(url) => {
                let mut builder = AmazonS3Builder::new().with_url(url.as_str()).with_retry(RETRIES);
                for (name, value) in settings {
                    if let Ok(key) = name.parse() {
                        builder = builder.with_config(key, value);
                    }
                }
                let bucket = builder.build().map_err(|error| refuse(error.into()))?;
                (Arc::new(PrefixStore::new(bucket, url.path())), None)
            }
            ImageLocation::GoogleCloud(url) => {
                let mut builder =
                    GoogleCloudStorageBuilder::new().with_url(url.as_str()).with_retry(RETRIES);
                for (name, value) in settings {
                    if let Ok(key) = name.parse() {
                        builder = builder.with_config(key, value);
                    }
                }
                let bucket = builder.build().map_err(|error| refuse(error.into()))?;
                (Arc::new(PrefixStore::new(bucket, url.path())), None)
            }
        };
        Ok(Self { objects, folder, shown_as: shown_as.into() })
    }

    /// Stores an image and returns its digest. An image that is already stored stays, and its
    /// storage time starts again. If the process is killed, the image is stored completely or not
    /// at all.
    ///
    /// # Errors
    /// [`ImageError::Store`].
    pub async fn put(&self, image: Bytes) -> Result<Digest> {
        let digest = Digest::of(&image);
        self.objects
            .put(&key(&digest), image.into())
            .await
            .map_err(|error| self.failed("store an image", error))?;
        Ok(digest)
    }

    /// The bytes of an image, as they were stored.
    ///
    /// # Errors
    /// [`ImageError::Unknown`], [`ImageError::Damaged`] or [`ImageError::Store`].
    pub async fn get(&self, digest: Digest) -> Result<Bytes> {
        let read = async { self.objects.get(&key(&digest)).await?.bytes().await };
        let bytes = read.await.map_err(|error| match error {
            object_store::Error::NotFound { .. } => ImageError::Unknown(digest),
            error => self.failed("read an image", error),
        })?;
        if Digest::of(&bytes) == digest {
            Ok(bytes)
        } else {
            Err(ImageError::Damaged { digest, location: self.shown_as.to_string() })
        }
    }

    /// Removes an image. A missing image is fine.
    ///
    /// # Errors
    /// [`ImageError::Store`].
    pub async fn delete(&self, digest: Digest) -> Result<()> {
        match self.objects.delete(&key(&digest)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove an image", error)),
        }
    }

    /// Some of the images, in the order of their digests, from `from` on.
    ///
    /// # Errors
    /// [`ImageError::Store`].
    pub async fn page(&self, from: Option<Digest>, limit: PageLimit) -> Result<ImagePage> {
        let limit = limit.get() as usize;
        let first_shard = from.map_or(0, |digest| digest.as_bytes()[0]);
        let mut images = Vec::new();
        // Folders are not listed in order; a shard is small enough to be sorted here.
        for shard in first_shard..=u8::MAX {
            let prefix = Key::from(format!("{shard:02x}"));
            let mut some: Vec<StoredImage> = self
                .objects
                .list(Some(&prefix))
                .try_filter_map(async |object| Ok(stored_image(&object)))
                .try_collect()
                .await
                .map_err(|error| self.failed("list images", error))?;
            some.retain(|image| from.is_none_or(|from| image.digest >= from));
            some.sort_unstable_by_key(|image| image.digest);
            images.append(&mut some);
            if images.len() > limit {
                let next = images[limit].digest;
                images.truncate(limit);
                return Ok(ImagePage { images, next: Some(next) });
            }
        }
        Ok(ImagePage { images, next: None })
    }

    /// Removes the images that were last stored before `cutoff`, and returns them. Other objects
    /// are left alone.
    ///
    /// # Errors
    /// [`ImageError::Store`]; images removed before the error stay removed.
    pub async fn remove_older_than(&self, cutoff: Timestamp) -> Result<Vec<Digest>> {
        let failed = |error| self.failed("remove old images", error);
        let mut removed = Vec::new();
        let mut objects = self.objects.list(None);
        while let Some(object) = objects.try_next().await.map_err(failed)? {
            let Some(image) = stored_image(&object).filter(|image| image.stored_at < cutoff) else {
                continue;
            };
            // It may have been stored again since the listing.
            let again = match self.objects.head(&object.location).await {
                Err(object_store::Error::NotFound { .. }) => continue,
                found => stored_image(&found.map_err(failed)?),
            };
            if again.is_some_and(|image| image.stored_at < cutoff) {
                self.delete(image.digest).await?;
                removed.push(image.digest);
            }
        }
        if let Some(folder) = &self.folder {
            self.remove_unfinished(folder, cutoff).await?;
        }
        removed.sort_unstable();
        Ok(removed)
    }

    /// Whether the folder or bucket answers: for the readiness check.
    ///
    /// # Errors
    /// [`ImageError::Store`].
    pub async fn is_alive(&self) -> Result<()> {
        if let Some(folder) = &self.folder {
            let there = folder.metadata().map(|_| ());
            return there.map_err(|error| self.refused("look at the images", error.into()));
        }
        match self.objects.head(&key(&Digest::of(b""))).await {
            Ok(_) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("look at the images", error)),
        }
    }

    /// Removes partial files of processes that were killed while they stored an image.
    async fn remove_unfinished(&self, folder: &Arc<Path>, cutoff: Timestamp) -> Result<()> {
        let folder = Arc::clone(folder);
        let removing = tokio::task::spawn_blocking(move || {
            unfinished(&folder, cutoff.into())?.iter().try_for_each(std::fs::remove_file)
        });
        let done = match removing.await {
            Ok(done) => done.map_err(Into::into),
            Err(panic) => Err(panic.into()),
        };
        done.map_err(|error| self.refused("remove unfinished images", error))
    }

    fn failed(&self, action: &'static str, error: object_store::Error) -> ImageError {
        self.refused(action, error.into())
    }

    fn refused(&self, action: &'static str, source: Box<dyn Error + Send + Sync>) -> ImageError {
        let fault = fault_of(source.as_ref());
        ImageError::Store { action, location: self.shown_as.to_string(), fault, source }
    }
}

fn key(digest: &Digest) -> Key {
    let name = digest.to_string();
    Key::from(format!("{}/{name}", &name[..2]))
}

/// The image of an object; `None` for objects that were put there by others.
fn stored_image(object: &ObjectMeta) -> Option<StoredImage> {
    let digest: Digest = object.location.filename()?.parse().ok()?;
    if object.location != key(&digest) {
        return None;
    }
    let stored_at = Timestamp::from_microsecond(object.last_modified.timestamp_micros()).ok()?;
    Some(StoredImage { digest, bytes: object.size, stored_at })
}

/// Files that `LocalFileSystem` writes before it renames them, `<digest>#<number>`, and that have
/// not been changed since `cutoff`.
fn unfinished(folder: &Path, cutoff: SystemTime) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for shard in std::fs::read_dir(folder)? {
        let shard = shard?;
        if !shard.file_type()?.is_dir() {
            continue;
        }
        for file in std::fs::read_dir(shard.path())? {
            let file = file?;
            let name = file.file_name();
            let is_unfinished = name.to_str().and_then(|name| name.split_once('#')).is_some_and(
                |(digest, number)| {
                    digest.parse::<Digest>().is_ok() && number.parse::<u32>().is_ok()
                },
            );
            if is_unfinished && file.metadata()?.modified()? < cutoff {
                found.push(file.path());
            }
        }
    }
    Ok(found)
}

/// The fault from the operating system's error, if that is the cause.
fn fault_of(error: &(dyn Error + 'static)) -> Fault {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. },
        ) = error.downcast_ref()
        {
            return Fault::ReadOnly;
        }
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::StorageFull => Fault::Full,
                io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => Fault::Disk,
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    Fault::ReadOnly
                }
                io::ErrorKind::NotFound => Fault::Missing,
                _ => Fault::Unavailable,
            };
        }
        cause = error.source();
    }
    Fault::Unavailable
}
