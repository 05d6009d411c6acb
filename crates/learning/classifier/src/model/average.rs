//! The answer of several networks as one.

use metrics::{Temperature, softmax_with_temperature};

use super::{Heatmap, ModelOutput};

/// What one network says about an image.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) output: ModelOutput,
    pub(super) weight: f64,
    pub(super) temperature: Temperature,
}

impl Said {
    fn probabilities(&self) -> Vec<f64> {
        let logits: Vec<f64> = self.output.logits.iter().map(|it| f64::from(*it)).collect();
        softmax_with_temperature(&logits, self.temperature)
    }
}

/// The logarithm of the weighted mean of calibrated probabilities, as logits; their softmax is that
/// mean. The features are those of the first network, to which the checks for foreign images belong.
/// `None` if nothing was said.
pub(super) fn average(said: &[Said]) -> Option<ModelOutput> {
    let first = said.first()?;
    let mut mean = vec![0.0; first.output.logits.len()];
    for it in said {
        for (sum, probability) in mean.iter_mut().zip(it.probabilities()) {
            *sum += it.weight * probability;
        }
    }
    // A probability of 0 has no finite logarithm.
    let logits = mean.iter().map(|share| share.max(f64::MIN_POSITIVE).ln() as f32).collect();
    Some(ModelOutput { logits, pooled: first.output.pooled.clone() })
}

/// How much of the probability of a class is due to each network, divided by its temperature: by
/// so much the logit of the ensemble follows that of the network, to first order.
pub(super) fn shares_of_class(said: &[Said], class: usize) -> Vec<f64> {
    let of_each = said.iter().map(|it| it.weight * it.probabilities()[class]);
    let of_each: Vec<f64> = of_each.collect();
    let whole: f64 = of_each.iter().sum();
    let shares = said.iter().zip(of_each).map(|(it, own)| {
        let share = if whole > 0.0 { own / whole } else { it.weight };
        share / it.temperature.get()
    });
    shares.collect()
}

/// The weighted sum of maps, on the grid of the first. `None` without maps.
pub(super) fn sum_of_maps(maps: &[Heatmap], weights: &[f64]) -> Option<Heatmap> {
    let side = maps.first()?.side;
    let mut values = vec![0.0_f32; side * side];
    for (map, weight) in maps.iter().zip(weights) {
        for (place, value) in values.iter_mut().enumerate() {
            *value += (weight * f64::from(mean_in(map, side, place / side, place % side))) as f32;
        }
    }
    Some(Heatmap { side, values })
}

/// The mean of a map over one cell of a grid of `side` × `side`; its own cells count by the area
/// that they have in it. This keeps the mean over the map.
fn mean_in(map: &Heatmap, side: usize, row: usize, column: usize) -> f32 {
    let overlaps = |at: usize| {
        let (start, end) = (at * map.side, (at + 1) * map.side);
        (start / side..end.div_ceil(side)).map(move |cell| {
            let overlap = end.min((cell + 1) * side) - start.max(cell * side);
            (cell, overlap as f32 / map.side as f32)
        })
    };
    let of_row = |(cell, height): (usize, f32)| -> f32 {
        overlaps(column).map(|(at, width)| map.values[cell * map.side + at] * width * height).sum()
    };
    overlaps(row).map(of_row).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(logits: &[f32], weight: f64, temperature: f64) -> Said {
        let output = ModelOutput { logits: logits.to_vec(), pooled: vec![weight as f32] };
        Said { output, weight, temperature: Temperature::try_from(temperature).unwrap() }
    }

    #[test]
    fn the_softmax_of_the_answer_is_the_mean_of_calibrated_probabilities() {
        // softmax([ln 3, 0]) = (3/4, 1/4); at temperature 2, [2 ln 4, 0] is (4/5, 1/5).
        let both =
            [said(&[3.0_f32.ln(), 0.0], 0.25, 1.0), said(&[2.0 * 4.0_f32.ln(), 0.0], 0.75, 2.0)];
        let answer = average(&both).unwrap();
        let mean = 0.25 * 0.75 + 0.75 * 0.8;
        assert!((f64::from(answer.logits[0]).exp() - mean).abs() < 1e-6, "{answer:?}");
        assert!((f64::from(answer.logits[1]).exp() - (1.0 - mean)).abs() < 1e-6, "{answer:?}");
        assert_eq!(answer.pooled, [0.25]);
    }

    #[test]
    fn a_class_that_nobody_believes_in_has_a_finite_logit() {
        let answer = average(&[said(&[0.0, 2000.0], 1.0, 1.0)]).unwrap();
        assert!(answer.logits.iter().all(|logit| logit.is_finite()), "{answer:?}");
        assert_eq!(answer.logits[1], 0.0);
    }

    #[test]
    fn the_network_that_believes_in_a_class_explains_it() {
        let both = [said(&[3.0_f32.ln(), 0.0], 0.5, 1.0), said(&[0.0, 3.0_f32.ln()], 0.5, 2.0)];
        // (3/4, 1/4), and with half the logit (1, √3) / (1 + √3).
        let second = 1.0 / (1.0 + 3.0_f64.sqrt());
        let shares = shares_of_class(&both, 0);
        assert!((shares[0] - 0.75 / (0.75 + second)).abs() < 1e-6, "{shares:?}");
        assert!((shares[1] - second / (0.75 + second) / 2.0).abs() < 1e-6, "{shares:?}");
    }

    #[test]
    fn maps_of_other_sizes_keep_their_mean() {
        let map = |side: usize| Heatmap {
            side,
            values: (0..side * side).map(|it| (it * it % 7) as f32).collect(),
        };
        let mean = |map: &Heatmap| map.values.iter().sum::<f32>() / map.values.len() as f32;
        for side in [1, 2, 3, 4, 7, 8] {
            let blank = Heatmap { side: 4, values: vec![0.0; 16] };
            let sum = sum_of_maps(&[blank, map(side)], &[1.0, 2.0]).unwrap();
            assert!((mean(&sum) - 2.0 * mean(&map(side))).abs() < 1e-4, "{side}: {sum:?}");
        }
        let one = map(3);
        assert_eq!(sum_of_maps(std::slice::from_ref(&one), &[1.0]).unwrap(), one);
    }
}
