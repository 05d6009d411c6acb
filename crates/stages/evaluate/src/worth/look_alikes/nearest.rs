//! The nearest training image of each test image, and the similarity from which on two pictures
//! count as look-alikes.

use artifact::Digest;
use rayon::prelude::*;

use crate::worth::thumbnail::Thumbnail;
use crate::worth::training_pictures::TrainingPicture;

/// Number of training images that the threshold is based on, at most; a sample of this size is
/// drawn from more. Each is compared with all others.
const MOST_ASKED: usize = 2_000;

/// Share of the training images whose similarity to the nearest image of another class may exceed
/// the threshold.
const EXCEEDING: f64 = 0.01;

/// The nearest of some pictures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Nearest {
    /// Its position among them.
    pub(crate) picture: usize,
    /// See [`Thumbnail::similarity`].
    pub(crate) similarity: f64,
}

/// The nearest of `pictures` to each thumbnail; of equals the first.
pub(crate) fn nearest(thumbnails: &[Thumbnail], pictures: &[TrainingPicture]) -> Vec<Nearest> {
    let of = |thumbnail: &Thumbnail| nearest_of(thumbnail, pictures.iter().enumerate());
    thumbnails.par_iter().filter_map(of).collect()
}

fn nearest_of<'a>(
    thumbnail: &Thumbnail,
    among: impl Iterator<Item = (usize, &'a TrainingPicture)>,
) -> Option<Nearest> {
    among
        .map(|(picture, it)| Nearest { picture, similarity: thumbnail.similarity(&it.thumbnail) })
        .reduce(|best, it| if it.similarity > best.similarity { it } else { best })
}

/// The similarity above which two pictures count as look-alikes. One training image in a hundred
/// exceeds it with its nearest training image *of another class* and another group.
///
/// Two images of different classes are usually of two patients, so this is the similarity that two
/// patients can reach among so many images. It is computed on the training split alone, before any
/// test image is read. `None` if training has only one class.
pub(crate) fn threshold(pictures: &[TrainingPicture], seed: u64) -> Option<f64> {
    let mut nearest: Vec<f64> = asked(pictures, seed)
        .into_par_iter()
        .filter_map(|picture| {
            let others = pictures.iter().enumerate();
            let others = others
                .filter(|(_, other)| other.class != picture.class && other.group != picture.group);
            nearest_of(&picture.thumbnail, others).map(|it| it.similarity)
        })
        .collect();
    nearest.sort_by(f64::total_cmp);
    let exceeding = (nearest.len() as f64 * EXCEEDING) as usize;
    nearest.len().checked_sub(1 + exceeding).map(|place| nearest[place])
}

fn asked(pictures: &[TrainingPicture], seed: u64) -> Vec<&TrainingPicture> {
    let mut drawn: Vec<(Digest, &TrainingPicture)> = pictures
        .iter()
        .map(|it| {
            let fields = [&seed.to_le_bytes()[..], b"look-alikes", it.path.as_bytes()];
            (Digest::of_fields(fields), it)
        })
        .collect();
    drawn.sort_by_key(|(key, _)| *key);
    drawn.into_iter().take(MOST_ASKED).map(|(_, picture)| picture).collect()
}

/// Positions of the training images that look like a test image.
pub(crate) fn look_alikes(
    thumbnails: &[Thumbnail],
    pictures: &[TrainingPicture],
    threshold: f64,
) -> Vec<usize> {
    let is_alike = |picture: &TrainingPicture| {
        thumbnails.iter().any(|it| it.similarity(&picture.thumbnail) > threshold)
    };
    let places = (0..pictures.len()).into_par_iter();
    places.filter(|place| is_alike(&pictures[*place])).collect()
}
