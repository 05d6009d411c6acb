//! Exports corrected images for `ingest`.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use imaging::looks_like_image;
use prediction_store::Digest;

use crate::records::Records;

/// Writes every stored image that was corrected to `<folder>/<class>/<sha256>.<format>`, where
/// `ingest` finds it. Returns their number, and the number of corrections without a stored image.
///
/// # Errors
/// When the store cannot be reached, or a file cannot be written.
pub(crate) async fn export(records: &Records, folder: &Path) -> Result<(usize, usize)> {
    let mut classes: BTreeMap<Digest, String> = BTreeMap::new();
    let mut without_image = 0;
    // The oldest first: of several for the same image the last counts.
    for correction in records.store.corrections(None).await? {
        if correction.image_stored {
            classes.insert(correction.image_sha256, correction.corrected);
        } else {
            without_image += 1;
        }
    }
    for (digest, class) in &classes {
        let Ok(image) = records.image(*digest).await else {
            anyhow::bail!("export the corrected image {digest}: it cannot be read")
        };
        let format = looks_like_image(&image).context("tell the format of a kept image")?;
        let name = format!("{digest}.{}", format.extension());
        remove_from_other_classes(folder, class, &name)?;
        artifact::write_file(&folder.join(class).join(name), &image)?;
    }
    Ok((classes.len(), without_image))
}

/// A correction that was corrected again is removed from its former class.
fn remove_from_other_classes(folder: &Path, class: &str, name: &str) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let other = entry.with_context(|| format!("list {}", folder.display()))?.path();
        let file = other.join(name);
        if other.file_name().is_some_and(|other| other != class) && file.is_file() {
            std::fs::remove_file(&file).with_context(|| format!("remove {}", file.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_in_one_class_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = |class: &str| folder.path().join(class).join("1.png");
        for class in ["a", "b"] {
            artifact::write_file(&file(class), b"x").unwrap();
        }
        remove_from_other_classes(folder.path(), "b", "1.png").unwrap();
        assert!(!file("a").exists() && file("b").exists());
        remove_from_other_classes(&folder.path().join("missing"), "b", "1.png").unwrap();
    }
}
