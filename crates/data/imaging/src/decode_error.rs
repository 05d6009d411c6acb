use crate::PictureFormat;

/// Bytes that are not a usable picture. Reads after "failed to decode \<path\>: ".
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// A DICOM file without an image: a directory, a report, a plan.
    #[error("DICOM without a picture: {object}")]
    NoImage {
        /// The kind of object.
        object: String,
    },
    /// An unknown format.
    #[error(
        "not an image: starts with {starts_with}; \
         expected DICOM, PNG, JPEG, TIFF, BMP, GIF or WebP"
    )]
    NotAnImage {
        /// The first bytes: quoted if they are text, else in hexadecimal.
        starts_with: String,
    },
    /// The file ends too early.
    #[error("truncated {0}: the end of the file is missing; copy or download it again")]
    Truncated(PictureFormat),
    /// Width or height is zero.
    #[error("{format} of {width}×{height} pixels, which holds no picture")]
    NoPixels {
        /// Its format.
        format: PictureFormat,
        /// Announced width.
        width: u32,
        /// Announced height.
        height: u32,
    },
    /// More than [`DecodeOptions::max_pixels`](crate::DecodeOptions::max_pixels).
    #[error(
        "{format} of {width}×{height} pixels; more than {} are refused",
        in_megapixels(*max_pixels)
    )]
    TooLarge {
        /// Its format.
        format: PictureFormat,
        /// Announced width.
        width: u32,
        /// Announced height.
        height: u32,
        /// The limit.
        max_pixels: u64,
    },
    /// Decoding needs more memory than the picture's size explains.
    #[error("{0} that needs too much memory to decode; save it again with another program")]
    TooMuchMemory(PictureFormat),
    /// Its parts announce more work than a picture of its size needs.
    #[error("{format} that costs too much to decode: {reason}; save it again with another program")]
    TooCostly {
        /// Its format.
        format: PictureFormat,
        /// The part that exceeds the limit.
        reason: String,
    },
    /// The decoder, which is third-party code, panicked.
    #[error(
        "{format} that its decoder does not get through ({reason}); \
         save it again with another program"
    )]
    Panicked {
        /// Its format.
        format: PictureFormat,
        /// The message of the panic.
        reason: String,
    },
    /// Its description is missing or contradicts itself, so that the picture's look would be a
    /// guess.
    #[error("{format} whose picture is not clear: {reason}; correct it, or leave it out")]
    Unclear {
        /// Its format.
        format: PictureFormat,
        /// The unclear part.
        reason: String,
    },
    /// An unsupported feature of the format.
    #[error("{format} of a kind that is not supported: {reason}; {}", advice(*format))]
    Unsupported {
        /// Its format.
        format: PictureFormat,
        /// The feature.
        reason: String,
    },
    /// The content contradicts the format.
    #[error("damaged {format}: {reason}")]
    Damaged {
        /// Its format.
        format: PictureFormat,
        /// The decoder's message.
        reason: String,
    },
}

impl DecodeError {
    /// The error for bytes of an unknown format.
    pub(crate) fn not_an_image(bytes: &[u8]) -> Self {
        const SHOWN: usize = 16;

        if bytes.is_empty() {
            return Self::Empty;
        }
        let start = &bytes[..bytes.len().min(SHOWN)];
        let starts_with =
            if start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) {
                format!("{:?}", String::from_utf8_lossy(start))
            } else {
                let hexadecimal: Vec<String> =
                    start.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("the bytes {}", hexadecimal.join(" "))
            };
        Self::NotAnImage { starts_with }
    }
}

fn in_megapixels(pixels: u64) -> String {
    const MEGAPIXEL: u64 = 1_000_000;
    if pixels > 0 && pixels.is_multiple_of(MEGAPIXEL) {
        format!("{} megapixels", pixels / MEGAPIXEL)
    } else {
        pixels.to_string()
    }
}

fn advice(format: PictureFormat) -> &'static str {
    match format {
        PictureFormat::Dicom => "save it uncompressed, in grey or RGB",
        _ => "save it as an 8 or 16-bit PNG",
    }
}
