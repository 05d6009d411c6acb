//! Makes splits that the source lacks, by ratio: stratified, seeded, with duplicates kept together.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use artifact::Digest;
use config::SplitRatios;
use dataset::Split;
use serde::Serialize;

use crate::inspect::Image;

/// The origin of a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SplitOrigin {
    /// A folder of the source.
    Folder,
    /// Drawn here.
    Drawn,
    /// The source lacks it and its share is 0.
    Absent,
}

/// An image with its split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AssignedImage {
    pub(crate) image: Image,
    pub(crate) split: Split,
    pub(crate) origin: Origin,
}

/// The origin of an image, and of its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The source; the class comes from its folders.
    Source,
    /// The source; the class comes from a correction, and the one in `image.file` is wrong.
    Relabelled { class: String },
    /// The folder of corrections; the path of `image.file` is relative to it.
    Correction { folder: PathBuf },
}

impl AssignedImage {
    /// The class in use.
    pub(crate) fn class(&self) -> &str {
        match &self.origin {
            Origin::Relabelled { class } => class,
            Origin::Source | Origin::Correction { .. } => &self.image.file.class,
        }
    }
}

/// Every image with its split, and the origin of each split.
#[derive(Debug)]
pub(crate) struct Assignment {
    pub(crate) images: Vec<AssignedImage>,
    pub(crate) origins: BTreeMap<Split, SplitOrigin>,
}

/// Split folders without anything to train on.
#[derive(Debug, thiserror::Error)]
#[error(
    "split the images: the source has {} folders and no train folder to take the others out of; \
     rename one to train, or name the folder inside it in data.source.path to have all three drawn",
    present.join(" and ")
)]
pub(crate) struct NothingToTrainOn {
    present: Vec<&'static str>,
}

/// Gives every image a split. A split that the source has as a folder is unchanged. Missing splits
/// are drawn from the training images (from all images, if there are no split folders), class by
/// class, in the proportions of `ratios`.
///
/// The draw depends on `seed` and the images' contents: neither the order of the folder nor a
/// file's name has an effect, and files of the same content go to the same split.
pub(crate) fn assign(
    images: Vec<Image>,
    ratios: SplitRatios,
    seed: u64,
) -> Result<Assignment, NothingToTrainOn> {
    let present: BTreeSet<Split> = images.iter().filter_map(|image| image.file.split).collect();
    if !present.is_empty() && !present.contains(&Split::Train) {
        return Err(NothingToTrainOn { present: present.into_iter().map(Split::name).collect() });
    }
    let shares: Vec<(Split, f64)> =
        [(Split::Train, ratios.train), (Split::Valid, ratios.valid), (Split::Test, ratios.test)]
            .into_iter()
            .filter(|(split, _)| *split == Split::Train || !present.contains(split))
            .filter(|(_, share)| *share > 0.0)
            .collect();
    let origins = Split::ALL.map(|split| (split, origin(split, &present, &shares)));

    let (to_draw, kept): (Vec<Image>, Vec<Image>) =
        images.into_iter().partition(|image| matches!(image.file.split, None | Some(Split::Train)));
    let drawn = draw(&to_draw, &shares, seed);
    let assigned = to_draw.into_iter().zip(drawn);
    let kept = kept.into_iter().map(|image| {
        let split = image.file.split.unwrap_or(Split::Train);
        (image, split)
    });
    Ok(Assignment {
        images: assigned
            .chain(kept)
            .map(|(image, split)| AssignedImage { image, split, origin: Origin::Source })
            .collect(),
        origins: origins.into_iter().collect(),
    })
}

fn origin(split: Split, present: &BTreeSet<Split>, shares: &[(Split, f64)]) -> SplitOrigin {
    if present.contains(&split) {
        SplitOrigin::Folder
    } else if shares.iter().any(|(drawn, _)| *drawn == split) {
        SplitOrigin::Drawn
    } else {
        SplitOrigin::Absent
    }
}

