//! Files that may hold pictures in an unsupported format: recognised by their first bytes, so that
//! they are named instead of ignored like a text.

use std::fmt;
use std::path::Path;

use serde::Serialize;

/// An unsupported format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unsupported {
    Heic,
    Avif,
    Jpeg2000,
    JpegXl,
    Nifti,
    MetaImage,
    Nrrd,
    Analyze,
    Numpy,
    Matlab,
    Hdf5,
    Psd,
    Svg,
    Pdf,
    Video,
    Archive,
}

/// The first bytes of formats, with their position. The first that fits is used.
const STARTS: &[(usize, &[u8], Unsupported)] = &[
    (4, b"ftypheic", Unsupported::Heic),
    (4, b"ftypheix", Unsupported::Heic),
    (4, b"ftyphevc", Unsupported::Heic),
    (4, b"ftypheim", Unsupported::Heic),
    (4, b"ftypheis", Unsupported::Heic),
    (4, b"ftypmif1", Unsupported::Heic),
    (4, b"ftypmsf1", Unsupported::Heic),
    (4, b"ftypavif", Unsupported::Avif),
    (4, b"ftypavis", Unsupported::Avif),
    (4, b"ftyp", Unsupported::Video),
    (0, b"\x00\x00\x00\x0cjP  \r\n\x87\n", Unsupported::Jpeg2000),
    (0, b"\xff\x4f\xff\x51", Unsupported::Jpeg2000),
    (0, b"\x00\x00\x00\x0cJXL \r\n\x87\n", Unsupported::JpegXl),
    (0, b"\xff\x0a", Unsupported::JpegXl),
    (344, b"n+1\0", Unsupported::Nifti),
    (344, b"ni1\0", Unsupported::Nifti),
    (4, b"n+2\0", Unsupported::Nifti),
    (0, b"\x5c\x01\x00\x00", Unsupported::Analyze),
    (0, b"\x00\x00\x01\x5c", Unsupported::Analyze),
    (0, b"ObjectType", Unsupported::MetaImage),
    (0, b"NRRD0", Unsupported::Nrrd),
    (0, b"\x93NUMPY", Unsupported::Numpy),
    (0, b"MATLAB 5.0", Unsupported::Matlab),
    (0, b"\x89HDF\r\n\x1a\n", Unsupported::Hdf5),
    (0, b"8BPS", Unsupported::Psd),
    (0, b"%PDF-", Unsupported::Pdf),
    (0, b"<svg", Unsupported::Svg),
    (0, b"\x1a\x45\xdf\xa3", Unsupported::Video),
    (8, b"AVI ", Unsupported::Video),
    (0, b"PK\x03\x04", Unsupported::Archive),
    (0, b"PK\x05\x06", Unsupported::Archive),
    (0, b"\x1f\x8b", Unsupported::Archive),
    (0, b"BZh", Unsupported::Archive),
    (0, b"\xfd7zXZ\0", Unsupported::Archive),
    (0, b"7z\xbc\xaf\x27\x1c", Unsupported::Archive),
    (0, b"Rar!\x1a\x07", Unsupported::Archive),
    (0, b"\x28\xb5\x2f\xfd", Unsupported::Archive),
    (257, b"ustar", Unsupported::Archive),
];

/// File extensions, for formats whose content is not enough: compressed files, and files that start
/// with the pixels.
const ENDINGS: &[(&str, Unsupported)] = &[
    (".nii.gz", Unsupported::Nifti),
    (".nii", Unsupported::Nifti),
    (".mha", Unsupported::MetaImage),
    (".mhd", Unsupported::MetaImage),
    (".nrrd", Unsupported::Nrrd),
    (".nhdr", Unsupported::Nrrd),
    (".heic", Unsupported::Heic),
    (".heif", Unsupported::Heic),
    (".avif", Unsupported::Avif),
    (".jp2", Unsupported::Jpeg2000),
    (".j2k", Unsupported::Jpeg2000),
    (".jxl", Unsupported::JpegXl),
    (".npy", Unsupported::Numpy),
    (".npz", Unsupported::Numpy),
    (".svg", Unsupported::Svg),
];

impl Unsupported {
    /// The format of a file with this start and this name; `None` if it is not a picture, an
    /// archive or a film.
    pub(super) fn of(path: &Path, head: &[u8]) -> Option<Self> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.to_lowercase();
        let by_name = ENDINGS.iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, it)| *it);
        let starts = |(at, bytes, _): &&(usize, &[u8], Self)| {
            head.get(*at..).is_some_and(|rest| rest.starts_with(bytes))
        };
        by_name.or_else(|| STARTS.iter().find(starts).map(|(.., format)| *format))
    }

    /// How to convert its pictures to a supported format.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Archive => "unpack them beside the others",
            Self::Nifti | Self::MetaImage | Self::Nrrd | Self::Analyze => {
                "write their slices as PNG, TIFF or DICOM"
            }
            _ => "convert them to PNG, TIFF or DICOM",
        }
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Heic => "HEIC",
            Self::Avif => "AVIF",
            Self::Jpeg2000 => "JPEG 2000",
            Self::JpegXl => "JPEG XL",
            Self::Nifti => "NIfTI",
            Self::MetaImage => "MetaImage",
            Self::Nrrd => "NRRD",
            Self::Analyze => "Analyze",
            Self::Numpy => "NumPy",
            Self::Matlab => "MATLAB",
            Self::Hdf5 => "HDF5",
            Self::Psd => "Photoshop",
            Self::Svg => "SVG",
            Self::Pdf => "PDF",
            Self::Video => "video",
            Self::Archive => "archive",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_content_and_where_that_is_compressed_by_name() {
        let of = |name: &str, head: &[u8]| Unsupported::of(Path::new(name), head);
        assert_eq!(of("a", b"\0\0\0\x18ftypheic\0\0"), Some(Unsupported::Heic));
        assert_eq!(of("a.mp4", b"\0\0\0\x18ftypisom\0\0"), Some(Unsupported::Video));
        assert_eq!(of("a.nii.gz", b"\x1f\x8b\x08"), Some(Unsupported::Nifti));
        assert_eq!(of("a.gz", b"\x1f\x8b\x08"), Some(Unsupported::Archive));
        assert_eq!(of("b.bin", b"ObjectType = Image\n"), Some(Unsupported::MetaImage));
        let mut nifti = vec![0; 348];
        nifti[344..].copy_from_slice(b"n+1\0");
        assert_eq!(of("b", &nifti), Some(Unsupported::Nifti));
        assert_eq!(of("notes.txt", b"PKI is no archive"), None);
        assert_eq!(of("labels.csv", b"path,class\n"), None);
    }
}
