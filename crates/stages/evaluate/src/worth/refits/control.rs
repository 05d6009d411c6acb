//! The control for the training without copies: as many images of each class, copies included.

use std::collections::{BTreeMap, BTreeSet};

use artifact::Digest;
use dataset::{GroupNumber, ImageRecord, Manifest, Split};

/// Training images with a copy outside training, by path, each with its group of copies.
pub(crate) type Copies = BTreeMap<String, GroupNumber>;

/// The order in which training images are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Turn {
    /// It is not a copy.
    NoCopy,
    /// Another copy of the same picture may stay.
    Spare,
    /// The last of its copies.
    LastCopy,
}

/// The manifest less as many training images of each class as there are copies in it.
///
/// Images that are not copies are left out first, then spare copies, and the last copy of a picture
/// only if there is nothing else. The two trainings then differ in the images they use, never in
/// the number of images of a class. If last copies must be left out, the effect is underestimated.
/// `key` decides which of several is left out.
pub(crate) fn control(
    manifest: &Manifest,
    copies: &Copies,
    key: impl Fn(&ImageRecord) -> Digest,
) -> Manifest {
    let mut drawn: Vec<(Digest, &ImageRecord)> =
        manifest.split(Split::Train).map(|image| (key(image), image)).collect();
    drawn.sort_by_key(|(key, _)| *key);

    let mut last_copies = BTreeSet::new();
    let mut by_class: BTreeMap<&str, Vec<(Turn, &str)>> = BTreeMap::new();
    for (_, image) in drawn {
        let turn = match copies.get(&image.path) {
            None => Turn::NoCopy,
            Some(group) if last_copies.insert(*group) => Turn::LastCopy,
            Some(_) => Turn::Spare,
        };
        by_class.entry(&image.class).or_default().push((turn, &image.path));
    }
    let mut left_out = BTreeSet::new();
    for images in by_class.values_mut() {
        let wanted = images.iter().filter(|(turn, _)| *turn != Turn::NoCopy).count();
        // Stable: within a turn, images stay in the order of the draw.
        images.sort_by_key(|(turn, _)| *turn);
        left_out.extend(images[..wanted].iter().map(|(_, path)| *path));
    }
    manifest.filtered(|image| !left_out.contains(image.path.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Training images of one class: each with the number of the copies it belongs to, if any.
    fn manifest(images: &[Option<u32>]) -> (Manifest, Copies) {
        let path = |number: usize| format!("train/a/{number}.png");
        let record = |number| ImageRecord {
            path: path(number),
            split: Split::Train,
            class: "a".into(),
            sha256: Digest::of(b""),
            width: 1,
            height: 1,
        };
        let copies = images.iter().enumerate();
        let copies =
            copies.filter_map(|(number, group)| Some((path(number), GroupNumber((*group)?))));
        (Manifest::new("", (0..images.len()).map(record).collect()), copies.collect())
    }

    /// The groups of the remaining images, `None` for images that are not copies.
    fn left(images: &[Option<u32>], seed: u8) -> Vec<Option<u32>> {
        let (manifest, copies) = manifest(images);
        let key = |image: &ImageRecord| Digest::of_fields([&[seed][..], image.path.as_bytes()]);
        let control = control(&manifest, &copies, key);
        let group = |image: &ImageRecord| copies.get(&image.path).map(|group| group.0);
        let mut groups: Vec<_> = control.records().iter().map(group).collect();
        groups.sort();
        groups
    }

    #[test]
    fn images_that_are_no_copies_go_first() {
        let images = [Some(0), Some(1), None, None, None];
        assert_eq!(left(&images, 1), [None, Some(0), Some(1)]);
    }

    #[test]
    fn then_spare_copies_so_that_every_picture_keeps_one() {
        // Four copies and one other image: one image must remain, as without the copies.
        let images = [Some(0), Some(0), Some(0), Some(0), None];
        assert_eq!(left(&images, 1), [Some(0)]);
        let images = [Some(0), Some(0), Some(1), Some(1), None, None];
        assert_eq!(left(&images, 1), [Some(0), Some(1)]);
    }

    #[test]
    fn a_class_is_never_larger_than_without_the_copies() {
        let images = [Some(0), Some(1), Some(2), None];
        for seed in 0..10 {
            let left = left(&images, seed);
            assert!(left.len() == 1 && left[0].is_some(), "{left:?}");
        }
    }

    #[test]
    fn the_key_decides_which_of_them_go() {
        let images: Vec<_> = (0..40).map(|number| (number < 10).then_some(number)).collect();
        let (manifest, copies) = manifest(&images);
        let of = |seed: u8| {
            let key = |image: &ImageRecord| Digest::of_fields([&[seed][..], image.path.as_bytes()]);
            control(&manifest, &copies, key)
        };
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
