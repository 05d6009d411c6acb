//! Limits on the work of a decoder, checked before the decoder starts: a few bytes can announce
//! work for hours. Each limit is above what any scanner or program writes.

/// Scans of one JPEG. libjpeg writes 10 when progressive, mozjpeg up to 17; each passes over the
/// whole picture.
pub(crate) const MOST_JPEG_SCANS: usize = 100;

/// Pixels that all scans of one JPEG pass over together, as a multiple of the largest picture
/// allowed: 20 scans of that size.
pub(crate) const MOST_JPEG_PASSES: u64 = 20;

/// Components of one JPEG: CMYK has four. T.81 allows 255.
pub(crate) const MOST_JPEG_COMPONENTS: u8 = 4;

/// JPEG 2000 tiles: this many, and one for each 32 × 32 pixels. Encoders write tiles of 128 × 128
/// or more; T.800 allows one for each pixel.
pub(crate) const FEW_TILES: u64 = 64;
/// See [`FEW_TILES`].
pub(crate) const LEAST_TILE_PIXELS: u64 = 32 * 32;

/// JPEG 2000 precincts, and code blocks with a layer each: this many, and one for each 32 samples.
/// Code blocks have 32 × 32 samples or 64 × 64 and a dozen layers at most; T.800 allows 4 × 4 with
/// 65,535.
pub(crate) const FEW_CODING_UNITS: u64 = 1 << 16;
/// See [`FEW_CODING_UNITS`].
pub(crate) const LEAST_CODING_UNIT_SAMPLES: u64 = 32;

/// Fragments of DICOM pixel data. A whole slide in tiles of 256 × 256 has some 200,000 frames.
pub(crate) const MOST_FRAGMENTS: usize = 1 << 20;

/// Nested sequences in a DICOM file, items included. Structured reports have about twenty.
pub(crate) const MOST_NESTING: usize = 200;

/// Strips or tiles of a TIFF for each plane: one a row and this many, or one for each 16 × 16
/// pixels, the smallest tile that TIFF 6.0 allows.
pub(crate) const FEW_TIFF_CHUNKS: u64 = 64;
/// See [`FEW_TIFF_CHUNKS`].
pub(crate) const LEAST_TIFF_TILE_PIXELS: u64 = 16 * 16;
