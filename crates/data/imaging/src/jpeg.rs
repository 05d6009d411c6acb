//! The markers of a JPEG (ITU-T T.81 annex B), read before a decoder starts.

use image::{ColorType, DynamicImage, GrayImage, RgbImage};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use crate::limits::{MOST_JPEG_COMPONENTS, MOST_JPEG_PASSES, MOST_JPEG_SCANS};
use crate::{DecodeError, PictureFormat};

/// Decodes a file to grey or RGB. Damaged coded data is refused; `image`, which uses the same
/// decoder, would silently fill the rest of the picture with grey.
pub(crate) fn pixels(bytes: &[u8], color: ColorType) -> Result<DynamicImage, DecodeError> {
    const FORMAT: PictureFormat = PictureFormat::Jpeg;
    let explain = |error: DecodeErrors| {
        let reason = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        match error {
            DecodeErrors::Unsupported(_) => DecodeError::Unsupported { format: FORMAT, reason },
            _ => DecodeError::Damaged { format: FORMAT, reason },
        }
    };
    let is_grey = matches!(color, ColorType::L8);
    // Headers are read as leniently as elsewhere.
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(if is_grey { ColorSpace::Luma } else { ColorSpace::RGB });
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(explain)?;
    decoder.set_options(options.set_strict_mode(true));
    let samples = decoder.decode().map_err(explain)?;
    let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
    let (width, height) = decoder.dimensions().map_or((0, 0), |(w, h)| (side(w), side(h)));
    let pixels = if is_grey {
        GrayImage::from_raw(width, height, samples).map(DynamicImage::from)
    } else {
        RgbImage::from_raw(width, height, samples).map(DynamicImage::from)
    };
    pixels.ok_or_else(|| DecodeError::Damaged {
        format: FORMAT,
        reason: "its decoder gives another number of samples than it has pixels".to_owned(),
    })
}

/// The result of a walk over the markers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Markers {
    /// Width and height in pixels; if the height is 0, it follows the first scan.
    pub(crate) size: [u16; 2],
    /// The first start of frame: `C0` baseline, `C2` progressive, `C3` lossless, …
    pub(crate) process: Option<u8>,
    /// Bits of a sample.
    pub(crate) bits: u8,
    /// Names of the components, such as `RGB` or 1, 2, 3.
    pub(crate) components: Vec<u8>,
    pub(crate) scans: usize,
    pub(crate) has_jfif: bool,
    /// The colours that the Adobe marker states: 0 none, 1 `YCbCr`, 2 `YCCK`.
    pub(crate) adobe_transform: Option<u8>,
    /// Whether the end mark exists.
    pub(crate) complete: bool,
}

impl Markers {
    /// Walks through the segments, each of a marker and, for most, a length (big endian, including
    /// itself) and content. Coded bytes follow a start of scan; in them, `FF 00` and restart
    /// markers do not end the scan.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        const END_OF_IMAGE: u8 = 0xd9;
        const START_OF_SCAN: u8 = 0xda;
        const APP0: u8 = 0xe0;
        const APP14: u8 = 0xee;

