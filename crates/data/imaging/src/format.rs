use std::fmt;

use image::ImageFormat;
use serde::{Deserialize, Serialize};

/// A file format that [`decode`](crate::decode()) reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PictureFormat {
    /// Windows bitmap.
    Bmp,
    /// DICOM; of several frames the first.
    Dicom,
    /// GIF; of an animation the first frame.
    Gif,
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG; of an animation the still picture.
    Png,
    /// TIFF; of several pages the first.
    Tiff,
    /// WebP; of an animation the first frame.
    WebP,
}

/// The format that the first bytes announce. File names are ignored.
///
/// `None` is certain once there are 132 bytes, the most that any format needs; `Some` means that
/// decoding is worth trying, not that it will succeed.
pub fn looks_like_image(bytes: &[u8]) -> Option<PictureFormat> {
    // Its mark follows 128 bytes of any kind. Some files are both DICOM and TIFF, and only as DICOM
    // do they have Hounsfield units.
    if crate::dicom::is_dicom(bytes) {
        return Some(PictureFormat::Dicom);
    }
    Some(match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => PictureFormat::Png,
        [0xff, 0xd8, 0xff, ..] => PictureFormat::Jpeg,
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => PictureFormat::Gif,
        // 43 is the mark of BigTIFF, whose offsets have eight bytes.
        [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => PictureFormat::Tiff,
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => PictureFormat::WebP,
        // "BM" alone also starts English words. Bytes 14 to 17 hold the size of the header that
        // follows: 12 to 124 in every version of the format.
        [b'B', b'M', _, _, _, _, _, _, _, _, _, _, _, _, 12..=124, 0, 0, 0, ..] => {
            PictureFormat::Bmp
        }
        _ => return None,
    })
}

impl PictureFormat {
    /// The name in lower case, as used for file extensions: `png`, `jpeg`, `dicom`, …
    pub fn extension(self) -> &'static str {
        match self {
            Self::Bmp => "bmp",
            Self::Dicom => "dicom",
            Self::Gif => "gif",
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Tiff => "tiff",
            Self::WebP => "webp",
        }
    }

    /// The media type for `Content-Type`, as registered with IANA.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Bmp => "image/bmp",
            Self::Dicom => "application/dicom",
            Self::Gif => "image/gif",
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Tiff => "image/tiff",
            Self::WebP => "image/webp",
        }
    }

    /// The format's name in the crate `image`, which does not read DICOM.
    pub(crate) fn decoder_format(self) -> Option<ImageFormat> {
        Some(match self {
            Self::Dicom => return None,
            Self::Bmp => ImageFormat::Bmp,
            Self::Gif => ImageFormat::Gif,
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Png => ImageFormat::Png,
            Self::Tiff => ImageFormat::Tiff,
            Self::WebP => ImageFormat::WebP,
        })
    }
}

impl fmt::Display for PictureFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bmp => "BMP",
            Self::Dicom => "DICOM",
            Self::Gif => "GIF",
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Tiff => "TIFF",
            Self::WebP => "WebP",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_those_that_iana_lists() {
        use PictureFormat::{Bmp, Dicom, Gif, Jpeg, Png, Tiff, WebP};
        // https://www.iana.org/assignments/media-types: it is jpeg, not jpg, and DICOM is not an
        // image type.
        let types = [Bmp, Dicom, Gif, Jpeg, Png, Tiff, WebP].map(PictureFormat::media_type);
        let listed = ["bmp", "dicom", "gif", "jpeg", "png", "tiff", "webp"].map(|name| {
            if name == "dicom" { "application/dicom".to_owned() } else { format!("image/{name}") }
        });
        assert_eq!(types.map(str::to_owned), listed);
    }

    #[test]
    fn a_file_is_named_after_its_format() {
        for format in [PictureFormat::Bmp, PictureFormat::Dicom, PictureFormat::WebP] {
            assert_eq!(format.extension(), format.to_string().to_lowercase());
        }
    }
}
