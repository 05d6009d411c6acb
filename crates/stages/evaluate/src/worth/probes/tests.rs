//! Models that look at only one known thing: the probe that removes it shows this, and the others
//! do not.

use artifact::Digest;
use dataset::ClassIndex;
use imaging::GreyLevels;
use imaging::{Normalisation, Preprocessing};
use scoring::{Mask, Unit};

use super::*;
use crate::worth::thumbnail::tests::picture;

const PREPROCESSING: Preprocessing = Preprocessing::bilinear(32, Normalisation::Unit);

const IMAGES: u8 = 40;

/// Noise around a level; even numbers have a square in the middle or a line at the border.
fn grey(number: u8, planted: Planted) -> impl Fn(u8, u8) -> u8 {
    let is_first = number.is_multiple_of(2);
    move |x, y| {
        let noise = Digest::of(&[number, x / 2, y / 2]).as_bytes()[0] % 40;
        let is_marked = match planted {
            Planted::Level => false,
            Planted::Middle => (12..20).contains(&x) && (12..20).contains(&y),
            Planted::Border => y < 2,
        };
        let level = if planted == Planted::Level && is_first { 140 } else { 60 };
        level + noise + if is_marked && is_first { 100 } else { 0 }
    }
}

/// The difference between the classes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Planted {
    Level,
    Middle,
    Border,
}

impl Planted {
    /// Looks only at the planted part: compares the mean of its pixels with a value between the
    /// classes.
    fn answer(self, planes: &[f32]) -> Vec<f32> {
        let pixels = (0..32_usize * 32).filter(|at| match self {
            Self::Level => true,
            Self::Middle => (12..20).contains(&(at % 32)) && (12..20).contains(&(at / 32)),
            Self::Border => at / 32 < 2,
        });
        let values: Vec<f32> = pixels.map(|at| planes[at]).collect();
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        vec![20.0 * (mean - 125.0 / 255.0), 0.0]
    }
}

/// The probes of a model that looks at the planted part.
fn probes(planted: Planted) -> Vec<Probe> {
    let folder = tempfile::tempdir().unwrap();
    let image = |number: u8| {
        let file = folder.path().join(format!("{number}.bmp"));
        let bytes = crate::worth::thumbnail::tests::bitmap(grey(number, planted));
        artifact::write_file(&file, &bytes).unwrap();
        TestImage {
            name: number.to_string(),
            file,
            sha256: Digest::of(&bytes),
            actual: ClassIndex(usize::from(number % 2)),
            group: number.into(),
            has_copy_in_training: false,
        }
    };
    let test = TestSet { images: (0..IMAGES).map(image).collect(), unit: Unit::Slices };
    let input = ModelInput::of_one(PREPROCESSING);
    // The training images are like the test images.
    let pictures = (0..IMAGES).map(|it| GreyLevels::of(&picture(grey(it, planted))));
    let levels = GreyLevels::mean(pictures).unwrap();
    let mask = Mask::new(&input, levels.mean_level());
    let prober = Prober {
        test: &test,
        input: &input,
        temperature: Temperature::ONE,
        alterations: Alterations { levels, mask, side: 28 },
        bootstrap: Bootstrap { seed: 17, resamples: 200 },
    };
    let answer = |seen: &[Vec<f32>]| Ok(seen.iter().map(|it| planted.answer(it)).collect());
    let asis: Vec<Prediction> = test
        .images
        .iter()
        .map(|image| {
            let seen = PREPROCESSING.apply(&read_picture(image).unwrap());
            prediction(image, &planted.answer(&seen), Temperature::ONE).unwrap()
        })
        .collect();
    assert!(asis.iter().all(Prediction::is_correct), "{planted:?} is found as it is");
    prober.probe_all(&asis, &answer).unwrap()
}

/// The accuracy that each probe loses, in the order of [`Alteration::ALL`].
fn losses(planted: Planted) -> Vec<f64> {
    probes(planted).iter().map(|probe| -probe.change.value.unwrap()).collect()
}

#[test]
fn a_model_of_the_level_loses_half_when_levels_are_matched() {
    // Of two classes, half are right by chance.
    let probes = probes(Planted::Level);
    let loss = -probes[0].change.value.unwrap();
    assert!((loss - 0.5).abs() < 0.101, "{loss}");
    assert!(probes[0].change.interval.unwrap().high < 0.0, "{:?}", probes[0]);
    assert_eq!(probes[0].answers_changed, (loss * f64::from(IMAGES)).round() as usize);
    for probe in &probes[3..] {
        assert_eq!(probe.change.value, Some(0.0), "{probe:?}");
    }
}

#[test]
fn a_model_of_the_middle_loses_half_when_the_middle_is_covered() {
    assert_eq!(losses(Planted::Middle), [0.0, 0.5, 0.0, 0.0, 0.0]);
}

#[test]
fn a_model_of_the_border_loses_half_when_the_border_is_covered() {
    assert_eq!(losses(Planted::Border), [0.0, 0.0, 0.5, 0.0, 0.0]);
}
