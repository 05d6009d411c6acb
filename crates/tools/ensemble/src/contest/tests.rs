//! Candidates whose worth is known, because it was planted.

use artifact::Digest;
use classifier::held_out::HeldOutImage;
use config::Flip;
use metrics::Temperature;

use super::*;
use crate::candidate::Candidate;

const IMAGES: usize = 400;
const HOLDING: Holding = Holding { folds: 5, seed: 17 };

/// A number in −1 to 1 that depends on its arguments alone.
fn noise(candidate: usize, image: usize) -> f32 {
    let key = [candidate.to_le_bytes(), image.to_le_bytes()];
    let digest = Digest::of_fields(key.iter().map(|part| &part[..]));
    let bytes = digest.as_bytes();
    f32::from(u16::from_le_bytes([bytes[0], bytes[1]])) / 32_768.0 - 1.0
}

/// Two classes in turn; each candidate sees the class with a strength, and noise of its own.
fn candidates(strengths: &[f32]) -> Candidates {
    let image = |place: usize| HeldOutImage {
        sha256: Digest::of(&place.to_le_bytes()),
        class: place % 2,
        group: place as u32 / 4,
        out_of_fold: true,
    };
    let candidate = |(number, strength): (usize, &f32)| {
        let logit = |place: usize| {
            let signed = if place.is_multiple_of(2) { *strength } else { -strength };
            vec![signed + 3.0 * noise(number, place), 0.0]
        };
        Candidate {
            name: number.to_string(),
            model: number,
            flip: Flip::None,
            temperature: Temperature::ONE,
            logits: (0..IMAGES).map(logit).collect(),
        }
    };
    Candidates {
        images: (0..IMAGES).map(image).collect(),
        all: strengths.iter().enumerate().map(candidate).collect(),
    }
}

fn names() -> Vec<String> {
    vec!["cancer".into(), "normal".into()]
}

#[test]
fn models_with_errors_of_their_own_are_better_together() {
    let found = contest(&candidates(&[1.5; 4]), Choice::Greedy, HOLDING, &names()).unwrap();
    assert_eq!(found.verdict, Verdict::Better, "{found:?}");
    assert!(found.accuracy.difference.value.unwrap() > 0.02, "{found:?}");
    assert_eq!((found.images, found.groups, found.folds), (IMAGES, IMAGES / 4, 5));
}

#[test]
fn the_best_of_many_that_know_nothing_is_not_called_better() {
    // Chosen and scored on the same images, some of them look better than chance.
    let all = candidates(&[0.0; 30]);
    let every: Vec<usize> = (0..IMAGES).collect();
    let rows = calibrated(&all, &every).unwrap();
    let drawn = chosen(&all, Choice::Greedy, &rows, &every);
    let labels = all.labels();
    let flattered: f64 =
        every.iter().map(|image| loss(mean(&rows, &drawn, *image)[labels[*image]])).sum::<f64>()
            / IMAGES as f64;
    let chance = std::f64::consts::LN_2;
    assert!(flattered < chance - 0.002, "{flattered}");
    let found = contest(&all, Choice::Greedy, HOLDING, &names()).unwrap();
    assert!(found.log_loss.first.unwrap() > chance - 0.002, "{found:?}");
    assert_eq!(found.verdict, Verdict::NoBetter, "{found:?}");
}

#[test]
fn one_good_model_among_bad_ones_is_left_alone_or_not_called_worse() {
    let mut strengths = [0.0; 6];
    strengths[3] = 4.0;
    let drawn = choose(&candidates(&strengths), Choice::Greedy).unwrap();
    let share = f64::from(drawn[3]) / f64::from(drawn.iter().sum::<u32>());
    assert!(share > 0.7, "{drawn:?}");
    let equal = contest(&candidates(&strengths), Choice::Equal, HOLDING, &names()).unwrap();
    assert_eq!(equal.verdict, Verdict::NoBetter, "{equal:?}");
    assert!(equal.log_loss.difference.value.unwrap() > 0.0, "{equal:?}");
}
