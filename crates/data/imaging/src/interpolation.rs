use std::fmt;

use fast_image_resize::FilterType;
use serde::{Deserialize, Serialize};

/// The filter by which pictures are resized. Where a picture shrinks, it is widened by the scale, so
/// that fine structures do not turn into moiré: Pillow's filters, and torchvision's with
/// `antialias=True`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// The triangle filter.
    #[default]
    Bilinear,
    /// Cubic convolution with a = −0.5, as Pillow's `BICUBIC`.
    Bicubic,
}

impl Interpolation {
    /// Whether it is the bilinear one, which descriptions do not mention: it was once the only one.
    pub fn is_bilinear(&self) -> bool {
        *self == Self::Bilinear
    }

    pub(crate) fn filter(self) -> FilterType {
        match self {
            Self::Bilinear => FilterType::Bilinear,
            Self::Bicubic => FilterType::CatmullRom,
        }
    }
}

impl fmt::Display for Interpolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bilinear => "bilinear",
            Self::Bicubic => "bicubic",
        })
    }
}
