use std::fmt;

use fast_image_resize::pixels::{U8, U8x3, U16, U16x3};
use image::DynamicImage;
use serde::{Deserialize, Serialize};

use crate::{PictureFormat, Window};

/// A decoded picture, 8 or 16 bits a sample.
///
/// It represents RGB values: grey counts as three equal channels and palettes are expanded; alpha
/// is dropped, not blended with any background; 16-bit samples keep their precision. The pixels are
/// upright, by the orientation of EXIF or TIFF, as in browsers; width and height are those of the
/// upright picture.
#[derive(Clone)]
pub struct Picture {
    format: PictureFormat,
    colour_mode: ColourMode,
    width: u32,
    height: u32,
    samples: Samples,
    window: Option<Window>,
    seen_through: Option<SeenThrough>,
}

/// How the values of a grey DICOM picture became brightness. If pictures of one set differ in it, a
/// model can distinguish them by that alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SeenThrough {
    /// The lung window over Hounsfield units.
    Lung,
    /// The window that was requested.
    Asked,
    /// The window in the file.
    OwnWindow,
    /// The lookup table in the file.
    OwnTable,
    /// From the lowest value of the picture to its highest.
    WholeRange,
}

impl fmt::Display for SeenThrough {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lung => "the lung window in Hounsfield units",
            Self::Asked => "the window asked for",
            Self::OwnWindow => "a window of their own",
            Self::OwnTable => "a lookup table of their own",
            Self::WholeRange => "a window from their lowest value to their highest",
        })
    }
}

/// Pixels in rows. Grey stays one channel until after resizing: a third of the work.
#[derive(Clone)]
pub(crate) enum Samples {
    Grey8(Vec<U8>),
    Rgb8(Vec<U8x3>),
    Grey16(Vec<U16>),
    Rgb16(Vec<U16x3>),
}

/// How the file stores its colours. Displayed by Pillow's names, with the number of bits if it is
/// not 8.
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
    /// Indices into a table of colours.
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
    /// Takes decoded pixels and drops their alpha. `stored` has the facts that they no longer show.
    /// `None` for samples that are not integers of 8 or 16 bits.
    pub(crate) fn new(
        format: PictureFormat,
        stored: Option<ColourMode>,
        pixels: &DynamicImage,
    ) -> Option<Self> {
        let (samples, decoded) = match pixels {
            DynamicImage::ImageLuma8(grey) => {
                (Samples::Grey8(grey.pixels().map(|p| U8::new(p.0[0])).collect()), ColourMode::Grey)
            }
            DynamicImage::ImageLumaA8(grey) => (
                Samples::Grey8(grey.pixels().map(|p| U8::new(p.0[0])).collect()),
                ColourMode::GreyAlpha,
            ),
            DynamicImage::ImageRgb8(rgb) => {
                (Samples::Rgb8(rgb.pixels().map(|p| U8x3::new(p.0)).collect()), ColourMode::Rgb)
            }
            DynamicImage::ImageRgba8(rgba) => (
                Samples::Rgb8(rgba.pixels().map(|p| U8x3::new(opaque(p.0))).collect()),
                ColourMode::Rgba,
            ),
            DynamicImage::ImageLuma16(grey) => (
                Samples::Grey16(grey.pixels().map(|p| U16::new(p.0[0])).collect()),
                ColourMode::Grey16,
            ),
            DynamicImage::ImageLumaA16(grey) => (
                Samples::Grey16(grey.pixels().map(|p| U16::new(p.0[0])).collect()),
                ColourMode::GreyAlpha16,
            ),
            DynamicImage::ImageRgb16(rgb) => {
                (Samples::Rgb16(rgb.pixels().map(|p| U16x3::new(p.0)).collect()), ColourMode::Rgb16)
            }
            DynamicImage::ImageRgba16(rgba) => (
                Samples::Rgb16(rgba.pixels().map(|p| U16x3::new(opaque(p.0))).collect()),
                ColourMode::Rgba16,
            ),
            _ => return None,
        };
        Some(Self {
            format,
            colour_mode: stored.unwrap_or(decoded),
            width: pixels.width(),
            height: pixels.height(),
            samples,
            window: None,
            seen_through: None,
        })
    }

    /// Takes the pixels of a DICOM file. `size` is width and height.
    pub(crate) fn from_dicom(
        colour_mode: ColourMode,
        [width, height]: [u32; 2],
        samples: Samples,
    ) -> Self {
        let (format, window, seen_through) = (PictureFormat::Dicom, None, None);
        Self { format, colour_mode, width, height, samples, window, seen_through }
    }

    /// The same, with the window or table that was used.
    pub(crate) fn seen(self, through: SeenThrough, window: Option<Window>) -> Self {
        Self { window, seen_through: Some(through), ..self }
    }

    /// The same with other samples, of the same size.
    pub(crate) fn with(self, change: impl FnOnce(Samples) -> Samples) -> Self {
        Self { samples: change(self.samples), ..self }
    }

    /// The same pixels in rows of another length. `size` is width and height.
    pub(crate) fn of_size(self, [width, height]: [u32; 2]) -> Self {
        Self { width, height, ..self }
    }

    /// Width in pixels, at least 1.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, at least 1.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The format of the file it came from.
    pub fn format(&self) -> PictureFormat {
        self.format
    }

    /// How that file stored its colours.
    pub fn colour_mode(&self) -> ColourMode {
        self.colour_mode
    }

    /// The window that was applied to its values. Only grey DICOM pictures have one, and not those
    /// with a lookup table.
    pub fn window(&self) -> Option<Window> {
        self.window
    }

    /// How its values became brightness. Only the grey pictures of DICOM have this.
    pub fn seen_through(&self) -> Option<SeenThrough> {
        self.seen_through
    }

    pub(crate) fn samples(&self) -> &Samples {
        &self.samples
    }
}

fn opaque<T>([red, green, blue, _alpha]: [T; 4]) -> [T; 3] {
    [red, green, blue]
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { width, height, colour_mode, format, .. } = self;
        write!(f, "Picture({width}×{height} {colour_mode} {format})")
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
