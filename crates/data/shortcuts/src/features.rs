//! The numbers that baselines use.

use imaging::{ColourMode, GREY_BINS, PictureFormat};
use picture_checks::{Facts, THUMBNAIL_SIDE};

/// Rows and columns of the grid for thumbnails: each cell is the mean of 2×2 pixels of the
/// thumbnail. That is a quarter of the numbers, so that forests grow four times as fast.
pub(crate) const GRID: usize = 16;

/// The frame's width, in cells: an eighth of the picture on each side.
pub(crate) const FRAME: usize = 2;

/// A number that is known of every picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    /// In pixels.
    Width,
    /// In pixels.
    Height,
    /// Bytes of the file for each pixel.
    BytesPerPixel,
    /// 1 if the file has it, else 0.
    ColourMode(ColourMode),
    /// 1 if the file has it, else 0.
    Format(PictureFormat),
    /// Share of the pixels in a bin of grey.
    GreyShare(usize),
    /// Share of the pixels with a level of grey.
    LevelShare(usize),
    /// Mean grey of the picture, 0 to 255.
    MeanGrey,
    /// Mean grey of a cell of the grid, 0 to 255.
    Cell {
        /// From the left.
        column: usize,
        /// From the top.
        row: usize,
    },
}

impl Feature {
    /// Its value for a picture.
    pub(crate) fn of(self, facts: &Facts) -> f32 {
        match self {
            Self::Width => facts.width as f32,
            Self::Height => facts.height as f32,
            Self::BytesPerPixel => facts.bytes_per_pixel() as f32,
            Self::ColourMode(mode) => f32::from(u8::from(facts.colour_mode == mode)),
            Self::Format(format) => f32::from(u8::from(facts.format == format)),
            Self::GreyShare(bin) => facts.grey_histogram[bin] as f32,
            Self::LevelShare(level) => facts.level_shares.shares()[level],
            Self::MeanGrey => facts.mean_grey as f32,
            Self::Cell { column, row } => cell(facts, column, row),
        }
    }

    /// The metadata of the file, with the colour modes and formats that occur.
    pub(crate) fn metadata(training: &[&Facts]) -> Vec<Self> {
        let mut features = vec![Self::Width, Self::Height, Self::BytesPerPixel];
        for facts in training {
            for of_file in [Self::ColourMode(facts.colour_mode), Self::Format(facts.format)] {
                if !features.contains(&of_file) {
                    features.push(of_file);
                }
            }
        }
        features
    }

    /// The grey histogram.
    pub(crate) fn histogram() -> Vec<Self> {
        (0..GREY_BINS).map(Self::GreyShare).collect()
    }

    /// The grey histogram in all 256 levels.
    pub(crate) fn levels() -> Vec<Self> {
        (0..=255).map(Self::LevelShare).collect()
    }

    /// The whole picture as a grid, row by row.
    pub(crate) fn grid() -> Vec<Self> {
        let cells = (0..GRID).flat_map(|row| (0..GRID).map(move |column| (column, row)));
        cells.map(|(column, row)| Self::Cell { column, row }).collect()
    }

    /// The outermost cells of the grid.
    pub(crate) fn frame() -> Vec<Self> {
        let is_outer = |at: usize| !(FRAME..GRID - FRAME).contains(&at);
        let mut cells = Self::grid();
        cells.retain(|cell| {
            matches!(cell, Self::Cell { column, row } if is_outer(*column) || is_outer(*row))
        });
        cells
    }
}

fn cell(facts: &Facts, column: usize, row: usize) -> f32 {
    const PIXELS: usize = THUMBNAIL_SIDE / GRID;
    let levels = facts.thumbnail.levels();
    let rows = row * PIXELS..(row + 1) * PIXELS;
    let sum: u32 = rows
        .flat_map(|y| &levels[y * THUMBNAIL_SIDE + column * PIXELS..][..PIXELS])
        .map(|level| u32::from(*level))
        .sum();
    sum as f32 / (PIXELS * PIXELS) as f32
}

/// Drops the features that are the same for all pictures, since trees could not use them.
pub(crate) fn varying(mut features: Vec<Feature>, pictures: &[&Facts]) -> Vec<Feature> {
    features.retain(|feature| {
        let mut values = pictures.iter().map(|facts| feature.of(facts));
        values.next().is_some_and(|first| values.any(|value| value != first))
    });
    features
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::facts_of;

    #[test]
    fn the_frame_is_what_is_not_the_middle() {
        let frame = Feature::frame();
        assert_eq!(frame.len(), 16 * 16 - 12 * 12);
        assert!(frame.contains(&Feature::Cell { column: 15, row: 7 }));
        assert!(!frame.contains(&Feature::Cell { column: 13, row: 2 }));
    }

    #[test]
    fn a_cell_is_the_mean_of_its_pixels() {
        let facts = facts_of(32, 32, |x, y| if (x, y) == (31, 30) { 200 } else { 0 });
        assert_eq!(Feature::Cell { column: 15, row: 15 }.of(&facts), 50.0);
        assert_eq!(Feature::Cell { column: 14, row: 15 }.of(&facts), 0.0);
    }

    #[test]
    fn what_never_varies_is_not_looked_at() {
        let wide = facts_of(40, 30, |_, _| 9);
        let narrow = facts_of(20, 30, |_, _| 9);
        let pictures = [&wide, &narrow];
        let varying = varying(Feature::metadata(&pictures), &pictures);
        assert_eq!(varying, [Feature::Width, Feature::BytesPerPixel]);
    }
}