        let mut found = Self::default();
        let mut rest = bytes.get(2..).unwrap_or_default();
        loop {
            // Bytes between segments are coded data, or padding that decoders also skip.
            let Some(at) = next_marker(rest) else { return found };
            let marker = rest[at + 1];
            rest = &rest[at + 2..];
            if marker == END_OF_IMAGE {
                return Self { complete: true, ..found };
            }
            let Some(length) = rest.first_chunk::<2>() else { return found };
            let Some((segment, next)) =
                rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
            else {
                return found;
            };
            match marker {
                START_OF_SCAN => found.scans += 1,
                APP0 => found.has_jfif |= segment.get(2..7) == Some(b"JFIF\0"),
                APP14 if segment.get(2..7) == Some(b"Adobe") => {
                    found.adobe_transform = segment.get(13).copied();
                }
                _ if is_start_of_frame(marker) => found.read_frame(marker, segment),
                _ => {}
            }
            rest = next;
        }
    }

    /// Length, bits a sample, height, width, number of components, and three bytes for each.
    fn read_frame(&mut self, marker: u8, segment: &[u8]) {
        if self.process.is_some() {
            return;
        }
        self.process = Some(marker);
        let word = |at: usize| {
            let bytes = segment.get(at..).and_then(|rest| rest.first_chunk::<2>());
            bytes.map_or(0, |bytes| u16::from_be_bytes(*bytes))
        };
        self.bits = segment.get(2).copied().unwrap_or(0);
        self.size = [word(5), word(3)];
        let count = usize::from(segment.get(7).copied().unwrap_or(0));
        self.components = segment.iter().skip(8).step_by(3).take(count).copied().collect();
    }

    /// The kind of JPEG, if it is not one that is read as a file of its own.
    pub(crate) fn unsupported(&self) -> Option<String> {
        let kind = match self.process? {
            0xc0..=0xc2 if self.bits == 8 => return None,
            0xc0..=0xc2 => return Some(format!("{} bits a sample", self.bits)),
            0xc3 => "lossless coding",
            0xc5..=0xc7 => "hierarchical coding",
            0xf7 => "JPEG-LS",
            _ => "arithmetic coding",
        };
        Some(kind.to_owned())
    }

    /// The reason why decoding would cost more than a picture of its size should, if it would.
    pub(crate) fn excess(&self, max_pixels: u64) -> Option<String> {
        let most = usize::from(MOST_JPEG_COMPONENTS);
        if self.components.len() > most {
            return Some(format!(
                "a JPEG of {} components; more than {most} are refused",
                self.components.len()
            ));
        }
        if self.scans > MOST_JPEG_SCANS {
            return Some(format!(
                "a JPEG of {} scans; more than {MOST_JPEG_SCANS} are refused",
                self.scans
            ));
        }
        let [width, height] = self.size.map(u64::from);
        let passed = width * height * self.scans as u64;
        (passed > max_pixels.saturating_mul(MOST_JPEG_PASSES)).then(|| {
            format!(
                "a JPEG of {width}×{height} pixels in {} scans, which pass over more pixels than \
                 {MOST_JPEG_PASSES} pictures of the largest size allowed",
                self.scans
            )
        })
    }
}

/// Position of the next marker that starts a segment or ends the picture.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == 0xff)?;
        if is_segment(*bytes.get(at + 1)?) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Whether it is not a stuffed or padding byte, a restart marker or another marker without content.
fn is_segment(marker: u8) -> bool {
    !matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8 | 0xff)
}

/// SOF0 to SOF15 without DHT (C4), JPG (C8) and DAC (CC); and SOF55 of JPEG-LS.
fn is_start_of_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf | 0xf7) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;
    use image::{Rgb, RgbImage};

    use super::*;

    fn encoded() -> Vec<u8> {
        let mut bytes = Vec::new();
        let picture = RgbImage::from_pixel(9, 7, Rgb([200, 10, 90]));
        JpegEncoder::new(&mut bytes).encode_image(&picture).unwrap();
        bytes
    }

    #[test]
    fn markers_tell_size_components_and_scans() {
        let found = Markers::of(&encoded());
        assert_eq!(found.size, [9, 7]);
        assert_eq!(found.components, [1, 2, 3]);
        assert_eq!((found.process, found.scans), (Some(0xc0), 1));
        assert!(found.has_jfif && found.complete && found.adobe_transform.is_none());
        assert_eq!(found.excess(63), None);
    }

    #[test]
    fn more_scans_and_components_than_any_picture_has_are_excess() {
        let real = Markers::of(&encoded());
        let many = Markers { scans: MOST_JPEG_SCANS + 1, ..real.clone() };
        assert!(many.excess(u64::MAX).unwrap().contains("101 scans"));
        let passes = Markers { scans: 21, ..real.clone() };
        assert!(passes.excess(63).unwrap().contains("21 scans"));
        assert_eq!(passes.excess(70), None);
        let wide = Markers { components: vec![0; 5], ..real };
        assert!(wide.excess(63).unwrap().contains("5 components"));
    }

    #[test]
    fn kinds_of_jpeg_that_are_not_read_are_named() {
        let real = encoded();
        let frame = real.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        for (marker, bits, name) in [
            (0xc1, 12, "12 bits a sample"),
            (0xc3, 8, "lossless coding"),
            (0xc5, 8, "hierarchical coding"),
            (0xc9, 8, "arithmetic coding"),
            (0xca, 8, "arithmetic coding"),
            (0xf7, 8, "JPEG-LS"),
        ] {
            let mut bytes = real.clone();
            bytes[frame + 1] = marker;
            bytes[frame + 4] = bits;
            let error = crate::decode(&bytes).unwrap_err();
            assert!(matches!(error, DecodeError::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        assert_eq!(Markers::of(&real).unsupported(), None);
    }

    #[test]
    fn a_cut_jpeg_is_not_complete() {
        let bytes = encoded();
        for cut in 0..bytes.len() {
            assert!(!Markers::of(&bytes[..cut]).complete, "{cut}");
        }
    }
}
