//! Multinomial logistic regression to its optimum.
//!
//! The objective, as in scikit-learn's `LogisticRegression(C)`, with no penalty on the bias:
//!
//! ```text
//! λ/2 |W|² + C Σᵢ wᵢ (ln Σₖ exp zᵢₖ − zᵢ,actual)      z = W x̂ + b
//! ```
//!
//! `wᵢ` is the weight of the image's class. `λ` is 1, and for two classes 2: scikit-learn has one
//! row of weights there, `w = W₁ − W₀`, and the penalty `½ |w|²`, which is that of the two rows
//! `∓w/2` with `λ = 2`.
//!
//! The solution is accepted when the gradient for the weights is at most [`TOLERANCE`] of their
//! size times `λ`: the penalty alone gives the function a curvature of `λ`, so no weight is further
//! from the optimum than that share of their size. If rounding prevents this, a hundred times that
//! is accepted, and more is an error. If there are fewer images than features, the solution only
//! depends on the images' products, and a factor of that smaller matrix is used instead.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

use crate::choice::Kind;
use crate::descent::{Function, minimise};
use crate::factor::Factor;
use crate::product::{add_lower_square, add_transposed_times, times_transposed};
use crate::rows::columns_of;
use crate::standardise::Design;
use crate::{Choice, Cut, Error, Fitted, Head, Labelled, Result};

/// How far the weights may be from the optimum, as a share of their size.
pub const TOLERANCE: f64 = 1e-5;

/// This many tolerances are accepted if no step in f64 comes nearer: for weights that nearly equal
/// images keep in balance, rounding leaves a little more. The weights are then as far from the
/// optimum as the f32 rounding of a dozen features would put them.
const LEFT_BY_ROUNDING: f64 = 100.0;

/// Number of steps before giving up. Some dozens are usual.
const STEPS: usize = 2000;

/// Images whose losses are added up by one thread. A constant, so that every sum has one order.
const IMAGES_OF_A_SUM: usize = 512;
/// Images whose features are in a core's cache at a time.
const IMAGES_OF_A_BLOCK: usize = 64;

/// The second derivative is approximated from at most this many images for each feature.
const IMAGES_PER_FEATURE: usize = 8;

/// Added to the diagonal of a singular matrix of products, as a share of its mean.
const JITTER: f64 = 1e-10;

const WHAT: &str = "logistic regression";

/// Fits a logistic regression.
///
/// # Errors
/// When a class has no image, a value is not a number, nothing varies, or the optimum is not
/// reached.
pub fn fit(data: &Labelled<'_>, cuts: &[Cut], choice: &Choice) -> Result<Fitted> {
    data.check()?;
    choice.check(Kind::Linear)?;
    let used = columns_of(&choice.cuts, cuts, data.rows.columns())?;
    let images: Vec<usize> = (0..data.rows.len()).collect();
    let labels: Vec<usize> = data.labels.to_vec();
    let design = Design::fitted(data.rows, images, used)?;
    let mut regression = Regression::new(&design, labels, data)?;
    regression.solve(choice.strength)?;
    let (weights, bias) = regression.head(&design);
    let head = Head::Linear { weights: design.spread(&weights), bias };
    Ok(Fitted { standardisation: design.standardisation().clone(), head })
}

/// A regression on some images, solved for one strength after the other.
#[derive(Debug)]
pub(crate) struct Regression<'a> {
    features: Features<'a>,
    labels: Vec<usize>,
    /// The weight of each image, by its class.
    weights: Vec<f64>,
    classes: usize,
    /// Lower triangle of `Σ wᵢ xᵢ xᵢᵀ`, or of an approximation.
    squares: Vec<f64>,
    /// Weights of the features `[classes, columns]`, then a bias for each class.
    solution: Vec<f64>,
    strength: f64,
}

/// The factor that the weights multiply.
#[derive(Debug)]
enum Features<'a> {
    /// The images' features.
    Own(&'a Design<'a>),
    /// If there are fewer images than features: rows with the same products as the images.
    Factor { values: Vec<f64>, columns: usize },
}

