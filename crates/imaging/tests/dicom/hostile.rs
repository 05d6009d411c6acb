//! Files that someone else made: whatever they hold, decoding ends with a picture or an error.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use imaging::dicom::identity;
use imaging::{DecodeOptions, decode_with};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::file::File;

/// Mutations of each file; `HOUNSFIELD_MUTATIONS` asks for more.
fn mutations() -> u64 {
    std::env::var("HOUNSFIELD_MUTATIONS").map_or(3000, |text| text.parse().unwrap())
}

/// One file of each kind that is read in a way of its own.
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
    vec![
        ("explicit", ct.bytes()),
        ("implicit", ct.clone().in_syntax(uids::IMPLICIT_VR_LITTLE_ENDIAN).bytes()),
        ("big endian", ct.clone().in_syntax("1.2.840.10008.1.2.2").bytes()),
        ("deflated", ct.deflated_bytes()),
        ("nested", nested.bytes()),
        ("RLE", coded(uids::RLE_LOSSLESS, &run_lengths())),
        ("JPEG", coded(uids::JPEG_LOSSLESS_SV1, include_bytes!("../pictures/lossless.jpg"))),
        ("JPEG 2000", coded(uids::JPEG2000_LOSSLESS, include_bytes!("../pictures/signed.j2k"))),
    ]
}

/// Two segments of 1024 zeros: eight runs of 128 each.
fn run_lengths() -> Vec<u8> {
    let mut numbers = vec![2_u32, 64, 80];
    numbers.resize(16, 0);
    let mut frame: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    frame.extend([129, 0].repeat(16));
    frame
}

/// Changes a few bytes, takes some out, repeats some, or cuts the end off.
fn mutate(bytes: &mut Vec<u8>, random: &mut impl Rng) {
    for _ in 0..random.random_range(1..=4) {
        if bytes.is_empty() {
            return;
        }
        // The preamble means nothing: nearly all changes are made behind it.
        let first = if random.random_bool(0.98) { bytes.len().min(132) } else { 0 };
        let at = random.random_range(first..=bytes.len()).min(bytes.len() - 1);
        let end = (at + random.random_range(1..12)).min(bytes.len());
        match random.random_range(0..8) {
            0 => bytes[at] = random.random(),
            1 => bytes[at] ^= 1 << random.random_range(0..8),
            2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][random.random_range(0..6)],
            3 => bytes[at..end].fill(0xff),
            4 => bytes[at..end].fill(0),
            5 => drop(bytes.drain(at..end)),
            6 => {
                let piece = bytes[at..end].to_vec();
                let to = random.random_range(0..=bytes.len());
                drop(bytes.splice(to..to, piece));
            }
            _ => bytes.truncate(at),
        }
    }
}

#[test]
fn no_mutation_of_a_file_ends_in_a_panic() {
    let options = DecodeOptions { max_pixels: 1 << 16, ..DecodeOptions::default() };
    let mutations = mutations();
    for (name, file) in files() {
        assert!(decode_with(&file, &options).is_ok(), "{name}: {:?}", decode_with(&file, &options));
        let mut readable = 0;
        for seed in 0..mutations {
            let mut bytes = file.clone();
            mutate(&mut bytes, &mut ChaCha8Rng::seed_from_u64(seed));
            let ended = std::panic::catch_unwind(|| {
                let _ = identity(&bytes);
                decode_with(&bytes, &options).is_ok()
            });
            let Ok(decoded) = ended else { panic!("{name}, seed {seed} panics") };
            readable += u64::from(decoded);
        }
        // Neither all nor none: the changes reach what matters, and do not only break the head.
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
