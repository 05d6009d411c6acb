//! Decodes every image once, and computes its digest and size.

use std::path::Path;

use artifact::{Digest, IoError};
use config::OnUnreadable;
use imaging::SeenThrough;
use rayon::prelude::*;
use serde::Serialize;

use crate::layout::LabelledFile;
use crate::seen::WindowCounts;

/// An image that can be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) file: LabelledFile,
    pub(crate) sha256: Digest,
    pub(crate) width: u32,
    pub(crate) height: u32,
}

/// An image that cannot be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Unreadable {
    /// Relative to the source's folder.
    pub(crate) path: String,
    pub(crate) reason: String,
}

/// The results for the images.
#[derive(Debug)]
pub(crate) struct Inspection {
    pub(crate) images: Vec<Image>,
    pub(crate) unreadable: Vec<Unreadable>,
}

/// Images that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InspectError {
    #[error(transparent)]
    File(#[from] IoError),
    #[error("decode {count} of {total} images:\n{listed}repair or remove {pronoun}, or set ingest.on_unreadable: skip in params.yaml (--on-unreadable skip)",
        pronoun = if *count == 1 { "it" } else { "them" })]
    Unreadable { count: usize, total: usize, listed: String },
    #[error("keep class {class}: none of its images can be decoded; the first: {path}: {reason}")]
    ClassUnreadable { class: String, path: String, reason: String },
}

/// Decodes every image below `folder`, in parallel. The order of `files` is kept. A class without a
/// decodable image is refused.
pub(crate) fn decode_all(
    folder: &Path,
    files: Vec<LabelledFile>,
    on_unreadable: OnUnreadable,
) -> Result<Inspection, InspectError> {
    let (images, failed) = decode_each(folder, files, on_unreadable)?;
    refuse_lost_classes(&failed, &images)?;
    Ok(Inspection::new(images, failed))
}

/// Like [`decode_all`], for images without which every class still has some.
pub(crate) fn decode_additional(
    folder: &Path,
    files: Vec<LabelledFile>,
    on_unreadable: OnUnreadable,
) -> Result<Inspection, InspectError> {
    let (images, failed) = decode_each(folder, files, on_unreadable)?;
    Ok(Inspection::new(images, failed))
}

impl Inspection {
    fn new(images: Vec<Image>, failed: Vec<Failure>) -> Self {
        let unreadable = failed
            .into_iter()
            .map(|(file, reason)| Unreadable { path: file.path, reason })
            .collect();
        Self { images, unreadable }
    }
}

/// A file that cannot be decoded, and the reason.
type Failure = (LabelledFile, String);

fn decode_each(
    folder: &Path,
    files: Vec<LabelledFile>,
    on_unreadable: OnUnreadable,
) -> Result<(Vec<Image>, Vec<Failure>), InspectError> {
    let total = files.len();
    let progress = terminal::items_bar(total as u64, "decoding images");
    let outcomes: Vec<Result<Decoded, Failure>> = files
        .into_par_iter()
        .map(|file| {
            let outcome = decode(folder, file);
            progress.inc(1);
            outcome
        })
        .collect::<Result<_, IoError>>()?;
    progress.finish_and_clear();

    let mut images = Vec::with_capacity(total);
    let mut failed = Vec::new();
    let mut seen = WindowCounts::default();
    for outcome in outcomes {
        match outcome {
            Ok((image, through)) => {
                seen.count(through, &image.file.path);
                images.push(image);
            }
            Err(failure) => failed.push(failure),
        }
    }
    if let Some(warning) = seen.warning() {
        tracing::warn!("{warning}");
    }
    refuse_unreadable(&failed, total, on_unreadable)?;
    Ok((images, failed))
}

/// An image, and how its values became brightness if it is grey DICOM.
type Decoded = (Image, Option<SeenThrough>);

fn decode(folder: &Path, file: LabelledFile) -> Result<Result<Decoded, Failure>, IoError> {
    let bytes = artifact::read_bytes(&folder.join(&file.path))?;
    Ok(match imaging::decode(&bytes) {
        Ok(picture) => {
            let sha256 = Digest::of(&bytes);
            let (width, height) = (picture.width(), picture.height());
            Ok((Image { file, sha256, width, height }, picture.seen_through()))
        }
        Err(error) => Err((file, error.to_string())),
    })
}

fn refuse_unreadable(
    failed: &[Failure],
    total: usize,
    on_unreadable: OnUnreadable,
) -> Result<(), InspectError> {
    /// Number of files listed in the message; the rest is only counted.
    const LISTED: usize = 10;
    if failed.is_empty() || on_unreadable == OnUnreadable::Skip {
        return Ok(());
    }
    let mut listed: String = failed
        .iter()
        .take(LISTED)
        .map(|(file, reason)| format!("  {}: {reason}\n", file.path))
        .collect();
    if failed.len() > LISTED {
        listed.push_str(&format!("  … and {} more\n", failed.len() - LISTED));
    }
    Err(InspectError::Unreadable { count: failed.len(), total, listed })
}

fn refuse_lost_classes(failed: &[Failure], images: &[Image]) -> Result<(), InspectError> {
    let lost =
        failed.iter().find(|(file, _)| !images.iter().any(|image| image.file.class == file.class));
    match lost {
        None => Ok(()),
        Some((file, reason)) => Err(InspectError::ClassUnreadable {
            class: file.class.clone(),
            path: file.path.clone(),
            reason: reason.clone(),
        }),
    }
}
