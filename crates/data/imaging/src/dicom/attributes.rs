//! The attributes of a DICOM file, found in one walk that reads no pixel.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use dicom_core::Tag;
use dicom_dictionary_std::uids;
use dicom_transfer_syntax_registry::{TransferSyntaxIndex, TransferSyntaxRegistry};

use super::elements::Elements;
use super::meta::{EXPLICIT_VR_BIG_ENDIAN, Meta};
use super::place::{Extent, PixelData, Place, Value, name_of};
use super::refusal::{damaged, truncated, unsupported};
use super::walk::Walk;
use crate::{DecodeError, PictureFormat};

/// The requested attributes, and the position of the pixels.
pub(super) struct Attributes<'a> {
    /// UID of the transfer syntax, which defines the byte order and the compression.
    pub(super) transfer_syntax: String,
    pub(super) big_endian: bool,
    pub(super) pixels: Option<PixelData>,
    values: BTreeMap<(Place, Tag), Value>,
    data_set: Cow<'a, [u8]>,
}

impl<'a> Attributes<'a> {
    /// Walks through a file. `most_bytes` limits the size of an inflated one.
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
        // A deflated data set is explicit and little endian.
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

    /// Text without padding; the first of several values. None if there is none.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        self.text_at(Place::File, tag)
    }

    /// Like [`text`](Self::text), from a given place.
    pub(super) fn text_at(&self, place: Place, tag: Tag) -> Option<String> {
        let text = readable(self.value_at(place, tag)?.0);
        let first = text.split('\\').next().unwrap_or_default();
        let first = first.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!first.is_empty()).then(|| first.to_owned())
    }

    /// A number that is written in digits; the first of several.
    pub(super) fn decimal(&self, tag: Tag) -> Result<Option<f64>, DecodeError> {
        self.decimal_at(Place::File, tag)
    }

    /// Like [`decimal`](Self::decimal), from a given place.
    pub(super) fn decimal_at(&self, place: Place, tag: Tag) -> Result<Option<f64>, DecodeError> {
        let Some(text) = self.text_at(place, tag) else { return Ok(None) };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(damaged(format!("{} is {text:?}, which is no number", name_of(tag)))),
        }
    }

    /// Whether a sequence of the file, or of its functional groups, has an item with this
    /// attribute.
    pub(super) fn has(&self, place: Place, tag: Tag) -> bool {
        self.values.contains_key(&(place, tag))
    }

    /// A number of 16 bits, signed or not, as its bits.
    pub(super) fn word(&self, tag: Tag) -> Option<u16> {
        self.words(Place::File, tag).next()
    }

    /// Numbers of 16 bits, as their bits.
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

/// UTF-8 if it is valid, else one character a byte. The exact letters do not matter here, only that
/// different bytes stay different.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().copied().map(char::from).collect::<String>().into(),
    }
}

/// Inflates a data set to at most `most_bytes`. Bytes beyond are left out, or are an error if the
/// walk goes to the pixels.
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
