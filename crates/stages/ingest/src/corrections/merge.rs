//! The effect of corrections: they only change training images.

use std::collections::{BTreeMap, BTreeSet};

use artifact::Digest;
use dataset::{ImageRecord, Split};
use serde::Serialize;

use crate::corrections::Corrections;
use crate::inspect::Unreadable;
use crate::split::{AssignedImage, Origin};

/// The images with the corrections among them.
#[derive(Debug)]
pub(crate) struct Merged {
    pub(crate) images: Vec<AssignedImage>,
    outcomes: Vec<Outcome>,
    files: usize,
    unreadable: Vec<Unreadable>,
}

/// The effect of a correction, and the correction itself.
#[derive(Debug)]
struct Outcome {
    /// The correction's file.
    file: String,
    /// The class that it gives.
    class: String,
    /// The image's position.
    image: usize,
    effect: Effect,
}

#[derive(Debug, PartialEq, Eq)]
enum Effect {
    /// It became this training image.
    Added,
    /// This image already has its content and its class.
    Known,
    /// This training image has its content, and got its class.
    Relabelled { was: String },
    /// This validation or test image has its content but another class, and keeps it.
    Disputed,
}

/// Corrections that leave a class without images.
#[derive(Debug, thiserror::Error)]
#[error("keep class {class}: corrections give every image of it another class")]
pub(crate) struct ClassLost {
    class: String,
}

impl Corrections {
    /// Adds the corrections to `images`, whose splits are already decided.
    ///
    /// A content that is in no split joins the training images. If an image has the content, a
    /// training image gets the correction's class. Validation and test images keep theirs, so that
    /// scores stay comparable; a person has to decide whether the label of such an image is wrong.
    /// The content is then not used for training, because it would be known before it is scored.
    pub(crate) fn merge(self, mut images: Vec<AssignedImage>) -> Result<Merged, ClassLost> {
        let classes: BTreeSet<String> = images.iter().map(|it| it.class().to_owned()).collect();
        let mut holders: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
        for (place, assigned) in images.iter().enumerate() {
            holders.entry(assigned.image.sha256).or_default().push(place);
        }
        let files = self.images.len() + self.unreadable.len();
        let mut outcomes = Vec::new();
        for image in self.images {
            let (file, class) = (image.file.path.clone(), image.file.class.clone());
            let places = holders.entry(image.sha256).or_default();
            let effects = if places.is_empty() {
                places.push(images.len());
                let origin = Origin::Correction { folder: self.folder.clone() };
                images.push(AssignedImage { image, split: Split::Train, origin });
                vec![(images.len() - 1, Effect::Added)]
            } else {
                places.iter().map(|place| (*place, apply(&class, &mut images[*place]))).collect()
            };
            outcomes.extend(effects.into_iter().map(|(image, effect)| Outcome {
                file: file.clone(),
                class: class.clone(),
                image,
                effect,
            }));
        }
        let left: BTreeSet<&str> = images.iter().map(AssignedImage::class).collect();
        match classes.into_iter().find(|class| !left.contains(class.as_str())) {
            Some(class) => Err(ClassLost { class }),
            None => Ok(Merged { images, outcomes, files, unreadable: self.unreadable }),
        }
    }
}

/// The effect of a correction on an image of the same content.
fn apply(class: &str, assigned: &mut AssignedImage) -> Effect {
    if assigned.class() == class {
        return Effect::Known;
    }
    if assigned.split != Split::Train {
        return Effect::Disputed;
    }
    let was = assigned.class().to_owned();
    assigned.origin = Origin::Relabelled { class: class.to_owned() };
    Effect::Relabelled { was }
}

/// `corrections` in `report.json`; every list is sorted by the correction's path.
#[derive(Debug, Serialize)]
pub(crate) struct CorrectionsReport {
    /// Corrections in the folder.
    pub(crate) files: usize,
    /// Those that became training images.
    pub(crate) added: Vec<Pair>,
    /// Training images whose class was changed.
    pub(crate) relabelled: Vec<RelabelledImage>,
    /// Images that already had the content and the class.
    pub(crate) known: Vec<Pair>,
    /// Validation and test images whose class differs from the correction's; they are unchanged.
    pub(crate) disputed: Vec<DisputedImage>,
    /// Left out, according to `ingest.on_unreadable: skip`.
    pub(crate) unreadable: Vec<Unreadable>,
}

/// A correction and the image of the same content.
#[derive(Debug, Serialize)]
pub(crate) struct Pair {
    /// In the folder of corrections.
    correction: String,
    /// In the manifest.
    path: String,
}

/// A training image whose class was wrong.
#[derive(Debug, Serialize)]
pub(crate) struct RelabelledImage {
    correction: String,
    path: String,
    /// The class from the source's folders.
    was: String,
    class: String,
}

/// A validation or test image whose class may be wrong.
#[derive(Debug, Serialize)]
pub(crate) struct DisputedImage {
    correction: String,
    path: String,
    split: Split,
    /// The class that it is scored by.
    class: String,
    /// The class from the correction.
    corrected: String,
}

