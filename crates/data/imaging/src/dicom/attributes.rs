//! What a DICOM file says of itself, found in one walk that reads no pixel.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use dicom_core::Tag;
use dicom_dictionary_std::{tags, uids};
use dicom_transfer_syntax_registry::{TransferSyntaxIndex, TransferSyntaxRegistry};

use super::elements::Elements;
use super::meta::Meta;
use super::walk::Walk;
use super::{damaged, truncated, unsupported};
use crate::{DecodeError, PictureFormat};

/// Retired in 2007, but old files stay.
pub(super) const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// The attributes that were asked for, and where the pixels are.
pub(super) struct Attributes<'a> {
    /// UID of the transfer syntax, which tells the byte order and the compression.
    pub(super) transfer_syntax: String,
    pub(super) big_endian: bool,
    pub(super) pixels: Option<PixelData>,
    values: BTreeMap<(Place, Tag), Value>,
    data_set: Cow<'a, [u8]>,
}

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

impl<'a> Attributes<'a> {
    /// Walks through a file. `most_bytes` bounds what a deflated one may become.
    pub(super) fn read(
        bytes: &'a [u8],
        wanted: &[Tag],
        extent: Extent,
        most_bytes: usize,
    ) -> Result<Self, DecodeError> {
        const LEAST_ELEMENT: usize = 8;
        let Meta { transfer_syntax, data_set, .. } = Meta::read(bytes)?;
        if data_set.len() < LEAST_ELEMENT {
            return Err(truncated());
        }
        // What is deflated is explicit and little endian.
        let data_set = if transfer_syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN {
            inflate(data_set, most_bytes, extent)?
        } else {
            data_set.into()
        };
        if TransferSyntaxRegistry.get(&transfer_syntax).is_none() {
            return Err(unsupported(format!("transfer syntax {transfer_syntax}")));
        }
        let big_endian = transfer_syntax == EXPLICIT_VR_BIG_ENDIAN;
        let elements = Elements { bytes: &data_set, big_endian };
        let (values, pixels) = Walk::new(elements, wanted).through(extent)?;
        Ok(Self {
            transfer_syntax: transfer_syntax.into_owned(),
            big_endian,
            pixels,
            values,
            data_set,
        })
    }

    /// Bytes of the data set.
    pub(super) fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.data_set.get(range.clone()).unwrap_or_default()
    }

    /// A value, and the VR it is written with.
    pub(super) fn value_at(&self, place: Place, tag: Tag) -> Option<(&[u8], Option<[u8; 2]>)> {
        self.values.get(&(place, tag)).map(|value| (self.bytes(&value.range), value.vr))
    }

    /// Text without what fills it up; of several values the first. None where there is none.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        self.text_at(Place::File, tag)
    }

    /// As [`text`](Self::text), from a certain place.
    pub(super) fn text_at(&self, place: Place, tag: Tag) -> Option<String> {
        let text = readable(self.value_at(place, tag)?.0);
        let first = text.split('\\').next().unwrap_or_default();
        let first = first.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!first.is_empty()).then(|| first.to_owned())
    }

    /// A number that is written in digits; of several the first.
    pub(super) fn decimal(&self, tag: Tag) -> Result<Option<f64>, DecodeError> {
        self.decimal_at(Place::File, tag)
    }

    /// As [`decimal`](Self::decimal), from a certain place.
    pub(super) fn decimal_at(&self, place: Place, tag: Tag) -> Result<Option<f64>, DecodeError> {
        let Some(text) = self.text_at(place, tag) else { return Ok(None) };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(damaged(format!("{} is {text:?}, which is no number", name_of(tag)))),
        }
    }

    /// Whether a sequence of the file, or of its functional groups, has an item with this.
    pub(super) fn has(&self, place: Place, tag: Tag) -> bool {
        self.values.contains_key(&(place, tag))
    }

    /// A number of 16 bits, signed or not: its bits.
    pub(super) fn word(&self, tag: Tag) -> Option<u16> {
        self.words(Place::File, tag).next()
    }

    /// Numbers of 16 bits: their bits.
    pub(super) fn words(&self, place: Place, tag: Tag) -> impl Iterator<Item = u16> {
        let word = if self.big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
        let bytes = self.value_at(place, tag).map_or(&[][..], |(bytes, _)| bytes);
        bytes.as_chunks::<2>().0.iter().copied().map(word)
    }

    /// A number of 16 bits that must be there.
    pub(super) fn required_word(&self, tag: Tag) -> Result<u16, DecodeError> {
        self.word(tag).ok_or_else(|| damaged(format!("{} is missing", name_of(tag))))
    }
}

/// UTF-8 where it is that, else one character a byte. Which letters are meant does not matter
/// here, only that different bytes stay different.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().copied().map(char::from).collect::<String>().into(),
    }
}

/// Undoes the compression of a data set, in at most `most_bytes`; what is beyond them is left out
/// where the walk does not go to the pixels.
fn inflate(
    deflated: &[u8],
    most_bytes: usize,
    extent: Extent,
) -> Result<Cow<'static, [u8]>, DecodeError> {
    use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};
    match decompress_to_vec_with_limit(deflated, most_bytes) {
        Ok(inflated) => Ok(inflated.into()),
        Err(error) => match error.status {
            TINFLStatus::HasMoreOutput if extent != Extent::Pixels => Ok(error.output.into()),
            TINFLStatus::HasMoreOutput => Err(DecodeError::TooMuchMemory(PictureFormat::Dicom)),
            TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => Err(truncated()),
            _ => Err(damaged("its deflated data cannot be inflated")),
        },
    }
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
