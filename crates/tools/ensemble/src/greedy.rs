//! Greedy selection with replacement.
//!
//! Caruana, Niculescu-Mizil, Crew, Ksikes, "Ensemble Selection from Libraries of Models", ICML 2004.

use anyhow::{Context, Result};
use dataset::ClassIndex;
use metrics::{LabelledLogits, Temperature, TemperatureOutcome, softmax_with_temperature};

use crate::candidate::Candidate;

/// The most draws: weights are multiples of a 25th or more.
const MOST_DRAWS: u32 = 25;

/// A lower gain of log loss than this, in nats, is not worth another draw.
const LEAST_GAIN: f64 = 1e-5;

/// Probabilities below this count as this, so that one image cannot decide alone.
const LEAST_PROBABILITY: f64 = 1e-12;

/// Probabilities of images, `[images][classes]`.
pub(crate) type Probabilities = Vec<Vec<f64>>;

/// The probabilities of every image, with the temperature that fits some of them best.
pub(crate) fn calibrated_on(
    candidate: &Candidate,
    labels: &[usize],
    images: &[usize],
) -> Result<Probabilities> {
    let classes = candidate.logits.first().map_or(0, Vec::len);
    let rows = images.iter().map(|image| {
        let row: Vec<f64> = candidate.logits[*image].iter().copied().map(f64::from).collect();
        (ClassIndex(labels[*image]), row)
    });
    let logits = LabelledLogits::new(classes, rows)
        .with_context(|| format!("calibrate {}: its output is not a number", candidate.name))?;
    let fit = logits.fit_temperature();
    // As in `calibrate`: what the images do not determine stays the model's own.
    let temperature = match fit.outcome {
        TemperatureOutcome::Minimum => fit.temperature,
        _ => Temperature::ONE,
    };
    Ok(probabilities(&candidate.logits, temperature))
}

/// The probabilities of every image at a temperature.
pub(crate) fn probabilities(logits: &[Vec<f32>], temperature: Temperature) -> Probabilities {
    let row = |logits: &Vec<f32>| {
        let logits: Vec<f64> = logits.iter().copied().map(f64::from).collect();
        softmax_with_temperature(&logits, temperature)
    };
    logits.iter().map(row).collect()
}

/// How often each candidate is drawn; `may_start` says which may be the first.
pub(crate) fn draws(
    candidates: &[Probabilities],
    may_start: &[bool],
    labels: &[usize],
    images: &[usize],
) -> Vec<u32> {
    let mut drawn = vec![0; candidates.len()];
    let mut sum: Option<Probabilities> = None;
    let mut lowest = f64::INFINITY;
    for draw in 1..=MOST_DRAWS {
        let eligible =
            (0..candidates.len()).filter(|candidate| sum.is_some() || may_start[*candidate]);
        // Of equal ones the first.
        let best = eligible
            .map(|candidate| {
                let with = added(sum.as_ref(), &candidates[candidate], images);
                (loss_of_sum(&with, f64::from(draw), labels, images), candidate, with)
            })
            .min_by(|one, other| one.0.total_cmp(&other.0));
        let Some((loss, candidate, with)) = best else { break };
        if loss > lowest - LEAST_GAIN {
            break;
        }
        lowest = loss;
        drawn[candidate] += 1;
        sum = Some(with);
    }
    drawn
}

/// The sum over the images that count, in their order.
fn added(sum: Option<&Probabilities>, own: &Probabilities, images: &[usize]) -> Probabilities {
    let own = images.iter().map(|image| &own[*image]);
    match sum {
        None => own.cloned().collect(),
        Some(sum) => {
            let rows = sum.iter().zip(own);
            rows.map(|(sum, own)| sum.iter().zip(own).map(|(a, b)| a + b).collect()).collect()
        }
    }
}

fn loss_of_sum(sum: &Probabilities, draws: f64, labels: &[usize], images: &[usize]) -> f64 {
    let losses = sum.iter().zip(images).map(|(row, image)| loss(row[labels[*image]] / draws));
    losses.sum::<f64>() / images.len().max(1) as f64
}

/// The log loss of one image, in nats.
pub(crate) fn loss(probability: f64) -> f64 {
    -probability.max(LEAST_PROBABILITY).ln()
}

/// The weighted mean of the candidates' probabilities of one image.
pub(crate) fn mean(candidates: &[Probabilities], draws: &[u32], image: usize) -> Vec<f64> {
    let all: u32 = draws.iter().sum();
    let classes = candidates.first().map_or(0, |it| it[image].len());
    let of_class = |class: usize| {
        let drawn = candidates.iter().zip(draws);
        drawn.map(|(it, draws)| f64::from(*draws) * it[image][class]).sum::<f64>() / f64::from(all)
    };
    (0..classes).map(of_class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes; the probability of the first for each image.
    fn rows(first: &[f64]) -> Probabilities {
        first.iter().map(|it| vec![*it, 1.0 - it]).collect()
    }

    const LABELS: [usize; 4] = [0, 0, 1, 1];
    const ALL: [usize; 4] = [0, 1, 2, 3];

    #[test]
    fn models_that_err_on_other_images_are_combined() {
        let one = rows(&[0.9, 0.4, 0.1, 0.1]);
        let other = rows(&[0.4, 0.9, 0.1, 0.1]);
        assert_eq!(draws(&[one, other], &[true, true], &LABELS, &ALL), [1, 1]);
    }

    #[test]
    fn a_model_that_adds_nothing_is_left_out() {
        let good = rows(&[0.9, 0.9, 0.1, 0.1]);
        let chance = rows(&[0.5, 0.5, 0.5, 0.5]);
        assert_eq!(draws(&[chance, good], &[true, true], &LABELS, &ALL), [0, 1]);
    }

    #[test]
    fn what_may_not_start_may_follow() {
        let flipped = rows(&[0.9, 0.4, 0.1, 0.1]);
        let plain = rows(&[0.3, 0.9, 0.1, 0.2]);
        let drawn = draws(&[flipped, plain], &[false, true], &LABELS, &ALL);
        assert!(drawn[0] > 0 && drawn[1] > 0, "{drawn:?}");
    }

    #[test]
    fn weights_are_shares_of_the_draws() {
        let both = [rows(&[0.9; 4]), rows(&[0.3; 4])];
        let mean = mean(&both, &[2, 1], 0);
        assert!((mean[0] - 0.7).abs() < 1e-12, "{mean:?}");
    }
}
