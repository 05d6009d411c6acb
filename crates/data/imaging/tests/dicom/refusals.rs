//! Which files are refused, and with which message.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use imaging::{DecodeError, DecodeOptions, PictureFormat, decode, decode_with};

use crate::file::File;

fn slice() -> File {
    File::ct(4, 4, &[1000; 16])
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let files = [
        slice().bytes(),
        slice().in_syntax(uids::IMPLICIT_VR_LITTLE_ENDIAN).bytes(),
        slice().deflated_bytes(),
        slice().with_fragments(uids::RLE_LOSSLESS, &[], &[&[0; 70]]).bytes(),
    ];
    for file in files {
        for cut in 0..file.len() {
            let decoded = decode(&file[..cut]);
            assert!(decoded.is_err(), "{} bytes, cut at {cut}: {decoded:?}", file.len());
        }
        let most = decode(&file[..file.len() - 1]).unwrap_err();
        assert!(matches!(most, DecodeError::Truncated(PictureFormat::Dicom)), "{most}");
    }
}

#[test]
fn a_giant_is_refused_before_it_gets_memory() {
    let giant = slice().with_word(tags::ROWS, 60_000).with_word(tags::COLUMNS, 60_000);
    let message = giant.error();
    assert_eq!(message, "DICOM of 60000×60000 pixels; more than 100 megapixels are refused");
    let options = DecodeOptions { max_pixels: 15, ..DecodeOptions::default() };
    let message = decode_with(&slice().bytes(), &options).unwrap_err().to_string();
    assert_eq!(message, "DICOM of 4×4 pixels; more than 15 are refused");
    let options = DecodeOptions { max_pixels: 16, ..options };
    assert!(decode_with(&slice().bytes(), &options).is_ok());
}

#[test]
fn a_deflated_bomb_is_refused() {
    let options = DecodeOptions { max_pixels: 16, ..DecodeOptions::default() };
    let bomb = slice().with_words(&vec![0; 8_000_000]).deflated_bytes();
    assert!(bomb.len() < 40_000);
    let error = decode_with(&bomb, &options).unwrap_err();
    assert!(matches!(error, DecodeError::TooMuchMemory(PictureFormat::Dicom)), "{error}");
}

#[test]
fn a_length_beyond_the_file_takes_no_memory() {
    let mut bytes = slice().bytes();
    let value = bytes.windows(10).position(|text| text == b"patient 17").unwrap();
    bytes[value - 2..value].copy_from_slice(&[0xff, 0xff]);
    assert!(matches!(decode(&bytes), Err(DecodeError::Truncated(_))));
}

#[test]
fn a_picture_without_pixels_is_refused() {
    let empty = slice().with_word(tags::ROWS, 0).error();
    assert_eq!(empty, "DICOM of 4×0 pixels, which holds no picture");
    let lost = slice().without(tags::PIXEL_DATA).error();
    assert!(lost.starts_with("truncated DICOM"), "{lost}");
    let few = slice().with_words(&[0; 15]).error();
    assert_eq!(few, "damaged DICOM: 30 bytes of pixels where 32 are due");
}

#[test]
fn objects_that_are_no_pictures_are_called_what_they_are() {
    let report = slice().with_text(tags::SOP_CLASS_UID, VR::UI, uids::BASIC_TEXT_SR_STORAGE);
    assert_eq!(report.error(), "DICOM without a picture: a structured report");
    let other = slice()
        .with_text(tags::SOP_CLASS_UID, VR::UI, "1.2.3")
        .with_text(tags::MODALITY, VR::CS, "REG")
        .without(tags::ROWS)
        .without(tags::PIXEL_DATA);
    assert_eq!(other.error(), "DICOM without a picture: an object of modality REG");
}

#[test]
fn what_is_not_supported_is_named() {
    let fragment: &[&[u8]] = &[&[0; 8]];
    for (file, reason) in [
        (
            slice().with_fragments(uids::JPEGLS_LOSSLESS, &[], fragment),
            "JPEG-LS Lossless Image Compression compression (1.2.840.10008.1.2.4.80)",
        ),
        (slice().with_bits(32, 32), "32 bits a sample"),
        (
            slice().with_text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "PALETTE COLOR"),
            "photometric interpretation PALETTE COLOR",
        ),
    ] {
        let bytes = file.bytes();
        let error = decode(&bytes).unwrap_err();
        assert!(matches!(error, DecodeError::Unsupported { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains(reason) && message.contains("save it uncompressed"), "{message}");
    }
}

#[test]
fn a_transfer_syntax_that_nobody_knows_is_named() {
    let mut bytes = slice().bytes();
    let uid = uids::EXPLICIT_VR_LITTLE_ENDIAN.as_bytes();
    let at = bytes.windows(uid.len()).position(|bytes| bytes == uid).unwrap();
    bytes[at..at + uid.len()].copy_from_slice(b"1.2.840.99999.1.2.1");
    let message = decode(&bytes).unwrap_err().to_string();
    assert!(message.contains("transfer syntax 1.2.840.99999.1.2.1"), "{message}");
}

#[test]
fn numbers_that_contradict_each_other_are_damage() {
    for (file, reason) in [
        (slice().with_text(tags::RESCALE_SLOPE, VR::DS, "0"), "a rescale slope of 0"),
        (
            slice().with_text(tags::RESCALE_INTERCEPT, VR::DS, "much"),
            "RescaleIntercept (0028,1052) is \"much\", which is no number",
        ),
        (slice().with_word(tags::BITS_STORED, 17), "17 bits up to bit 15 of 16"),
        (slice().with_word(tags::HIGH_BIT, 16), "16 bits up to bit 16 of 16"),
        (slice().with_word(tags::SAMPLES_PER_PIXEL, 3), "3 samples a pixel of MONOCHROME2"),
        (slice().without(tags::COLUMNS), "Columns (0028,0011) is missing"),
    ] {
        let message = file.error();
        assert_eq!(message, format!("damaged DICOM: {reason}"));
    }
}