impl Merged {
    /// The report, if there are any corrections. `records` are those of the images, in the same
    /// order.
    pub(crate) fn report(&self, records: &[ImageRecord]) -> Option<CorrectionsReport> {
        if self.files == 0 {
            return None;
        }
        let mut report = CorrectionsReport {
            files: self.files,
            added: Vec::new(),
            relabelled: Vec::new(),
            known: Vec::new(),
            disputed: Vec::new(),
            unreadable: self.unreadable.clone(),
        };
        for outcome in &self.outcomes {
            let record = &records[outcome.image];
            let (correction, path) = (outcome.file.clone(), record.path.clone());
            match &outcome.effect {
                Effect::Added => report.added.push(Pair { correction, path }),
                Effect::Known => report.known.push(Pair { correction, path }),
                Effect::Relabelled { was } => report.relabelled.push(RelabelledImage {
                    correction,
                    path,
                    was: was.clone(),
                    class: outcome.class.clone(),
                }),
                Effect::Disputed => report.disputed.push(DisputedImage {
                    correction,
                    path,
                    split: record.split,
                    class: record.class.clone(),
                    corrected: outcome.class.clone(),
                }),
            }
        }
        Some(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::Image;
    use crate::layout::LabelledFile;

    fn image(path: &str, class: &str, content: &str) -> Image {
        Image {
            file: LabelledFile { path: path.into(), split: None, class: class.into() },
            sha256: Digest::of(content.as_bytes()),
            width: 1,
            height: 1,
        }
    }

    fn assigned(split: Split, class: &str, content: &str) -> AssignedImage {
        AssignedImage { image: image(content, class, content), split, origin: Origin::Source }
    }

    /// Three splits of two classes.
    fn source() -> Vec<AssignedImage> {
        vec![
            assigned(Split::Train, "a", "train a"),
            assigned(Split::Train, "a", "another train a"),
            assigned(Split::Train, "b", "train b"),
            assigned(Split::Valid, "a", "valid a"),
            assigned(Split::Test, "b", "test b"),
        ]
    }

    fn merged(images: Vec<AssignedImage>, corrections: &[(&str, &str)]) -> Merged {
        let images_of =
            |(class, content): &(&str, &str)| image(&format!("{class}/{content}"), class, content);
        let corrections = Corrections {
            folder: "corrections".into(),
            images: corrections.iter().map(images_of).collect(),
            unreadable: Vec::new(),
        };
        corrections.merge(images).unwrap()
    }

    fn effects(merged: &Merged) -> Vec<(usize, &Effect)> {
        merged.outcomes.iter().map(|outcome| (outcome.image, &outcome.effect)).collect()
    }

    #[test]
    fn a_new_content_joins_the_training_images() {
        let merged = merged(source(), &[("b", "new")]);
        assert_eq!(effects(&merged), [(5, &Effect::Added)]);
        let added = &merged.images[5];
        assert_eq!((added.split, added.class()), (Split::Train, "b"));
        assert_eq!(merged.images[..5], source());
    }

    #[test]
    fn a_correction_that_agrees_with_any_split_is_left_out() {
        for (place, class, content) in
            [(0, "a", "train a"), (3, "a", "valid a"), (4, "b", "test b")]
        {
            let merged = merged(source(), &[(class, content)]);
            assert_eq!(effects(&merged), [(place, &Effect::Known)]);
            assert_eq!(merged.images, source());
        }
    }

    #[test]
    fn a_training_image_gets_the_class_of_its_correction() {
        let merged = merged(source(), &[("b", "train a")]);
        assert_eq!(effects(&merged), [(0, &Effect::Relabelled { was: "a".into() })]);
        assert_eq!(merged.images.len(), 5);
        assert_eq!((merged.images[0].split, merged.images[0].class()), (Split::Train, "b"));
    }

    #[test]
    fn an_image_that_is_scored_on_keeps_its_class_and_is_not_learnt_from() {
        for (place, class, content) in [(3, "b", "valid a"), (4, "a", "test b")] {
            let merged = merged(source(), &[(class, content)]);
            assert_eq!(effects(&merged), [(place, &Effect::Disputed)]);
            assert_eq!(merged.images, source());
        }
    }

    #[test]
    fn of_copies_in_several_splits_only_those_in_training_are_relabelled() {
        let mut images = source();
        images.push(assigned(Split::Train, "a", "test b"));
        let merged = merged(images, &[("b", "test b")]);
        assert_eq!(
            effects(&merged),
            [(4, &Effect::Known), (5, &Effect::Relabelled { was: "a".into() })]
        );
    }

    #[test]
    fn a_correction_that_is_there_twice_is_added_once() {
        let merged = merged(source(), &[("b", "new"), ("b", "new")]);
        assert_eq!(effects(&merged), [(5, &Effect::Added), (5, &Effect::Known)]);
        assert_eq!(merged.images.len(), 6);
    }

    #[test]
    fn corrections_may_not_empty_a_class() {
        let images =
            vec![assigned(Split::Train, "a", "train a"), assigned(Split::Train, "b", "train b")];
        let corrections =
            Corrections { images: vec![image("a/x", "a", "train b")], ..Corrections::default() };
        let message = corrections.merge(images).unwrap_err().to_string();
        assert!(message.contains("keep class b"), "{message}");
    }

    #[test]
    fn no_corrections_change_nothing_and_say_nothing() {
        let merged = Corrections::default().merge(source()).unwrap();
        assert_eq!(merged.images, source());
        assert!(merged.report(&[]).is_none());
    }
}
