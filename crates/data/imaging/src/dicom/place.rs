//! Positions of a file's attributes, and of its pixels.

use std::ops::Range;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// Position of an attribute. Of a sequence only the first item counts, and only at its own depth:
/// other objects inside do not describe the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// In the file itself.
    File,
    /// In the `PixelValueTransformationSequence` of the functional groups.
    Transformation,
    /// In the `FrameVOILUTSequence` of the functional groups.
    FrameVoi,
    ModalityLut,
    VoiLut,
}

/// Position of a value, and its VR, if one is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) range: Range<usize>,
    pub(super) vr: Option<[u8; 2]>,
}

/// Position of the pixels of all frames in the data set.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PixelData {
    Native {
        range: Range<usize>,
        /// Written as words: every two bytes have the file's byte order, even if samples are bytes.
        in_words: bool,
    },
    Encapsulated {
        /// The basic offset table; often empty.
        offsets: Range<usize>,
        fragments: Vec<Range<usize>>,
        /// Whether the delimiter that ends them exists.
        ended: bool,
    },
}

/// Where the walk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// After this attribute.
    Until(Tag),
    /// At the pixels.
    Pixels,
}

/// An attribute's name with its number: `Rows (0028,0010)`.
pub(super) fn name_of(tag: Tag) -> String {
    use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
    match dicom_dictionary_std::StandardDataDictionary.by_tag(tag) {
        Some(entry) => format!("{} {tag}", entry.alias()),
        None => tag.to_string(),
    }
}

/// The place of an attribute inside these sequences, from the outermost, if it counts there.
pub(super) fn place_of(sequences: &[Tag]) -> Option<Place> {
    Some(match sequences {
        [] => Place::File,
        [tags::MODALITY_LUT_SEQUENCE] => Place::ModalityLut,
        [tags::VOILUT_SEQUENCE] => Place::VoiLut,
        [
            tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE | tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
            inner,
        ] => match *inner {
            tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE => Place::Transformation,
            tags::FRAME_VOILUT_SEQUENCE => Place::FrameVoi,
            _ => return None,
        },
        _ => return None,
    })
}

/// Whether an attribute that counts may be inside these sequences, from the outermost.
pub(super) fn leads_on(sequences: &[Tag]) -> bool {
    matches!(
        sequences,
        [tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE | tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE]
    ) || (!sequences.is_empty() && place_of(sequences).is_some())
}
