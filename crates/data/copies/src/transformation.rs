use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Frame, Symmetry};

/// A border that moved by less, in shares of a side, counts as unmoved: this is the alignment's
/// accuracy.
const LEAST_CROP: f32 = 0.006;

/// A side that changed by less, beyond a pixel and a half of rounding, counts as not resized.
const LEAST_RESIZE: f32 = 0.012;

/// Contrast that changed by less counts as unchanged.
const LEAST_CONTRAST: f32 = 0.05;

/// Brightness, from 0 to 1, that moved by less counts as unchanged: three of 255 levels.
const LEAST_BRIGHTNESS: f32 = 3.0 / 255.0;

/// A share of the structure above which a copy was altered in places, drawn on for instance.
const LEAST_ALTERED: f32 = 0.015;

/// How a copy was made from its original, as far as the pixels show.
///
/// First it is cropped, then turned, then resized.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transformation {
    /// The part of the original that the copy shows.
    pub frame: Frame,
    /// How the part was turned.
    pub symmetry: Symmetry,
    /// Pixels of the copy for each of the original's, along the original's width and height.
    pub scale: [f32; 2],
    /// How much stronger contrasts are in the copy: 1 for as strong.
    pub contrast: f32,
    /// How much brighter the copy's black is, from −1 to 1.
    pub brightness: f32,
    /// The share of the structure that shows something else.
    pub altered_share: f32,
    /// Width and height of the original in pixels, which define when it counts as resized.
    pub original_size: [u32; 2],
}

/// One change of a picture; its `Display` names it in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Turned or mirrored.
    Turned(Symmetry),
    /// Parts along the borders were cut off.
    Cropped,
    /// One side was cut off and another shows more: two crops of one picture.
    Reframed,
    /// The same content in more or fewer pixels.
    Resized,
    /// Brighter or darker, with more or less contrast.
    Toned,
    /// Something was drawn on it, or covered.
    Altered,
    /// No change except by compression.
    Recompressed,
}

impl Transformation {
    /// The changes, in a fixed order; at least one.
    pub fn changes(&self) -> Vec<Change> {
        let margins = self.frame.margins();
        let is_extended = margins.into_iter().any(|margin| margin < -LEAST_CROP);
        let is_cropped = margins.into_iter().any(|margin| margin > LEAST_CROP);
        let changes = [
            (self.symmetry != Symmetry::Identity, Change::Turned(self.symmetry)),
            (is_cropped && !is_extended, Change::Cropped),
            (is_extended, Change::Reframed),
            (self.is_resized(), Change::Resized),
            (self.is_toned(), Change::Toned),
            (self.altered_share > LEAST_ALTERED, Change::Altered),
        ];
        let mut changes: Vec<Change> =
            changes.into_iter().filter(|(is_so, _)| *is_so).map(|(_, change)| change).collect();
        if changes.is_empty() {
            changes.push(Change::Recompressed);
        }
        changes
    }

    fn is_resized(&self) -> bool {
        let shown = [self.frame.width(), self.frame.height()];
        (0..2).any(|axis| {
            let pixels = shown[axis] * self.original_size[axis] as f32;
            let moved = (self.scale[axis] - 1.0).abs() * pixels;
            moved > 1.5 + LEAST_RESIZE * pixels
        })
    }

    fn is_toned(&self) -> bool {
        (self.contrast - 1.0).abs() > LEAST_CONTRAST || self.brightness.abs() > LEAST_BRIGHTNESS
    }
}

impl fmt::Display for Transformation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, change) in self.changes().into_iter().enumerate() {
            f.write_str(if at == 0 { "" } else { ", " })?;
            match change {
                Change::Resized => {
                    let percent = self.scale.map(|scale| (100.0 * scale).round());
                    let [across, down] = percent;
                    if (across - down).abs() <= 2.0 {
                        write!(f, "resized to {across} %")?;
                    } else {
                        write!(f, "resized to {across} % of the width and {down} % of the height")?;
                    }
                }
                change => change.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Turned(symmetry) => symmetry.fmt(f),
            Self::Cropped => f.write_str("cropped"),
            Self::Reframed => f.write_str("cropped differently"),
            Self::Resized => f.write_str("resized"),
            Self::Toned => f.write_str("brightness or contrast changed"),
            Self::Altered => f.write_str("altered in places"),
            Self::Recompressed => f.write_str("compressed again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Transformation = Transformation {
        frame: Frame::WHOLE,
        symmetry: Symmetry::Identity,
        scale: [1.0, 1.0],
        contrast: 1.0,
        brightness: 0.0,
        altered_share: 0.0,
        original_size: [200, 100],
    };

    #[test]
    fn a_copy_to_which_nothing_was_done_was_compressed_again() {
        assert_eq!(NOTHING.changes(), [Change::Recompressed]);
        assert_eq!(NOTHING.to_string(), "compressed again");
    }

    #[test]
    fn all_that_was_done_is_said_in_a_fixed_order() {
        let all = Transformation {
            frame: Frame { left: 0.02, ..Frame::WHOLE },
            symmetry: Symmetry::Rotated90,
            scale: [0.5, 0.25],
            contrast: 1.2,
            altered_share: 0.05,
            ..NOTHING
        };
        assert_eq!(
            all.to_string(),
            "turned by 90° clockwise, cropped, resized to 50 % of the width and 25 % of the height, \
             brightness or contrast changed, altered in places"
        );
        let [even, across] =
            [[0.5, 0.51], [1.4, 0.7]].map(|scale| Transformation { scale, ..NOTHING });
        assert_eq!(even.to_string(), "resized to 50 %");
        assert_eq!(across.changes(), [Change::Resized]);
    }

    #[test]
    fn two_crops_of_one_picture_are_reframed() {
        let frame = Frame { left: 0.03, right: 1.03, ..Frame::WHOLE };
        let reframed = Transformation { frame, ..NOTHING };
        assert_eq!(reframed.changes(), [Change::Cropped, Change::Reframed][1..]);
        assert_eq!(reframed.to_string(), "cropped differently");
    }

    #[test]
    fn rounding_to_whole_pixels_is_no_resizing() {
        // 1.5 pixels and 1.2 % of 100: 2.7
        let scaled = |scale| Transformation { scale: [1.0, scale], ..NOTHING }.changes();
        assert_eq!(scaled(1.026), [Change::Recompressed]);
        assert_eq!(scaled(1.028), [Change::Resized]);
    }

    #[test]
    fn tones_that_moved_a_little_did_not() {
        let toned = |contrast, brightness| {
            Transformation { contrast, brightness, ..NOTHING }.changes() == [Change::Toned]
        };
        assert!(!toned(1.04, 0.01) && !toned(0.96, -0.01));
        assert!(toned(0.94, 0.0) && toned(1.0, -0.02));
    }
}
