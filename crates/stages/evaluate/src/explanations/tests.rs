//! Models that look at one known place, with maps that show it, show another place, or do not
//! depend on the weights.

use imaging::{Normalisation, Preprocessing};
use scoring::{Unit, prediction};

use super::*;
use crate::worth::thumbnail::tests::bitmap;

const PREPROCESSING: Preprocessing = Preprocessing::bilinear(32, Normalisation::Unit);

/// Maps are of 4×4 cells of 8 pixels.
const CELLS: usize = 4;
const IMAGES: u8 = 30;

/// The cell in which an image has its bright square.
fn bright_cell(number: u8) -> u8 {
    number.wrapping_mul(7) % 16
}

fn brightness(seen: &[f32], cell: usize) -> f32 {
    let (row, column) = (cell / CELLS * 8, cell % CELLS * 8);
    let pixels = (0..64).map(|at| seen[(row + at / 8) * 32 + column + at % 8]);
    pixels.sum::<f32>() / 64.0
}

/// The content of a map.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Shows {
    /// The brightness of each cell, which the answer depends on.
    WhatCounts,
    /// The opposite.
    TheRest,
    /// A fixed pattern that has nothing to do with the picture.
    Pattern,
    Nothing,
}

/// Predicts the first class if a cell is bright.
struct Bright(Shows);

impl Subject for Bright {
    fn logits(&self, images: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        let brightest = |seen: &Vec<f32>| {
            (0..CELLS * CELLS).map(|cell| brightness(seen, cell)).fold(0.0, f32::max)
        };
        Ok(images.iter().map(|seen| vec![12.0 * (brightest(seen) - 0.5), 0.0]).collect())
    }

    fn map(&self, image: &[f32], _: ClassIndex) -> Result<Heatmap> {
        let value = |cell: usize| match self.0 {
            Shows::WhatCounts => brightness(image, cell),
            Shows::TheRest => 1.0 - brightness(image, cell),
            Shows::Pattern => (cell * 5 % 16) as f32,
            Shows::Nothing => 0.0,
        };
        Ok(Heatmap { side: CELLS, values: (0..CELLS * CELLS).map(value).collect() })
    }
}

/// The test results for such maps; shuffled weights give maps of the second kind.
fn examine(maps: Shows, shuffled: Shows) -> Tested {
    let folder = tempfile::tempdir().unwrap();
    let mut lesions = BTreeMap::new();
    let image = |number: u8| {
        let cell = bright_cell(number);
        let (column, row) = (cell % 4, cell / 4);
        // Dark cells differ too, so that every map has an order.
        let bytes = bitmap(|x, y| {
            let is_bright = x / 8 == column && y / 8 == row;
            if is_bright { 230 } else { 40 + (x / 8 * 4 + y / 8) }
        });
        let name = number.to_string();
        let file = folder.path().join(&name);
        artifact::write_file(&file, &bytes).unwrap();
        let share = |cell: u8| f64::from(cell) / 4.0;
        let (left, top) = (share(column), share(row));
        let lesion = LesionBox { left, top, right: left + 0.25, bottom: top + 0.25 };
        lesions.insert(name.clone(), lesion);
        TestImage {
            name,
            file,
            sha256: Digest::of(&bytes),
            actual: ClassIndex(0),
            group: number.into(),
            has_copy_in_training: false,
        }
    };
    let test = TestSet { images: (0..IMAGES).map(image).collect(), unit: Unit::Slices };
    let subject = Bright(maps);
    let input = ModelInput::of_one(PREPROCESSING);
    let seen = read_images(&test.images, &input).unwrap();
    let logits = subject.logits(&seen).unwrap();
    let pairs = test.images.iter().zip(&logits);
    let predictions: Vec<Prediction> =
        pairs.map(|(image, row)| prediction(image, row, Temperature::ONE).unwrap()).collect();
    assert!(predictions.iter().all(Prediction::is_correct));
    let examination = Examination {
        test: &test,
        predictions: &predictions,
        input: &input,
        temperature: Temperature::ONE,
        mask: Mask::new(&input, 50.0),
        bootstrap: Bootstrap { seed: 17, resamples: 300 },
        images: 20,
        lesions: &lesions,
    };
    examination.examine(&subject, |_| Ok(Bright(shuffled))).unwrap()
}

#[test]
fn maps_of_what_counts_pass_every_test() {
    let found = examine(Shows::WhatCounts, Shows::Pattern);
    assert_eq!((found.verdict, found.images, found.empty), (MapVerdict::Passes, 20, 0));
    let deletion = found.deletion.as_ref().unwrap();
    // The bright cell is covered first, and nothing else matters: the answer is gone at a tenth.
    let [first, tenth] = [&deletion.curve[0], &deletion.curve[1]];
    assert!(first.marked > 0.98 && first.marked == first.elsewhere, "{first:?}");
    assert!(tenth.marked < 0.05 && tenth.elsewhere > 0.9, "{tenth:?}");
    assert!(deletion.gain.interval.unwrap().low > 0.2, "{:?}", deletion.gain);
    let pointing = found.pointing.as_ref().unwrap();
    assert_eq!((pointing.images, pointing.hits.value), (20, Some(1.0)));
    assert!((pointing.chance - 1.0 / 16.0).abs() < 1e-12, "{pointing:?}");
    assert!(!found.has_many_empty());
}

#[test]
fn maps_that_stay_when_weights_are_shuffled_fail() {
    let found = examine(Shows::WhatCounts, Shows::WhatCounts);
    assert_eq!(found.verdict, MapVerdict::Unchanged);
    assert!(found.randomisation.iter().all(|it| it.rank_correlation.value == Some(1.0)));
    assert!(found.in_words.contains("and are not shown"), "{}", found.in_words);
}

#[test]
fn maps_of_what_does_not_count_fail() {
    for maps in [Shows::TheRest, Shows::Pattern] {
        let found = examine(maps, Shows::WhatCounts);
        assert_eq!(found.verdict, MapVerdict::NoBetterThanElsewhere, "{maps:?}");
    }
    let pointing = examine(Shows::TheRest, Shows::WhatCounts).pointing.unwrap();
    assert_eq!(pointing.hits.value, Some(0.0));
    assert!(pointing.gain.value.unwrap() < 0.0);
}

#[test]
fn empty_maps_are_counted_and_shown_to_nobody() {
    let found = examine(Shows::Nothing, Shows::Nothing);
    assert_eq!((found.verdict, found.empty), (MapVerdict::Empty, 20));
    assert!(found.has_many_empty() && found.deletion.is_none() && found.pointing.is_none());
    let became = examine(Shows::WhatCounts, Shows::Nothing);
    assert_eq!(became.verdict, MapVerdict::Passes, "maps that vanish with the weights change");
    assert_eq!(became.randomisation[0].became_empty, 20);
}