impl Features<'_> {
    fn of<'a>(design: &'a Design<'a>) -> Result<Features<'a>> {
        let images = design.len();
        if images >= design.columns() {
            return Ok(Features::Own(design));
        }
        let rows: Vec<f64> = design.all_rows().into_iter().map(f64::from).collect();
        let mut products = vec![0.0; images * images];
        times_transposed(&rows, &rows, design.columns(), &mut products);
        let diagonal = |image: usize| image * (images + 1);
        let trace: f64 = (0..images).map(|image| products[diagonal(image)]).sum();
        for image in 0..images {
            products[diagonal(image)] += JITTER * trace / images as f64;
        }
        let factor = Factor::of(WHAT, &products, images)?;
        Ok(Features::Factor { values: factor.lower(), columns: images })
    }

    fn columns(&self) -> usize {
        match self {
            Self::Own(design) => design.columns(),
            Self::Factor { columns, .. } => *columns,
        }
    }

    fn block(&self, images: Range<usize>) -> Cow<'_, [f64]> {
        match self {
            Self::Own(design) => design.rows_at(images).into_iter().map(f64::from).collect(),
            Self::Factor { values, columns } => {
                Cow::Borrowed(&values[images.start * columns..images.end * columns])
            }
        }
    }
}

/// Loss and gradient of some images.
struct Part {
    loss: f64,
    gradient: Vec<f64>,
}

impl<'a> Regression<'a> {
    /// The start, before any solution. `labels` are of the design's images.
    pub(crate) fn new(
        design: &'a Design<'a>,
        labels: Vec<usize>,
        data: &Labelled<'_>,
    ) -> Result<Self> {
        let features = Features::of(design)?;
        let weights: Vec<f64> = labels.iter().map(|label| data.weight(*label)).collect();
        let squares = squares(&features, &weights);
        let solution = vec![0.0; data.classes * (features.columns() + 1)];
        let classes = data.classes;
        Ok(Self { features, labels, weights, classes, squares, solution, strength: 0.0 })
    }

    /// Solves for a strength, starting from the last solution.
    pub(crate) fn solve(&mut self, strength: f64) -> Result<()> {
        self.strength = strength;
        let columns = self.features.columns();
        // The second derivative when all classes are equally probable: the penalty's, and for each
        // class a share of the images'.
        let share = strength / self.classes as f64;
        let mut bent: Vec<f64> = self.squares.iter().map(|value| share * value).collect();
        (0..columns).for_each(|column| bent[column * (columns + 1)] += self.penalty());
        let total: f64 = self.weights.iter().sum();
        let objective = Objective {
            regression: self,
            bent: Factor::of(WHAT, &bent, columns)?,
            bent_by_bias: share * total,
        };
        let minimum = minimise(&objective, self.solution.clone(), STEPS);
        if minimum.left > LEFT_BY_ROUNDING {
            let left = minimum.left * TOLERANCE;
            let steps = minimum.steps;
            return Err(Error::NotSolved { what: WHAT, steps, left, allowed: TOLERANCE });
        }
        self.solution = minimum.place;
        Ok(())
    }

    fn penalty(&self) -> f64 {
        if self.classes == 2 { 2.0 } else { 1.0 }
    }

