//! Planted look-alikes are found, and none among unrelated pictures.

use artifact::Digest;
use dataset::ClassIndex;
use imaging::GreyLevels;
use scoring::{TestImage, Unit};

use super::*;
use crate::worth::thumbnail::tests::{bitmap, picture};
use crate::worth::training_pictures::TrainingPicture;

const CLASSES: [&str; 2] = ["a", "b"];

/// Blocks of 4×4 pixels of random greys: pictures of different numbers are unrelated.
fn noise(number: u32) -> impl Fn(u8, u8) -> u8 {
    move |x, y| Digest::of(&[&number.to_le_bytes()[..], &[x / 4, y / 4]].concat()).as_bytes()[0]
}

fn training() -> TrainingPictures {
    let pictures = (0..60).map(|number: u32| TrainingPicture {
        path: format!("train/{number}.bmp"),
        class: CLASSES[number as usize % 2].into(),
        group: GroupNumber(number),
        thumbnail: Thumbnail::of(&picture(noise(number))),
    });
    let levels = GreyLevels::of(&picture(noise(0)));
    TrainingPictures { pictures: pictures.collect(), levels, common_side: 32 }
}

/// Forty test images, of which the first `planted` look like a training image of their class: the
/// same with small changes.
fn test_set(folder: &std::path::Path, planted: u32) -> TestSet {
    let image = |number: u32| {
        let like = if number < planted { number } else { 1_000 + number };
        let file = folder.join(format!("{number}.bmp"));
        let bytes = bitmap(|x, y| noise(like)(x, y).saturating_add((x + y) % 8));
        artifact::write_file(&file, &bytes).unwrap();
        TestImage {
            name: format!("{number}.bmp"),
            file,
            sha256: Digest::of(&bytes),
            actual: ClassIndex(number as usize % 2),
            group: 1_000 + number,
            has_copy_in_training: false,
        }
    };
    TestSet { images: (0..40).map(image).collect(), unit: Unit::Slices }
}

/// A model that is right on the planted ones, and on half of the others.
fn found(planted: u32) -> LookAlikes {
    let folder = tempfile::tempdir().unwrap();
    let (training, test) = (training(), test_set(folder.path(), planted));
    let bootstrap = Bootstrap { seed: 17, resamples: 200 };
    let classes = ClassIndices::of_names(CLASSES);
    let search = Search { test: &test, classes: &classes, training: &training, bootstrap };
    let right = (0..40).map(|number| f64::from(u8::from(number < planted || number % 2 == 0)));
    let answers = [TestAnswers { name: "model", right: right.collect() }];
    let found = search.find().unwrap().unwrap();
    // Plus chance: one in a hundred of the training images is above the threshold too.
    let (known, chance): (Vec<usize>, Vec<usize>) =
        found.training.iter().copied().partition(|place| *place < planted as usize);
    assert_eq!(known, (0..planted as usize).collect::<Vec<_>>(), "the training images are known");
    assert!(chance.len() <= 3, "{chance:?}");
    search.tell(&found, &answers, None)
}

#[test]
fn planted_look_alikes_are_found_and_left_out_of_the_headline() {
    let found = found(20);
    assert!((20..=22).contains(&found.images) && found.of_same_class >= 20, "{found:?}");
    let without = found.without.unwrap();
    let accuracy = without.accuracy[0].accuracy.value.unwrap();
    assert!(without.images >= 18 && (accuracy - 0.5).abs() < 0.06, "{without:?}");
    // 40 images make four bins of ten, the most similar last.
    let accuracies: Vec<_> = found.curve.iter().map(|it| it.accuracy[0].accuracy.value).collect();
    assert_eq!(accuracies[2..], [Some(1.0), Some(1.0)]);
    assert_eq!(found.curve[2].of_same_class, 10);
    assert!(found.curve[0].to < found.threshold && found.curve[2].from > found.threshold);
}

#[test]
fn pictures_with_nothing_in_common_have_none() {
    let found = found(0);
    assert!(found.images <= 3, "chance alone: {}", found.images);
    assert_eq!(found.effect, LookAlikeEffect::None);
    assert_eq!(found.without.unwrap().images, 40 - found.images);
}

#[test]
fn one_class_tells_no_threshold() {
    let mut training = training();
    training.pictures.iter_mut().for_each(|it| it.class = "a".into());
    assert_eq!(threshold(&training.pictures, 17), None);
}

#[test]
fn one_in_a_hundred_of_the_training_images_lies_above_the_threshold() {
    let pictures = training().pictures;
    let found = threshold(&pictures, 17).unwrap();
    let alone: Vec<f64> = pictures
        .iter()
        .map(|it| {
            let others = pictures.iter().filter(|other| other.class != it.class);
            others.map(|other| other.thumbnail.similarity(&it.thumbnail)).fold(-1.0, f64::max)
        })
        .collect();
    // Of 60 images none may exceed it: a hundredth is less than one image.
    assert_eq!(found, alone.iter().copied().fold(-1.0, f64::max));
}
