use serde::{Deserialize, Serialize};

use crate::Symmetry;

/// The part of one picture that another shows, as a rectangle in shares of the first picture's
/// width and height: 0 is its left or top border, 1 its right or bottom one.
///
/// Outside these borders lies what only the other picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frame {
    /// Position of the other picture's left border.
    pub left: f32,
    /// Position of its top border.
    pub top: f32,
    /// Position of its right border.
    pub right: f32,
    /// Position of its bottom border.
    pub bottom: f32,
}

impl Frame {
    /// All of a picture.
    pub const WHOLE: Self = Self { left: 0.0, top: 0.0, right: 1.0, bottom: 1.0 };

    /// Width in shares of the picture's width.
    pub fn width(self) -> f32 {
        self.right - self.left
    }

    /// Height in shares of the picture's height.
    pub fn height(self) -> f32 {
        self.bottom - self.top
    }

    /// The shares of the picture's sides that are cut off at the left, top, right and bottom.
    /// Negative if something is added.
    pub fn margins(self) -> [f32; 4] {
        [self.left, self.top, 1.0 - self.right, 1.0 - self.bottom]
    }

    /// The same part once the picture is turned.
    #[must_use]
    pub fn turned(self, symmetry: Symmetry) -> Self {
        let [x, y] = symmetry.map([self.left - 0.5, self.top - 0.5]);
        let [to_x, to_y] = symmetry.map([self.right - 0.5, self.bottom - 0.5]);
        Self {
            left: x.min(to_x) + 0.5,
            top: y.min(to_y) + 0.5,
            right: x.max(to_x) + 0.5,
            bottom: y.max(to_y) + 0.5,
        }
    }

    /// The part of the other picture that this one shows.
    #[must_use]
    pub fn inverse(self) -> Self {
        Self {
            left: -self.left / self.width(),
            top: -self.top / self.height(),
            right: (1.0 - self.left) / self.width(),
            bottom: (1.0 - self.top) / self.height(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Frame = Frame { left: 0.125, top: 0.0, right: 0.875, bottom: 0.75 };

    #[test]
    fn margins_turn_with_the_picture() {
        assert_eq!(FRAME.margins(), [0.125, 0.0, 0.125, 0.25]);
        // clockwise: what was at the bottom is at the left
        assert_eq!(FRAME.turned(Symmetry::Rotated90).margins(), [0.25, 0.125, 0.0, 0.125]);
        assert_eq!(FRAME.turned(Symmetry::MirroredTopBottom).margins(), [0.125, 0.25, 0.125, 0.0]);
    }

    #[test]
    fn the_inverse_of_a_crop_reaches_beyond_the_crop() {
        let inverse = FRAME.inverse();
        assert_eq!([inverse.top, inverse.bottom], [0.0, 1.0 / 0.75]);
        assert_eq!([inverse.left, inverse.right], [-0.125 / 0.75, 0.875 / 0.75]);
        assert!((inverse.inverse().left - 0.125).abs() < 1e-6);
    }
}