    /// The weights of the columns that the design reads, `[classes, columns]`, and a bias for each
    /// class, of the last solution.
    pub(crate) fn head(&self, design: &Design<'_>) -> (Vec<f32>, Vec<f32>) {
        let (weights, bias) = self.solution.split_at(self.classes * self.features.columns());
        let weights: Cow<'_, [f64]> = match &self.features {
            Features::Own(_) => Cow::Borrowed(weights),
            Features::Factor { .. } => Cow::Owned(self.weights_of_images(design)),
        };
        let narrow = |values: &[f64]| values.iter().map(|it| *it as f32).collect();
        (narrow(&weights), narrow(bias))
    }

    /// At the optimum the pull of the penalty on the weights equals the pull of the images: `λ W =
    /// −Σ (∂loss/∂zᵢ) x̂ᵢᵀ`.
    fn weights_of_images(&self, design: &Design<'_>) -> Vec<f64> {
        let columns = design.columns();
        let mut pulls = Vec::with_capacity(self.labels.len() * self.classes);
        let mut values = Vec::with_capacity(self.labels.len() * columns);
        for images in blocks(0..self.labels.len()) {
            values.extend(design.rows_at(images.clone()).into_iter().map(f64::from));
            let block = self.features.block(images.clone());
            pulls.extend(self.pulls(&self.solution, images, &block).1);
        }
        let mut weights = vec![0.0; self.classes * columns];
        add_transposed_times((&pulls, self.classes), (&values, columns), &mut weights);
        weights.iter_mut().for_each(|weight| *weight /= -self.penalty());
        weights
    }

    /// The loss of some images, and its derivative for each logit, `[images, classes]`.
    fn pulls(&self, solution: &[f64], images: Range<usize>, block: &[f64]) -> (f64, Vec<f64>) {
        let columns = self.features.columns();
        let (weights, bias) = solution.split_at(self.classes * columns);
        let mut pulls = vec![0.0; images.len() * self.classes];
        times_transposed(block, weights, columns, &mut pulls);
        let mut loss = 0.0;
        for (image, row) in images.zip(pulls.chunks_exact_mut(self.classes)) {
            let strength = self.strength * self.weights[image];
            let actual = self.labels[image];
            row.iter_mut().zip(bias).for_each(|(logit, bias)| *logit += bias);
            let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let of_actual = row[actual] - largest;
            row.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
            let sum: f64 = row.iter().sum();
            loss += strength * (sum.ln() - of_actual);
            row.iter_mut().for_each(|power| *power *= strength / sum);
            row[actual] -= strength;
        }
        (loss, pulls)
    }

    fn part(&self, solution: &[f64], images: Range<usize>) -> Part {
        let columns = self.features.columns();
        let mut part = Part { loss: 0.0, gradient: vec![0.0; solution.len()] };
        let (weights, bias) = part.gradient.split_at_mut(self.classes * columns);
        for images in blocks(images) {
            let block = self.features.block(images.clone());
            let (loss, pulls) = self.pulls(solution, images, &block);
            part.loss += loss;
            add_transposed_times((&pulls, self.classes), (&block, columns), weights);
            for row in pulls.chunks_exact(self.classes) {
                bias.iter_mut().zip(row).for_each(|(bias, pull)| *bias += pull);
            }
        }
        part
    }
}

/// The function that is minimised.
struct Objective<'a> {
    regression: &'a Regression<'a>,
    bent: Factor,
    bent_by_bias: f64,
}

impl Function for Objective<'_> {
    fn at(&self, place: &[f64]) -> (f64, Vec<f64>) {
        let regression = self.regression;
        let images = regression.labels.len();
        let parts: Vec<Part> = (0..images.div_ceil(IMAGES_OF_A_SUM))
            .into_par_iter()
            .map(|part| {
                let first = part * IMAGES_OF_A_SUM;
                regression.part(place, first..(first + IMAGES_OF_A_SUM).min(images))
            })
            .collect();
        let weights = &place[..regression.classes * regression.features.columns()];
        let penalty = regression.penalty();
        let mut value = penalty / 2.0 * weights.iter().map(|it| it * it).sum::<f64>();
        let mut gradient = vec![0.0; place.len()];
        gradient.iter_mut().zip(weights).for_each(|(it, weight)| *it = penalty * weight);
        for part in parts {
            value += part.loss;
            gradient.iter_mut().zip(part.gradient).for_each(|(sum, it)| *sum += it);
        }
        (value, gradient)
    }

    fn precondition(&self, gradient: &mut [f64]) {
        let columns = self.regression.features.columns();
        let (weights, bias) = gradient.split_at_mut(self.regression.classes * columns);
        self.bent.solve(weights, columns);
        bias.iter_mut().for_each(|it| *it /= self.bent_by_bias);
    }

    fn left(&self, place: &[f64], gradient: &[f64]) -> f64 {
        let regression = self.regression;
        let weights = regression.classes * regression.features.columns();
        let size = |values: &[f64]| values.iter().map(|it| it * it).sum::<f64>().sqrt();
        let allowed = TOLERANCE * regression.penalty() * size(&place[..weights]).max(TOLERANCE);
        let total: f64 = regression.weights.iter().sum();
        let of_bias = size(&gradient[weights..]) / (TOLERANCE * regression.strength * total);
        (size(&gradient[..weights]) / allowed).max(of_bias)
    }
}

/// `Σ wᵢ xᵢ xᵢᵀ`, the lower triangle; if there are many images, from evenly spaced ones.
fn squares(features: &Features<'_>, weights: &[f64]) -> Vec<f64> {
    let columns = features.columns();
    let blocks: Vec<Range<usize>> = blocks(0..weights.len()).collect();
    let enough = (IMAGES_PER_FEATURE * columns).div_ceil(IMAGES_OF_A_BLOCK);
    let every = (blocks.len() / enough).max(1);
    let taken: Vec<&Range<usize>> = blocks.iter().step_by(every).collect();
    let images: usize = taken.iter().map(|block| block.len()).sum();
    let scale = weights.len() as f64 / images as f64;
    let mut sum = vec![0.0; columns * columns];
    for blocks in taken.chunks(IMAGES_OF_A_SUM / IMAGES_OF_A_BLOCK) {
        let rows: Vec<Vec<f64>> = blocks
            .par_iter()
            .map(|block| {
                let mut rows = features.block((*block).clone()).into_owned();
                for (image, row) in (*block).clone().zip(rows.chunks_exact_mut(columns)) {
                    let root = (scale * weights[image]).sqrt();
                    row.iter_mut().for_each(|value| *value *= root);
                }
                rows
            })
            .collect();
        add_lower_square(&rows.concat(), columns, &mut sum);
    }
    sum
}

