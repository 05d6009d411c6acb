use std::fmt;

use fast_image_resize::PixelType;
use image::{ColorType, DynamicImage};
use serde::{Deserialize, Serialize};

use crate::PictureFormat;

/// A decoded picture, 8 or 16 bit a sample.
///
/// It stands for RGB values: grey counts as three equal channels and palettes are expanded; alpha
/// is dropped, not blended with any background; 16-bit samples keep their precision. The pixels
/// lie as the file stores them: an orientation that EXIF asks for is ignored, as Pillow and
/// Keras do.
#[derive(Clone)]
pub struct Picture {
    format: PictureFormat,
    colour_mode: ColourMode,
    // Samples stay in the channels of the file: resizing treats each channel alike, so grey needs
    // a third of the work, and neither expanding grey nor dropping alpha needs a copy.
    samples: DynamicImage,
    layout: PixelType,
}

/// How the file stores its colours. Shown by Pillow's names, with the bits where they are not 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColourMode {
    /// Grey, up to 8 bits.
    Grey,
    /// Grey with alpha.
    GreyAlpha,
    /// Red, green, blue; or the luminance and chrominance of JPEG and WebP, which mean the same.
    Rgb,
    /// Red, green, blue, alpha.
    Rgba,
    /// Numbers of a table of colours.
    Palette,
    /// Cyan, magenta, yellow, black, as printers use them; 8 or 16 bits.
    Cmyk,
    /// Grey, 16 bits.
    Grey16,
    /// Grey with alpha, 16 bits.
    GreyAlpha16,
    /// Red, green, blue, 16 bits.
    Rgb16,
    /// Red, green, blue, alpha, 16 bits.
    Rgba16,
}

impl Picture {
    /// Takes decoded samples, unless they are of a kind that has no meaning as grey values.
    pub(crate) fn new(
        format: PictureFormat,
        stored: Option<ColourMode>,
        samples: DynamicImage,
    ) -> Option<Self> {
        let (layout, plain) = match samples.color() {
            ColorType::L8 => (PixelType::U8, ColourMode::Grey),
            ColorType::La8 => (PixelType::U8x2, ColourMode::GreyAlpha),
            ColorType::Rgb8 => (PixelType::U8x3, ColourMode::Rgb),
            ColorType::Rgba8 => (PixelType::U8x4, ColourMode::Rgba),
            ColorType::L16 => (PixelType::U16, ColourMode::Grey16),
            ColorType::La16 => (PixelType::U16x2, ColourMode::GreyAlpha16),
            ColorType::Rgb16 => (PixelType::U16x3, ColourMode::Rgb16),
            ColorType::Rgba16 => (PixelType::U16x4, ColourMode::Rgba16),
            _ => return None,
        };
        Some(Self { format, colour_mode: stored.unwrap_or(plain), samples, layout })
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.samples.width()
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.samples.height()
    }

    /// What kind of file it came from.
    pub fn format(&self) -> PictureFormat {
        self.format
    }

    /// How that file stored its colours.
    pub fn colour_mode(&self) -> ColourMode {
        self.colour_mode
    }

    /// Samples in rows, channels interleaved as [`layout`](Self::layout) says.
    pub(crate) fn sample_bytes(&self) -> &[u8] {
        self.samples.as_bytes()
    }

    pub(crate) fn layout(&self) -> PixelType {
        self.layout
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = (self.width(), self.height());
        write!(f, "Picture({width}×{height} {} {})", self.colour_mode, self.format)
    }
}

impl fmt::Display for ColourMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Grey => "L",
            Self::GreyAlpha => "LA",
            Self::Rgb => "RGB",
            Self::Rgba => "RGBA",
            Self::Palette => "P",
            Self::Cmyk => "CMYK",
            Self::Grey16 => "L16",
            Self::GreyAlpha16 => "LA16",
            Self::Rgb16 => "RGB16",
            Self::Rgba16 => "RGBA16",
        })
    }
}
