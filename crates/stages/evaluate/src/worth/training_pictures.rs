//! The training images, read once: test images are compared with them, and probes use them as the
//! typical picture.

use dataset::{GroupNumber, Split, ValidatedManifest};
use imaging::{GreyLevels, Picture};
use rayon::prelude::*;
use scoring::{ImageError, read_file};

use super::thumbnail::Thumbnail;

/// Number of pictures that are read before their levels are added up: they are in memory at once.
const CHUNK: usize = 256;

/// The share of the training images whose shorter side is smaller than
/// [`TrainingPictures::common_side`].
const SMALLER: f64 = 0.05;

/// One training image.
pub(crate) struct TrainingPicture {
    /// Its path in the manifest.
    pub(crate) path: String,
    /// The name of its class.
    pub(crate) class: String,
    /// The group that it must stay with.
    pub(crate) group: GroupNumber,
    pub(crate) thumbnail: Thumbnail,
}

/// All of them.
pub(crate) struct TrainingPictures {
    pub(crate) pictures: Vec<TrainingPicture>,
    /// Share of each level of grey; every picture has the same weight.
    pub(crate) levels: GreyLevels,
    /// The number of pixels that nearly all of them have at least on their shorter side.
    pub(crate) common_side: u32,
}

/// The data kept of a picture.
struct Read {
    thumbnail: Thumbnail,
    levels: GreyLevels,
    shorter_side: u32,
}

impl Read {
    fn of(picture: &Picture) -> Self {
        Self {
            thumbnail: Thumbnail::of(picture),
            levels: GreyLevels::of(picture),
            shorter_side: picture.width().min(picture.height()),
        }
    }
}

impl TrainingPictures {
    /// Reads every image that the model was trained on. None if there are none.
    ///
    /// # Errors
    /// When one is missing, is not the ingested one, or cannot be decoded.
    pub(crate) fn read(validated: &ValidatedManifest) -> Result<Option<Self>, ImageError> {
        let manifest = validated.included();
        let groups = validated.by_path();
        let records: Vec<_> = manifest.split(Split::Train).collect();
        let bar = terminal::items_bar(records.len() as u64, "training images");
        let mut pictures = Vec::with_capacity(records.len());
        let mut shorter_sides = Vec::with_capacity(records.len());
        let mut means = Vec::new();
        for chunk in records.chunks(CHUNK) {
            let read = |record: &&dataset::ImageRecord| {
                Ok(Read::of(&read_file(&manifest.file_of(record), record.sha256)?))
            };
            let read: Vec<Result<Read, ImageError>> = chunk.par_iter().map(read).collect();
            let mut levels = Vec::with_capacity(chunk.len());
            for (record, read) in chunk.iter().zip(read) {
                let read = read?;
                pictures.push(TrainingPicture {
                    path: record.path.clone(),
                    class: record.class.clone(),
                    group: groups[record.path.as_str()].group,
                    thumbnail: read.thumbnail,
                });
                shorter_sides.push(read.shorter_side);
                levels.push(read.levels);
            }
            means.push((GreyLevels::mean(levels), chunk.len()));
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        let weighted = means.into_iter().filter_map(|(mean, count)| Some((mean?, count)));
        let Some(levels) = GreyLevels::weighted_mean(weighted) else { return Ok(None) };
        shorter_sides.sort_unstable();
        let place = (shorter_sides.len() as f64 * SMALLER) as usize;
        Ok(Some(Self { pictures, levels, common_side: shorter_sides[place] }))
    }
}
