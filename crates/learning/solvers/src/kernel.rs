//! Support vector machines with a Gaussian kernel, `k(u, v) = exp(−gamma · |u − v|²)`.
//!
//! The logit of a class is the *sum of its decision values* against each other class. scikit-learn
//! counts votes instead, and breaks ties by such a sum. The sum can be differentiated and
//! calibrated, and votes cannot. It also collapses to one coefficient per class and vector. With
//! wide kernels and a large strength it may be right a little less often than votes.
//! Cross-validation uses the sum itself, so it takes this into account:
//! `tests/reference/test_solvers_crate.py` compares both.

use crate::choice::{Kind, gamma_of};
use crate::rows::columns_of;
use crate::standardise::Design;
use crate::{Choice, Cut, Fitted, Head, Labelled, Result};

pub(crate) mod by_class;
pub(crate) mod distance;
pub(crate) mod exact;
pub(crate) mod landmarks;
mod smo;

use by_class::ByClass;
use distance::{all_distances, to_kernel};

/// Up to this many images the machine is exact. Above, it is fitted on landmarks. The kernel matrix
/// of this many images is 256 MiB.
pub const EXACT_LIMIT: usize = 8192;

/// Number of landmarks.
pub const LANDMARKS: usize = 2048;

/// Fits a kernel machine: exactly up to [`EXACT_LIMIT`] images; above, on [`LANDMARKS`] of them,
/// which `seed` draws.
///
/// # Errors
/// When a class has no image, a value is not a number, nothing varies, or the optimum is not
/// reached.
pub fn fit(data: &Labelled<'_>, cuts: &[Cut], choice: &Choice, seed: u64) -> Result<Fitted> {
    fit_with_limit(data, cuts, choice, seed, Limit::DEFAULT)
}

/// The limit of exact machines, and the number of landmarks above it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) exact: usize,
    pub(crate) landmarks: usize,
}

impl Limit {
    pub(crate) const DEFAULT: Self = Self { exact: EXACT_LIMIT, landmarks: LANDMARKS };
}