fn blocks(images: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = images.end;
    images.step_by(IMAGES_OF_A_BLOCK).map(move |first| first..(first + IMAGES_OF_A_BLOCK).min(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rows;

    fn fitted(values: &[f32], columns: usize, labels: &[usize], strength: f64) -> Result<Fitted> {
        let rows = Rows::new(values, columns)?;
        let classes = labels.iter().max().map_or(0, |last| last + 1);
        let data = Labelled { rows, labels, classes, class_weights: None };
        let cuts = [Cut { name: "all".to_owned(), columns: 0..columns }];
        fit(&data, &cuts, &Choice { cuts: vec!["all".to_owned()], strength, width: None })
    }

    /// Two images at −1 and 1, after each feature is standardised: the slope `s` of the difference
    /// of logits minimises `s² / 2n + 2C ln(1 + exp(−s))` with `n` equal features, where `s (1 +
    /// exp(s)) = 2 n C`.
    fn assert_slope(columns: usize, strength: f64) {
        let values = [vec![3.0; columns], vec![5.0; columns]].concat();
        let fitted = fitted(&values, columns, &[0, 1], strength).unwrap();
        let logits = fitted.logits(&Rows::new(&values, columns).unwrap()).unwrap();
        let slope = f64::from(logits[1][1] - logits[1][0]);
        let right = 2.0 * columns as f64 * strength;
        assert!((slope * (1.0 + slope.exp()) / right - 1.0).abs() < 1e-4, "{slope}");
        assert!((f64::from(logits[0][1] - logits[0][0]) + slope).abs() < 1e-5);
        assert!((logits[0][0] + logits[0][1]).abs() < 1e-5);
    }

    #[test]
    fn two_images_have_the_slope_worked_out_by_hand() {
        for strength in [0.01, 1.0, 100.0] {
            assert_slope(1, strength);
            assert_slope(2, strength);
        }
    }

    #[test]
    fn fewer_images_than_features_have_it_too() {
        for strength in [0.01, 1.0, 100.0] {
            assert_slope(3, strength);
            assert_slope(50, strength);
        }
    }

    #[test]
    fn images_that_can_be_separated_are_solved_at_a_huge_strength() {
        let values: Vec<f32> = (0..40).map(|i| i as f32).collect();
        let labels: Vec<usize> = (0..40).map(|i| i / 14).collect();
        let fitted = fitted(&values, 1, &labels, 1e4).unwrap();
        let logits = fitted.logits(&Rows::new(&values, 1).unwrap()).unwrap();
        for (row, label) in logits.iter().zip(labels) {
            assert!(row.iter().all(|logit| *logit <= row[label]), "{row:?}");
        }
    }

    #[test]
    fn images_on_which_labels_contradict_each_other_are_solved() {
        let values = [1.0, 1.0, 1.0, 2.0, 2.0, 2.0];
        let fitted = fitted(&values, 1, &[0, 1, 2, 0, 1, 2], 10.0).unwrap();
        let Head::Linear { weights, .. } = fitted.head else { panic!("a linear head") };
        assert!(weights.iter().all(|weight| weight.abs() < 1e-4), "{weights:?}");
    }

    #[test]
    fn what_a_linear_head_cannot_use_is_refused() {
        let strengths = [0.0, -1.0, f64::NAN, f64::INFINITY];
        for strength in strengths {
            let error = fitted(&[1.0, 2.0], 1, &[0, 1], strength).unwrap_err();
            assert!(matches!(error, Error::NotPositive { what: "strength", .. }), "{error}");
        }
        assert_eq!(fitted(&[1.0, 1.0], 1, &[0, 1], 1.0), Err(Error::NothingVaries));
        assert_eq!(fitted(&[1.0], 1, &[0], 1.0), Err(Error::OneClass));
    }
}
