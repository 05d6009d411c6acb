//! Where the attributes of a file stand, and where its pixels are.

use std::ops::Range;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

/// Where an attribute stands. Of a sequence the first item counts, and only its own depth: what
/// other objects inside say is not the picture's.
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

/// Where a value lies, and by which VR, where one is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) range: Range<usize>,
    pub(super) vr: Option<[u8; 2]>,
}

/// Where the pixels of all frames are in the data set.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PixelData {
    Native {
        range: Range<usize>,
        /// Written as words: two bytes each have the file's byte order, be samples bytes or not.
        in_words: bool,
    },
    Encapsulated {
        /// The basic offset table; often empty.
        offsets: Range<usize>,
        fragments: Vec<Range<usize>>,
        /// Whether the delimiter that ends them is there.
        ended: bool,
    },
}

/// How far the walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Up to and with this attribute.
    Until(Tag),
    /// To the pixels.
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

/// Where an attribute counts that stands inside of these sequences, from the outermost.
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

/// Whether something that counts may stand inside of these sequences, from the outermost.
pub(super) fn leads_on(sequences: &[Tag]) -> bool {
    matches!(
        sequences,
        [tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE | tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE]
    ) || (!sequences.is_empty() && place_of(sequences).is_some())
}