/// The split of each image.
fn draw(images: &[Image], shares: &[(Split, f64)], seed: u64) -> Vec<Split> {
    let mut copies: BTreeMap<Digest, Vec<&Image>> = BTreeMap::new();
    for image in images {
        copies.entry(image.sha256).or_default().push(image);
    }
    // A content with two labels is drawn once, with the first of its classes.
    let mut strata: BTreeMap<&str, Vec<(Digest, usize)>> = BTreeMap::new();
    for (content, images) in &copies {
        let classes = images.iter().map(|image| image.file.class.as_str());
        if let Some(class) = classes.min() {
            strata.entry(class).or_default().push((*content, images.len()));
        }
    }
    let mut split_of: BTreeMap<Digest, Split> = BTreeMap::new();
    for contents in strata.values_mut() {
        contents.sort_by_key(|(content, _)| draw_key(seed, *content));
        draw_stratum(contents, shares, &mut split_of);
    }
    images.iter().map(|image| split_of[&image.sha256]).collect()
}

/// A content's position in the draw: a keyed hash, as good as a random number and the same wherever
/// the content occurs.
fn draw_key(seed: u64, content: Digest) -> Digest {
    Digest::of_fields([&seed.to_le_bytes()[..], content.as_bytes()])
}

/// Assigns contents in the order given: each to the split that lacks the largest part of its
/// target, among those with room for all its copies.
fn draw_stratum(
    contents: &[(Digest, usize)],
    shares: &[(Split, f64)],
    split_of: &mut BTreeMap<Digest, Split>,
) {
    let total = contents.iter().map(|(_, copies)| copies).sum();
    let wanted = apportion(total, contents.len(), shares);
    let mut lacking = wanted.clone();
    for (content, copies) in contents {
        let room = |place: &usize| lacking[*place] >= *copies;
        let part = |place: &usize| {
            // Rounded to a whole number, so that the order is total and the same everywhere.
            lacking[*place] * 1_000_000 / wanted[*place].max(1)
        };
        let fits =
            (0..shares.len()).filter(room).max_by_key(|place| (part(place), usize::MAX - place));
        let place = fits
            .or_else(|| (0..shares.len()).max_by_key(|place| (lacking[*place], usize::MAX - place)))
            .unwrap_or(0);
        lacking[place] = lacking[place].saturating_sub(*copies);
        split_of.insert(*content, shares[place].0);
    }
}

