//! Shortcuts that were planted are found, and named.

use image::imageops::{self, FilterType};
use ingest::sample::SampleClass;
use shortcuts::{Baseline, Shortcut};

use crate::phantoms::{Drawn, set};

const PHANTOMS: usize = 120;

/// The claims of a baseline.
fn of_baseline(shortcuts: &[Shortcut], baseline: Baseline) -> Vec<&Shortcut> {
    shortcuts.iter().filter(|it| it.baseline == baseline).collect()
}

/// A white square, like a label stamped on the picture.
fn stamp(drawn: &mut Drawn) {
    let side = drawn.picture.width() / 16;
    for (x, y) in (0..side).flat_map(|x| (0..side).map(move |y| (x, y))) {
        drawn.picture.get_pixel_mut(x + 2, y + 2).0[0] = 255;
    }
}

#[test]
fn a_mark_in_a_corner_is_named_with_its_corner() {
    let marked = set(PHANTOMS, 11, |drawn| {
        if drawn.class == SampleClass::Normal {
            stamp(drawn);
        }
    });
    let claims = marked.claims(1);
    let frame = of_baseline(&claims, Baseline::FRAME);
    assert_eq!(frame.len(), 1, "{claims:?}");
    assert_eq!(frame[0].class, "normal");
    assert_eq!(frame[0].others.len(), 3);
    let sentence = &frame[0].in_words;
    let told = "normal is distinguished from every other class by the picture's edge alone (AUROC ";
    assert!(sentence.starts_with(told), "{sentence}");
    assert!(sentence.contains("a bright mark in the upper left corner"), "{sentence}");
    // No claim is made about classes that were left unchanged.
    assert!(claims.iter().all(|claim| claim.class == "normal"), "{claims:?}");
}

#[test]
fn of_a_mark_that_half_of_the_others_have_only_the_pair_without_doubt_is_named() {
    let marked = set(160, 12, |drawn| {
        let is_marked = match drawn.class {
            SampleClass::Adenocarcinoma => true,
            SampleClass::LargeCellCarcinoma => false,
            // Half in every split: the fifths go by the number.
            SampleClass::Normal | SampleClass::SquamousCellCarcinoma => drawn.number / 5 % 2 == 0,
        };
        if is_marked {
            stamp(drawn);
        }
    });
    let report = marked.findings(1).report;
    let told: Vec<_> = report.verdict.pairs.iter().filter(|pair| pair.is_told_apart).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].baseline, Baseline::FRAME);
    assert_eq!(told[0].classes, ["adenocarcinoma", "large_cell_carcinoma"]);
    let [claim] = &report.verdict.shortcuts[..] else { panic!("{:?}", report.verdict.shortcuts) };
    assert_eq!((claim.class.as_str(), claim.others.len()), ("adenocarcinoma", 1));
    let told = "distinguished from large_cell_carcinoma by the picture's edge alone (AUROC 0.9";
    assert!(claim.in_words.contains(told), "{}", claim.in_words);
    assert!(claim.in_words.contains("a bright mark in the upper left corner"));
}

#[test]
fn a_window_of_its_own_is_named_as_brightness() {
    let windowed = set(PHANTOMS, 13, |drawn| {
        if drawn.class == SampleClass::SquamousCellCarcinoma {
            for pixel in drawn.picture.pixels_mut() {
                pixel.0[0] = 110 + (f32::from(pixel.0[0]) * 0.55) as u8;
            }
        }
    });
    let claims = windowed.claims(1);
    let brightness = of_baseline(&claims, Baseline::GREY_HISTOGRAM);
    assert_eq!(brightness.len(), 1, "{claims:?}");
    let sentence = &brightness[0].in_words;
    let told = "squamous_cell_carcinoma is distinguished from every other class by brightness alone (AUROC ";
    assert!(sentence.starts_with(told), "{sentence}");
    let giveaway = brightness[0].giveaway.as_ref().unwrap();
    assert!(giveaway.auroc > 0.95, "{giveaway:?}");
    assert!(giveaway.in_words.contains("grey") || giveaway.in_words.contains("brighter"));
    assert!(claims.iter().all(|claim| claim.class == "squamous_cell_carcinoma"), "{claims:?}");
}

#[test]
fn a_size_of_its_own_is_named_in_pixels() {
    let resized = set(PHANTOMS, 14, |drawn| {
        if drawn.class == SampleClass::LargeCellCarcinoma {
            let (width, height) = drawn.picture.dimensions();
            let (width, height) = (width * 3 / 2, height * 3 / 2);
            drawn.picture = imageops::resize(&drawn.picture, width, height, FilterType::CatmullRom);
        }
    });
    let claims = resized.claims(1);
    let file = of_baseline(&claims, Baseline::METADATA);
    assert_eq!(file.len(), 1, "{claims:?}");
    let sentence = &file[0].in_words;
    let told = "large_cell_carcinoma is distinguished from every other class by the file alone";
    assert!(sentence.starts_with(told), "{sentence}");
    let giveaway = file[0].giveaway.as_ref().unwrap();
    assert_eq!(giveaway.measure, "width in pixels");
    assert!(sentence.contains("its pictures are wider: "), "{sentence}");
    assert!(giveaway.class.tenth > giveaway.others.ninetieth, "{giveaway:?}");
    assert_eq!(claims.len(), 1, "{claims:?}");
}
