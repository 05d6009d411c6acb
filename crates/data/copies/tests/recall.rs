//! Copies of phantoms are found and named, unrelated phantoms are not, and large groups of similar
//! pictures do not make the search slow. `examples/recall` measures the same at full size.
#![cfg(test)]

#[path = "../examples/recall/ways.rs"]
mod ways;

use std::collections::BTreeMap;
use std::io::Cursor;

use copies::{Change, GroupNumber, Limits, Pair, Relation, Signature, find, groups};
use image::imageops::{self, FilterType};
use image::{GrayImage, ImageBuffer, ImageFormat, Luma};
use ingest::sample::{SampleClass, phantom};
use rayon::prelude::*;
use ways::{Draws, WAYS, jpeg, png};

const SIDE: u32 = 224;

/// Copies made in each way.
const COPIES: usize = 12;

fn drawn(index: usize) -> GrayImage {
    let class = SampleClass::ALL[index % SampleClass::ALL.len()];
    let picture = phantom(7, index, class).picture;
    imageops::resize(&picture, SIDE, SIDE, FilterType::Triangle)
}

fn signature(file: &[u8]) -> Signature {
    Signature::of(&imaging::decode(file).unwrap())
}

fn signed(picture: &GrayImage) -> Signature {
    signature(&png(picture).unwrap())
}

fn pairs(signatures: &[Signature]) -> Vec<Pair> {
    find(signatures, Limits::default())
}

fn changes(pair: &Pair) -> Vec<Change> {
    match &pair.relation {
        Relation::Copy { transformation, .. } => transformation.changes(),
        other => panic!("not a copy: {other:?}"),
    }
}

/// A phantom and its copies in every way, each with the position of the way.
fn family(index: usize) -> Vec<Signature> {
    let original = drawn(index);
    let copy = |(at, way): (usize, &ways::Way)| {
        let mut draws = Draws::new((index * WAYS.len() + at) as u64);
        signature(&(way.make)(&original, &mut draws).unwrap())
    };
    std::iter::once(signed(&original)).chain(WAYS.iter().enumerate().map(copy)).collect()
}

#[test]
fn copies_made_in_every_way_are_found_and_named_and_strangers_are_not() {
    let strangers = 240;
    let families: Vec<Vec<Signature>> = (0..COPIES).into_par_iter().map(family).collect();
    let members = families[0].len();
    let mut signatures = families.concat();
    let others = COPIES..COPIES + strangers;
    signatures.par_extend(others.into_par_iter().map(|index| signed(&drawn(index))));

    let mut of_way: BTreeMap<usize, [usize; 2]> = BTreeMap::new();
    for pair in pairs(&signatures) {
        let (first, second) = (pair.original.min(pair.copy), pair.original.max(pair.copy));
        let are_related = second < COPIES * members && first / members == second / members;
        if !are_related {
            assert!(matches!(pair.relation, Relation::SameScan { .. }), "{pair:?}");
        } else if first % members == 0 {
            let way = second % members - 1;
            let [found, named] = of_way.entry(way).or_default();
            *found += 1;
            *named += usize::from(changes(&pair) == WAYS[way].changes);
        }
    }
    for (at, way) in WAYS.iter().enumerate() {
        let [found, named] = of_way.get(&at).copied().unwrap_or_default();
        assert_eq!(found, COPIES, "{}", way.name);
        assert!(3 * named >= 2 * COPIES, "{}: {named} of {COPIES} named", way.name);
    }
}

#[test]
fn what_was_done_is_said_the_same_whichever_picture_comes_first() {
    let original = drawn(3);
    let mut draws = Draws::new(1);
    for way in &WAYS {
        let copy = signature(&(way.make)(&original, &mut draws).unwrap());
        let forwards = pairs(&[signed(&original), copy.clone()]);
        let backwards = pairs(&[copy, signed(&original)]);
        let [[forwards], [backwards]] = [&forwards[..], &backwards[..]] else {
            panic!("{}: {forwards:?} and {backwards:?}", way.name);
        };
        let kinds = |pair| changes(pair).iter().map(std::mem::discriminant).collect::<Vec<_>>();
        assert_eq!(kinds(forwards), kinds(backwards), "{}", way.name);
        if way.changes.contains(&Change::Cropped) {
            assert_eq!((forwards.original, backwards.original), (0, 1), "{}", way.name);
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let mut signatures: Vec<Signature> = (0..40).map(|index| signed(&drawn(index))).collect();
    signatures.extend(family(2));
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| pairs(&signatures))
    };
    let alone = on(1);
    assert!(alone.len() >= WAYS.len());
    assert_eq!(on(2), alone);
    assert_eq!(on(7), alone);
}

