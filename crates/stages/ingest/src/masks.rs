//! Files that look like masks of other files: `scan_mask.png` beside `scan.png`, as in segmentation
//! sets. They are not meant for training.

use std::collections::BTreeSet;

use crate::layout::LabelledFile;

/// Endings of masks' names, before the extension, in any letter case; a number may follow.
const ENDINGS: [&str; 10] = [
    "_mask",
    "-mask",
    " mask",
    ".mask",
    "_seg",
    "-seg",
    "_segmentation",
    "_label",
    "_annotation",
    "_roi",
];

/// Images that look like masks of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Masks {
    /// Their number.
    pub(crate) count: usize,
    /// One of them.
    pub(crate) example: String,
    /// Patterns for `data.ignore_files` that leave them out.
    pub(crate) patterns: Vec<String>,
}

impl Masks {
    /// Finds files whose name is that of another file with an ending of [`ENDINGS`]; `None` if
    /// there are none.
    pub(crate) fn among(images: &[LabelledFile]) -> Option<Self> {
        let stems: BTreeSet<&str> = images.iter().map(|image| split_name(&image.path).0).collect();
        let mut found: Vec<(&str, String)> = Vec::new();
        for image in images {
            let (stem, extension) = split_name(&image.path);
            let unnumbered = stem.trim_end_matches(|letter: char| letter.is_ascii_digit());
            let unnumbered = unnumbered.trim_end_matches(['_', '-']);
            let ending = ENDINGS.iter().find_map(|ending| {
                let at = unnumbered.len().checked_sub(ending.len())?;
                let is_it = unnumbered.get(at..)?.eq_ignore_ascii_case(ending);
                (is_it && stems.contains(&unnumbered[..at])).then_some(*ending)
            });
            if let Some(ending) = ending {
                found.push((&image.path, format!("*{ending}*{extension}")));
            }
        }
        let (example, _) = found.first()?;
        let patterns: BTreeSet<String> = found.iter().map(|(_, pattern)| pattern.clone()).collect();
        Some(Self {
            count: found.len(),
            example: (*example).to_owned(),
            patterns: patterns.into_iter().collect(),
        })
    }

    /// Logs a warning.
    pub(crate) fn warn(&self) {
        let patterns = serde_json::to_string(&self.patterns).unwrap_or_default();
        tracing::warn!(
            "{} images look like masks of others, such as {}: they count as images of their class; \
             data.ignore_files: {patterns} in config.yaml leaves them out",
            self.count,
            self.example
        );
    }
}

/// A path without the extension of its file, and that extension with its dot.
fn split_name(path: &str) -> (&str, &str) {
    let name = path.rfind('/').map_or(0, |at| at + 1);
    match path[name..].rfind('.') {
        Some(at) if at > 0 => path.split_at(name + at),
        _ => (path, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(paths: &[&str]) -> Option<Masks> {
        let file = |path: &&str| LabelledFile {
            path: (*path).to_owned(),
            split: None,
            class: "benign".into(),
        };
        Masks::among(&paths.iter().map(file).collect::<Vec<_>>())
    }

    #[test]
    fn masks_are_told_by_the_scan_beside_them() {
        // As in the public set of breast ultrasound pictures.
        let found = masks(&[
            "benign/benign (1).png",
            "benign/benign (1)_mask.png",
            "benign/benign (2).png",
            "benign/benign (2)_mask.png",
            "benign/benign (2)_mask_1.png",
        ]);
        let found = found.expect("three masks");
        assert_eq!((found.count, found.example.as_str()), (3, "benign/benign (1)_mask.png"));
        assert_eq!(found.patterns, ["*_mask*.png"]);
    }

    #[test]
    fn a_name_alone_makes_no_mask() {
        assert_eq!(masks(&["a/1_mask.png", "a/2.png", "b/1.png"]), None);
        assert_eq!(masks(&["a/face_masks/1.png", "a/1.png"]), None);
    }
}