pub(crate) fn fit_with_limit(
    data: &Labelled<'_>,
    cuts: &[Cut],
    choice: &Choice,
    seed: u64,
    limit: Limit,
) -> Result<Fitted> {
    data.check()?;
    choice.check(Kind::Kernel)?;
    let used = columns_of(&choice.cuts, cuts, data.rows.columns())?;
    let gamma = gamma_of(choice.width.unwrap_or(1.0), used.len());
    let by_class = ByClass::of(data, (0..data.rows.len()).collect());
    let design = Design::fitted(data.rows, by_class.images.clone(), used)?;
    let (places, coefficients, bias) = if design.len() <= limit.exact {
        let mut kernel = all_distances(&design, &design);
        to_kernel(&mut kernel, gamma);
        let mut machine = exact::Machine::new(&by_class);
        machine.solve(&kernel, &by_class.bounds(data, choice.strength))?;
        let (places, coefficients) = machine.support();
        (places, coefficients, machine.bias())
    } else {
        let places = landmarks::draw(&by_class, limit.landmarks, seed);
        let vectors = design.rows_of(&places);
        let equations = landmarks::Equations::of(data, &by_class, &design, &vectors, &[gamma]);
        let solution = equations[0].solve(choice.strength)?;
        (places, solution.coefficients, solution.bias)
    };
    let head = Head::Kernel {
        vectors: design.spread(&design.rows_of(&places)),
        coefficients: coefficients.into_iter().map(|it| it as f32).collect(),
        bias: bias.into_iter().map(|it| it as f32).collect(),
        gamma,
    };
    Ok(Fitted { standardisation: design.standardisation().clone(), head })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Drawn, choice, cuts, on_threads};
    use crate::{Error, Rows};

    const ON_LANDMARKS: Limit = Limit { exact: 0, landmarks: 64 };

    fn fitted(data: &Labelled<'_>, choice: &Choice, limit: Limit) -> Result<Fitted> {
        fit_with_limit(data, &cuts(data.rows.columns()), choice, 1, limit)
    }

    /// Images at 0 and 2, which are −1 and 1 after standardisation, and the kernel between them.
    fn two(strength: f64, width: f64, limit: Limit) -> (Vec<Vec<f32>>, f64) {
        let rows = Rows::new(&[0.0, 2.0], 1).unwrap();
        let data = Labelled { rows, labels: &[0, 1], classes: 2, class_weights: None };
        let fitted = fitted(&data, &choice(strength, Some(width)), limit).unwrap();
        (fitted.logits(&rows).unwrap(), (-4.0 / width).exp())
    }

    fn assert_near(found: &[Vec<f32>], expected: f64) {
        for (row, sign) in found.iter().zip([1.0, -1.0]) {
            assert!((f64::from(row[0]) - sign * expected).abs() < 1e-5, "{row:?}, {expected}");
            assert!((f64::from(row[1]) + sign * expected).abs() < 1e-5, "{row:?}, {expected}");
        }
    }

    #[test]
    fn two_images_lie_on_their_margins() {
        let (logits, _) = two(10.0, 4.0, Limit::DEFAULT);
        assert_near(&logits, 1.0);
    }

    #[test]
    fn a_small_strength_leaves_them_within() {
        // Both dual variables are at their bound C: the decision value is C (1 − k).
        let (logits, kernel) = two(0.25, 4.0, Limit::DEFAULT);
        assert_near(&logits, 0.25 * (1.0 - kernel));
    }

    #[test]
    fn two_landmarks_are_as_worked_out_by_hand() {
        // β = (δ, −δ) minimises δ² (1 − k) + C (1 − δ (1 − k))², where δ = C / (1 + C (1 − k)).
        for strength in [0.25, 10.0] {
            let (logits, kernel) = two(strength, 4.0, ON_LANDMARKS);
            let delta = strength / (1.0 + strength * (1.0 - kernel));
            assert_near(&logits, delta * (1.0 - kernel));
        }
    }

    #[test]
    fn classes_are_told_apart_exactly_and_by_landmarks() {
        let drawn = Drawn::new(400, 24, 3);
        for limit in [Limit::DEFAULT, ON_LANDMARKS] {
            let fitted = fitted(&drawn.data(), &choice(1.0, Some(2.0)), limit).unwrap();
            let others = Drawn::new(300, 24, 3);
            let logits = fitted.logits(&others.data().rows).unwrap();
            let right = logits
                .iter()
                .zip(&others.labels)
                .filter(|(row, label)| row.iter().all(|logit| *logit <= row[**label]));
            assert!(right.count() > 270, "{limit:?}");
        }
    }

    #[test]
    fn images_of_no_use_are_not_kept() {
        let values: Vec<f32> = (0..60).map(|i| i as f32).collect();
        let labels: Vec<usize> = (0..60).map(|i| i / 30).collect();
        let rows = Rows::new(&values, 1).unwrap();
        let data = Labelled { rows, labels: &labels, classes: 2, class_weights: None };
        let fitted = fitted(&data, &choice(1e3, Some(1.0)), Limit::DEFAULT).unwrap();
        let Head::Kernel { vectors, coefficients, .. } = fitted.head else { panic!("a kernel") };
        assert!(vectors.len() < 30, "{}", vectors.len());
        assert_eq!(coefficients.len(), 2 * vectors.len());
    }

    #[test]
    fn labels_that_contradict_each_other_are_solved() {
        let values = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0];
        let rows = Rows::new(&values, 1).unwrap();
        let data = Labelled { rows, labels: &[0, 1, 2, 0, 1, 2], classes: 3, class_weights: None };
        for limit in [Limit::DEFAULT, ON_LANDMARKS] {
            let fitted = fitted(&data, &choice(10.0, Some(1.0)), limit).unwrap();
            let logits = fitted.logits(&rows).unwrap();
            assert!(logits.concat().iter().all(|logit| logit.is_finite()), "{logits:?}");
        }
    }

    #[test]
    fn the_number_of_threads_changes_nothing() {
        let drawn = Drawn::new(600, 24, 3);
        for limit in [Limit::DEFAULT, ON_LANDMARKS] {
            let on = |threads| {
                on_threads(threads, || fitted(&drawn.data(), &choice(2.0, Some(1.0)), limit))
            };
            assert_eq!(on(1).unwrap(), on(3).unwrap());
        }
    }

    #[test]
    fn a_kernel_needs_a_width_that_is_one() {
        let drawn = Drawn::new(9, 4, 3);
        let with = |width| fitted(&drawn.data(), &choice(1.0, width), Limit::DEFAULT).unwrap_err();
        assert_eq!(with(None), Error::Width { kind: "kernel", needs: "needs a width" });
        assert_eq!(with(Some(0.0)), Error::NotPositive { what: "width", value: 0.0 });
    }
}
