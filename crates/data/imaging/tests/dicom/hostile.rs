//! Files from others: whatever they hold, decoding ends with a picture or an error.

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use imaging::dicom::identity;
use imaging::{DecodeOptions, decode_with};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::file::File;
use crate::mutate::{count_read, mutate, mutations};

/// It has no meaning: nearly all changes are made after it.
const PREAMBLE: usize = 132;

/// One file of each kind with its own way of being read.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let words: Vec<i16> = (0..256).map(|place| place * 13 % 2000).collect();
    let ct = File::ct(16, 16, &words);
    let coded = |transfer_syntax, frame: &[u8]| {
        let file = File::ct(32, 32, &[]).with_bits(16, 12);
        file.with_fragments(transfer_syntax, &[0], &[frame]).bytes()
    };
    let nested = ct
        .clone()
        .with_sequence(tags::ICON_IMAGE_SEQUENCE, ct.clone().into_object())
        .with_text(tags::NUMBER_OF_FRAMES, VR::IS, "1");
    let table = InMemDicomObject::from_element_iter([
        DataElement::new(
            tags::LUT_DESCRIPTOR,
            VR::US,
            PrimitiveValue::U16([4, 0, 16].into_iter().collect()),
        ),
        DataElement::new(
            tags::LUT_DATA,
            VR::OW,
            PrimitiveValue::U16([9, 99, 999, 9999].into_iter().collect()),
        ),
    ]);
    let tables = File::grey(16, 16, &[3; 256])
        .with_sequence(tags::MODALITY_LUT_SEQUENCE, table.clone())
        .with_sequence(tags::VOILUT_SEQUENCE, table);
    let headless = ct.bytes().split_off(meta_end(&ct.bytes()));
    vec![
        ("explicit", ct.bytes()),
        ("tables", tables.bytes()),
        ("without head", headless),
        ("implicit", ct.clone().in_syntax(uids::IMPLICIT_VR_LITTLE_ENDIAN).bytes()),
        ("big endian", ct.clone().in_syntax("1.2.840.10008.1.2.2").bytes()),
        ("deflated", ct.deflated_bytes()),
        ("nested", nested.bytes()),
        ("RLE", coded(uids::RLE_LOSSLESS, &run_lengths())),
        ("JPEG", coded(uids::JPEG_LOSSLESS_SV1, include_bytes!("../pictures/lossless.jpg"))),
        ("JPEG 2000", coded(uids::JPEG2000_LOSSLESS, include_bytes!("../pictures/signed.j2k"))),
    ]
}

/// The start of the data set.
fn meta_end(bytes: &[u8]) -> usize {
    144 + u32::from_le_bytes(bytes[140..144].try_into().unwrap()) as usize
}

/// Two segments of 1024 zeros: eight runs of 128 each.
fn run_lengths() -> Vec<u8> {
    let mut numbers = vec![2_u32, 64, 80];
    numbers.resize(16, 0);
    let mut frame: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    frame.extend([129, 0].repeat(16));
    frame
}

#[test]
fn no_mutation_of_a_file_ends_in_a_panic() {
    let options = DecodeOptions { max_pixels: 1 << 16, ..DecodeOptions::default() };
    let mutations = mutations();
    for (name, file) in files() {
        assert!(decode_with(&file, &options).is_ok(), "{name}: {:?}", decode_with(&file, &options));
        let mutated = |seed| {
            let mut bytes = file.clone();
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let spared = if random.random_bool(0.95) { PREAMBLE } else { 0 };
            mutate(&mut bytes, spared, &mut random);
            bytes
        };
        let readable = count_read(name, mutated, |bytes| {
            let _ = identity(bytes);
            decode_with(bytes, &options).is_ok()
        });
        // Neither all nor none: the changes reach the content, and do not only break the head.
        assert!((1..mutations).contains(&readable), "{name}: {readable} of {mutations}");
    }
}

#[test]
fn sequences_that_end_and_never_began_are_damage() {
    let file = File::ct(1, 1, &[0]).bytes();
    let pixels = file.windows(4).rposition(|tag| tag == [0xe0, 0x7f, 0x10, 0]).unwrap();
    let item_end = [0xfe, 0xff, 0x0d, 0xe0, 0, 0, 0, 0];
    let item = [0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0];
    for inserted in [[item_end, item].concat(), item_end.repeat(3)] {
        let mut bytes = file.clone();
        bytes.splice(pixels..pixels, inserted);
        let message = decode_with(&bytes, &DecodeOptions::default()).unwrap_err().to_string();
        assert!(message.starts_with("damaged DICOM"), "{message}");
    }
}

#[test]
fn sequences_in_sequences_without_end_do_not_exhaust_the_stack() {
    let file = File::ct(1, 1, &[0]).in_syntax(uids::IMPLICIT_VR_LITTLE_ENDIAN).bytes();
    let pixels = file.windows(4).rposition(|tag| tag == [0xe0, 0x7f, 0x10, 0]).unwrap();
    // A sequence of unknown length with an item of unknown length in it.
    let level =
        [0x88, 0, 0, 2, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xff, 0, 0xe0, 0xff, 0xff, 0xff, 0xff];
    let bytes = [&file[..pixels], &level.repeat(500_000)].concat();
    let decoded = decode_with(&bytes, &DecodeOptions::default());
    assert!(decoded.is_err());
}