/// How many of `total` images each split is to have: largest remainders, and at least one each if
/// there are enough contents. Training comes first.
fn apportion(total: usize, contents: usize, shares: &[(Split, f64)]) -> Vec<usize> {
    let sum: f64 = shares.iter().map(|(_, share)| share).sum();
    let exact: Vec<f64> = shares.iter().map(|(_, share)| total as f64 * share / sum).collect();
    let mut counts: Vec<usize> = exact.iter().map(|count| count.floor() as usize).collect();
    let mut by_remainder: Vec<usize> = (0..shares.len()).collect();
    by_remainder.sort_by(|a, b| exact[*b].fract().total_cmp(&exact[*a].fract()).then(a.cmp(b)));
    let left_over = total.saturating_sub(counts.iter().sum());
    for place in by_remainder.into_iter().cycle().take(left_over) {
        counts[place] += 1;
    }
    for place in 0..counts.len().min(contents) {
        if counts[place] == 0
            && let Some(largest) = (0..counts.len()).max_by_key(|other| counts[*other])
        {
            counts[largest] -= 1;
            counts[place] += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::LabelledFile;

    const RATIOS: SplitRatios = SplitRatios { train: 0.7, valid: 0.15, test: 0.15 };

    fn image(name: &str, class: &str, split: Option<Split>, content: &str) -> Image {
        let path = format!("{class}/{name}");
        Image {
            file: LabelledFile { path, split, class: class.into() },
            sha256: Digest::of(content.as_bytes()),
            width: 1,
            height: 1,
        }
    }

    fn flat(class: &str, count: usize) -> Vec<Image> {
        (0..count)
            .map(|i| image(&format!("{i}.png"), class, None, &format!("{class} {i}")))
            .collect()
    }

    fn count(assignment: &Assignment, class: &str) -> [usize; 3] {
        Split::ALL.map(|split| {
            let images = assignment.images.iter();
            images.filter(|it| it.split == split && it.image.file.class == class).count()
        })
    }

    fn split_by_path(assignment: &Assignment) -> BTreeMap<String, Split> {
        let images = assignment.images.iter();
        images.map(|it| (it.image.file.path.clone(), it.split)).collect()
    }

    #[test]
    fn each_class_is_split_by_the_ratios() {
        let images = [flat("a", 100), flat("b", 20)].concat();
        let assignment = assign(images, RATIOS, 17).unwrap();
        assert_eq!(count(&assignment, "a"), [70, 15, 15]);
        assert_eq!(count(&assignment, "b"), [14, 3, 3]);
        assert_eq!(assignment.origins[&Split::Train], SplitOrigin::Drawn);
    }

    #[test]
    fn the_order_of_the_files_has_no_part_in_the_draw() {
        let images = flat("a", 50);
        let reversed: Vec<Image> = images.iter().rev().cloned().collect();
        let one = assign(images, RATIOS, 17).unwrap();
        let other = assign(reversed, RATIOS, 17).unwrap();
        assert_eq!(split_by_path(&one), split_by_path(&other));
    }

    #[test]
    fn another_seed_draws_otherwise() {
        let one = assign(flat("a", 50), RATIOS, 17).unwrap();
        let other = assign(flat("a", 50), RATIOS, 18).unwrap();
        assert_ne!(split_by_path(&one), split_by_path(&other));
    }

    #[test]
    fn copies_of_one_content_stay_together_even_across_classes() {
        let mut images: Vec<Image> = (0..60)
            .map(|i| image(&format!("{i}.png"), "a", None, &format!("content {}", i / 3)))
            .collect();
        images.extend(
            (0..20).map(|i| image(&format!("{i}.png"), "b", None, &format!("content {i}"))),
        );
        let assignment = assign(images, RATIOS, 17).unwrap();
        let mut splits: BTreeMap<Digest, BTreeSet<Split>> = BTreeMap::new();
        for it in &assignment.images {
            splits.entry(it.image.sha256).or_default().insert(it.split);
        }
        assert_eq!(splits.len(), 20);
        assert!(splits.values().all(|splits| splits.len() == 1));
        assert_eq!(assignment.images.len(), 80);
    }

    #[test]
    fn a_missing_valid_split_is_taken_out_of_train_alone() {
        let mut images: Vec<Image> = (0..85)
            .map(|i| image(&format!("{i}.png"), "a", Some(Split::Train), &i.to_string()))
            .collect();
        images.push(image("t.png", "a", Some(Split::Test), "t"));
        let assignment = assign(images, RATIOS, 17).unwrap();
        assert_eq!(count(&assignment, "a"), [70, 15, 1]);
        assert_eq!(assignment.origins[&Split::Train], SplitOrigin::Folder);
        assert_eq!(assignment.origins[&Split::Valid], SplitOrigin::Drawn);
        assert_eq!(assignment.origins[&Split::Test], SplitOrigin::Folder);
    }

    #[test]
    fn three_split_folders_are_kept_copies_included() {
        let images: Vec<Image> = Split::ALL
            .into_iter()
            .map(|split| image(split.name(), "a", Some(split), "the same"))
            .collect();
        let assignment = assign(images, RATIOS, 17).unwrap();
        assert_eq!(count(&assignment, "a"), [1, 1, 1]);
    }

    #[test]
    fn a_share_of_zero_makes_no_split() {
        let ratios = SplitRatios { train: 0.8, valid: 0.2, test: 0.0 };
        let assignment = assign(flat("a", 10), ratios, 17).unwrap();
        assert_eq!(count(&assignment, "a"), [8, 2, 0]);
        assert_eq!(assignment.origins[&Split::Test], SplitOrigin::Absent);
    }

    #[test]
    fn small_classes_are_in_every_split_they_can_be() {
        let three = assign(flat("a", 3), RATIOS, 17).unwrap();
        assert_eq!(count(&three, "a"), [1, 1, 1]);
        let one = assign(flat("a", 1), RATIOS, 17).unwrap();
        assert_eq!(count(&one, "a"), [1, 0, 0]);
    }

    #[test]
    fn apportioning_adds_up() {
        let shares = [(Split::Train, 0.7), (Split::Valid, 0.15), (Split::Test, 0.15)];
        for total in 0..200 {
            assert_eq!(apportion(total, total, &shares).iter().sum::<usize>(), total);
        }
        assert_eq!(apportion(7, 7, &shares), [5, 1, 1]);
    }

    #[test]
    fn a_test_folder_alone_is_refused() {
        let images = vec![image("a", "a", Some(Split::Test), "x")];
        let message = assign(images, RATIOS, 17).unwrap_err().to_string();
        assert!(message.contains("the source has test folders"), "{message}");
    }
}