#[test]
fn tiny_and_blank_pictures_are_tied_by_their_pixels_only() {
    let flat = |side, level| GrayImage::from_pixel(side, side, Luma([level]));
    let mut nearly_flat = flat(SIDE, 90);
    nearly_flat.put_pixel(5, 9, Luma([92]));
    let tiny = imageops::resize(&drawn(0), 35, 35, FilterType::Triangle);
    let pictures = [
        flat(1, 0),
        flat(1, 0),
        flat(1, 255),
        flat(SIDE, 90),
        nearly_flat,
        flat(SIDE, 91),
        tiny.clone(),
        imageops::rotate90(&tiny),
        tiny,
    ];
    let signatures = pictures.each_ref().map(signed);
    let tied: Vec<_> = pairs(&signatures)
        .into_iter()
        .map(|pair| (pair.original, pair.copy, pair.relation == Relation::SamePixels))
        .collect();
    assert_eq!(tied, [(0, 1, true), (6, 8, true)]);
    assert_eq!(pairs(&[]), []);
    assert_eq!(pairs(&signatures[..1]), []);
}

#[test]
fn thousands_of_equal_blank_pictures_are_tied_to_the_first() {
    let blank = signed(&GrayImage::new(SIDE, SIDE));
    let found = pairs(&vec![blank; 5_000]);
    assert_eq!(found.len(), 4_999);
    assert!(found.iter().all(|pair| pair.original == 0 && pair.relation == Relation::SamePixels));
}

/// Copies of a picture that differ by a dot and by compression.
fn crowd(picture: &GrayImage, count: u32) -> Vec<Signature> {
    let copy = |number: u32| {
        let mut copy = picture.clone();
        let (x, y) = (number % 60 * 3, number / 60 * 3);
        (0..4).for_each(|at| copy.put_pixel(x + at % 2, y + at / 2, Luma([200])));
        signature(&jpeg(&copy, 90).unwrap())
    };
    (0..count).into_par_iter().map(copy).collect()
}

#[test]
fn thousands_of_copies_of_one_picture_are_one_group_by_few_pairs() {
    let count = 3_000;
    let signatures = crowd(&drawn(1), count as u32);
    let found = pairs(&signatures);
    assert!(found.len() <= 13 * count, "{} pairs", found.len());
    let tied = groups(count, found.iter().map(|pair| (pair.original, pair.copy)));
    let in_first = |number: &&Option<GroupNumber>| number.is_some_and(|n| n.smallest_member() == 0);
    assert_eq!(tied.iter().filter(in_first).count(), count);
}

#[test]
fn a_crowd_does_not_hide_the_copies_of_other_pictures() {
    let mut signatures = crowd(&drawn(1), 240);
    signatures.extend(family(2));
    signatures.extend((3..40).map(|index| signed(&drawn(index))));
    let found = pairs(&signatures);
    let family = 240..240 + WAYS.len();
    for copy in family.skip(1) {
        let is_tied = |pair: &Pair| {
            (pair.original.min(pair.copy), pair.original.max(pair.copy)) == (240, copy)
        };
        assert!(found.iter().any(is_tied), "{}", WAYS[copy - 241].name);
    }
}

#[test]
fn a_sixteen_bit_picture_and_its_eight_bit_copy_are_tied() {
    // 12 bits, as CT has them, in a 16-bit file: dark, and with levels that 8 bits merge
    let eight = drawn(5);
    let deep = |level: u8, x: u32, y: u32| u16::from(level) * 16 + ((x * 7 + y * 3) % 16) as u16;
    let sixteen =
        ImageBuffer::from_fn(SIDE, SIDE, |x, y| Luma([deep(eight.get_pixel(x, y).0[0], x, y)]));
    let mut file = Cursor::new(Vec::new());
    sixteen.write_to(&mut file, ImageFormat::Png).unwrap();
    let found = pairs(&[signature(file.get_ref()), signed(&eight)]);
    assert_eq!(found.len(), 1);
    assert_eq!(changes(&found[0]), [Change::Toned]);

    // the same levels in 16 bits are the same pixels
    let widened = ImageBuffer::from_fn(SIDE, SIDE, |x, y| {
        Luma([u16::from(eight.get_pixel(x, y).0[0]) * 257])
    });
    let mut file = Cursor::new(Vec::new());
    widened.write_to(&mut file, ImageFormat::Png).unwrap();
    let found = pairs(&[signature(file.get_ref()), signed(&eight)]);
    assert_eq!(found[0].relation, Relation::SamePixels);
}
