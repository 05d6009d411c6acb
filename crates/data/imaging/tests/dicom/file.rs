//! Builds DICOM files.

use dicom_core::header::Length;
use dicom_core::value::{DataSetSequence, PixelFragmentSequence, Value};
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use imaging::{DecodeOptions, Picture, Window, decode, decode_with};

/// A file whose attributes can be changed one by one. It starts as a CT slice of 16-bit words.
#[derive(Clone)]
pub(crate) struct File {
    object: InMemDicomObject,
    transfer_syntax: &'static str,
}

impl File {
    /// A CT slice: signed words, slope 1, intercept −1024, explicit and little endian.
    pub(crate) fn ct(columns: u16, rows: u16, stored: &[i16]) -> Self {
        let words: Vec<u16> = stored.iter().map(|value| *value as u16).collect();
        Self::grey(columns, rows, &words)
            .with_text(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE)
            .with_text(tags::MODALITY, VR::CS, "CT")
            .with_word(tags::PIXEL_REPRESENTATION, 1)
            .with_text(tags::RESCALE_SLOPE, VR::DS, "1")
            .with_text(tags::RESCALE_INTERCEPT, VR::DS, "-1024")
    }

    /// An MR slice of unsigned words, without a window.
    pub(crate) fn grey(columns: u16, rows: u16, stored: &[u16]) -> Self {
        let file = Self {
            object: InMemDicomObject::new_empty(),
            transfer_syntax: uids::EXPLICIT_VR_LITTLE_ENDIAN,
        };
        file.with_text(tags::SOP_CLASS_UID, VR::UI, uids::MR_IMAGE_STORAGE)
            .with_text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4")
            .with_text(tags::MODALITY, VR::CS, "MR")
            .with_text(tags::PATIENT_ID, VR::LO, "patient 17")
            .with_text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3.5")
            .with_text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.6")
            .with_word(tags::SAMPLES_PER_PIXEL, 1)
            .with_text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
            .with_word(tags::ROWS, rows)
            .with_word(tags::COLUMNS, columns)
            .with_bits(16, 16)
            .with_word(tags::PIXEL_REPRESENTATION, 0)
            .with_words(stored)
    }

    /// Colours of 8 bits.
    pub(crate) fn colour(columns: u16, rows: u16, photometric: &str, bytes: &[u8]) -> Self {
        Self::grey(columns, rows, &[])
            .with_text(tags::MODALITY, VR::CS, "US")
            .with_text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric)
            .with_word(tags::SAMPLES_PER_PIXEL, 3)
            .with_word(tags::PLANAR_CONFIGURATION, 0)
            .with_bits(8, 8)
            .with_bytes(bytes)
    }

    pub(crate) fn with_text(self, tag: Tag, vr: VR, text: &str) -> Self {
        self.with(DataElement::new(tag, vr, text))
    }

    pub(crate) fn with_word(self, tag: Tag, word: u16) -> Self {
        self.with(DataElement::new(tag, VR::US, PrimitiveValue::from(word)))
    }

    /// Bits allocated and stored; the highest bit is the last of those stored.
    pub(crate) fn with_bits(self, allocated: u16, stored: u16) -> Self {
        self.with_word(tags::BITS_ALLOCATED, allocated)
            .with_word(tags::BITS_STORED, stored)
            .with_word(tags::HIGH_BIT, stored - 1)
    }

    pub(crate) fn with_words(self, words: &[u16]) -> Self {
        let value = PrimitiveValue::U16(words.iter().copied().collect());
        self.with(DataElement::new(tags::PIXEL_DATA, VR::OW, value))
    }

    pub(crate) fn with_bytes(self, bytes: &[u8]) -> Self {
        let value = PrimitiveValue::U8(bytes.iter().copied().collect());
        self.with(DataElement::new(tags::PIXEL_DATA, VR::OB, value))
    }

    /// Compressed pixels in fragments.
    pub(crate) fn with_fragments(
        mut self,
        transfer_syntax: &'static str,
        offsets: &[u32],
        fragments: &[&[u8]],
    ) -> Self {
        let fragments: Vec<Vec<u8>> = fragments.iter().map(|it| it.to_vec()).collect();
        let sequence = PixelFragmentSequence::new(offsets.to_vec(), fragments);
        self.object.put(DataElement::new(tags::PIXEL_DATA, VR::OB, Value::from(sequence)));
        self.transfer_syntax = transfer_syntax;
        self
    }

    /// A sequence of one item, as functional groups are.
    pub(crate) fn with_sequence(self, tag: Tag, item: InMemDicomObject) -> Self {
        let sequence = DataSetSequence::new(vec![item], Length::UNDEFINED);
        self.with(DataElement::new(tag, VR::SQ, Value::from(sequence)))
    }

    pub(crate) fn with(mut self, element: DataElement<InMemDicomObject>) -> Self {
        self.object.put(element);
        self
    }

    pub(crate) fn without(mut self, tag: Tag) -> Self {
        self.object.remove_element(tag);
        self
    }

    pub(crate) fn in_syntax(mut self, transfer_syntax: &'static str) -> Self {
        self.transfer_syntax = transfer_syntax;
        self
    }

    pub(crate) fn into_object(self) -> InMemDicomObject {
        self.object
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let meta = FileMetaTableBuilder::new().transfer_syntax(self.transfer_syntax);
        let mut bytes = Vec::new();
        self.object.clone().with_meta(meta).unwrap().write_all(&mut bytes).unwrap();
        bytes
    }

    /// As [`bytes`](Self::bytes), with the data set deflated.
    pub(crate) fn deflated_bytes(&self) -> Vec<u8> {
        let plain = self.bytes();
        let uid = uids::EXPLICIT_VR_LITTLE_ENDIAN.as_bytes();
        let at = plain.windows(uid.len()).position(|bytes| bytes == uid).unwrap();
        // The UID grows from 20 bytes, one of them padding, to 22.
        let (length_at, group_at) = (at - 2, 140);
        let mut bytes = plain[..at].to_vec();
        bytes[length_at] += 2;
        bytes[group_at] += 2;
        bytes.extend(uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN.as_bytes());
        let length = u32::from_le_bytes(plain[140..144].try_into().unwrap()) as usize;
        bytes.extend(&plain[at + uid.len() + 1..144 + length]);
        bytes.extend(miniz_oxide::deflate::compress_to_vec(&plain[144 + length..], 6));
        bytes
    }

    #[track_caller]
    pub(crate) fn picture(&self) -> Picture {
        decode(&self.bytes()).unwrap()
    }

    /// Its grey levels in 16 bits, row by row.
    #[track_caller]
    pub(crate) fn grey_levels(&self) -> Vec<u16> {
        levels(&self.picture())
    }

    #[track_caller]
    pub(crate) fn grey_levels_through(&self, window: &str) -> Vec<u16> {
        let window: Window = window.parse().unwrap();
        let options = DecodeOptions { window: Some(window), ..DecodeOptions::default() };
        let picture = decode_with(&self.bytes(), &options).unwrap();
        assert_eq!(picture.window(), Some(window));
        levels(&picture)
    }

    #[track_caller]
    pub(crate) fn error(&self) -> String {
        decode(&self.bytes()).expect_err("this is no picture").to_string()
    }
}

pub(crate) fn levels(picture: &Picture) -> Vec<u16> {
    picture.grey16(picture.width(), picture.height())
}

/// RGB values, row by row.
pub(crate) fn colours(picture: &Picture) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.for_each_rgb_row(|row| bytes.extend(row));
    bytes
}
