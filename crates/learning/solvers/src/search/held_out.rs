//! The logits of one fold's images by every candidate that reads the same cuts, fitted on the
//! images outside it.

use rayon::prelude::*;

use crate::choice::{Kind, gamma_of};
use crate::kernel::by_class::ByClass;
use crate::kernel::distance::{ROWS_OF_A_BLOCK, all_distances, distances, to_kernel};
use crate::kernel::{Limit, exact, landmarks};
use crate::linear::Regression;
use crate::product::times_transposed;
use crate::standardise::Design;
use crate::{Labelled, Result};

/// The logits of held-out images, by one candidate.
type Logits = Vec<Vec<f32>>;

/// A fold and a set of cuts.
#[derive(Debug)]
pub(super) struct Job<'a> {
    pub(super) kind: Kind,
    pub(super) data: &'a Labelled<'a>,
    /// The images outside the fold, and those in it.
    pub(super) divided: (Vec<usize>, Vec<usize>),
    pub(super) read: &'a [usize],
    pub(super) widths: &'a [Option<f64>],
    pub(super) strengths: &'a [f64],
    pub(super) seed: u64,
    pub(super) limit: Limit,
}

/// One function from the kernel to some vectors.
struct Function<'a> {
    coefficients: &'a [f32],
    bias: &'a [f32],
}

impl Job<'_> {
    /// Approximate bytes of its matrices.
    pub(super) fn bytes(&self) -> usize {
        let (images, held) = (self.divided.0.len(), self.divided.1.len());
        let features = self.read.len();
        match self.kind {
            Kind::Linear => 4 * size_of::<f64>() * images.min(features).pow(2),
            Kind::Kernel if images <= self.limit.exact => {
                2 * size_of::<f32>() * images * (images + held)
            }
            Kind::Kernel => {
                (self.widths.len() + 2) * size_of::<f64>() * self.limit.landmarks.pow(2)
            }
        }
    }

    /// By widths, then strengths. `tell` is called after each fit.
    pub(super) fn run(&self, tell: &(dyn Fn() + Sync)) -> Result<Vec<Logits>> {
        match self.kind {
            Kind::Linear => self.linear(tell),
            Kind::Kernel if self.divided.0.len() <= self.limit.exact => self.exact(tell),
            Kind::Kernel => self.landmarks(tell),
        }
    }

    fn linear(&self, tell: &(dyn Fn() + Sync)) -> Result<Vec<Logits>> {
        let (images, held) = self.divided.clone();
        let labels: Vec<usize> = images.iter().map(|image| self.data.labels[*image]).collect();
        let design = Design::fitted(self.data.rows, images, self.read.to_vec())?;
        let held = design.others(held);
        let mut regression = Regression::new(&design, labels, self.data)?;
        let one = |strength: &f64| {
            regression.solve(*strength)?;
            let (weights, bias) = regression.head(&design);
            let function = Function { coefficients: &weights, bias: &bias };
            let logits = by_blocks(&held, |rows| function.of(rows, design.columns()));
            tell();
            Ok(logits)
        };
        self.strengths.iter().map(one).collect()
    }

    fn exact(&self, tell: &(dyn Fn() + Sync)) -> Result<Vec<Logits>> {
        let by_class = ByClass::of(self.data, self.divided.0.clone());
        let design = Design::fitted(self.data.rows, by_class.images.clone(), self.read.to_vec())?;
        let held = design.others(self.divided.1.clone());
        let own = all_distances(&design, &design);
        let to_held = all_distances(&held, &design);
        let mut logits = Vec::with_capacity(self.widths.len() * self.strengths.len());
        for width in self.widths {
            let gamma = gamma_of(width.unwrap_or(1.0), self.read.len());
            let (mut own, mut to_held) = (own.clone(), to_held.clone());
            to_kernel(&mut own, gamma);
            to_kernel(&mut to_held, gamma);
            let mut machine = exact::Machine::new(&by_class);
            for strength in self.strengths {
                machine.solve(&own, &by_class.bounds(self.data, *strength))?;
                let coefficients = narrow(&machine.coefficients().concat());
                let bias = narrow(&machine.bias());
                let function = Function { coefficients: &coefficients, bias: &bias };
                logits.push(function.of(&to_held, design.len()));
                tell();
            }
        }
        Ok(logits)
    }

    fn landmarks(&self, tell: &(dyn Fn() + Sync)) -> Result<Vec<Logits>> {
        let by_class = ByClass::of(self.data, self.divided.0.clone());
        let design = Design::fitted(self.data.rows, by_class.images.clone(), self.read.to_vec())?;
        let held = design.others(self.divided.1.clone());
        let columns = design.columns();
        let places = landmarks::draw(&by_class, self.limit.landmarks, self.seed);
        let vectors = design.rows_of(&places);
        let gamma = |width: &Option<f64>| gamma_of(width.unwrap_or(1.0), columns);
        let gammas: Vec<f32> = self.widths.iter().map(gamma).collect();
        let equations = landmarks::Equations::of(self.data, &by_class, &design, &vectors, &gammas);
        let mut logits = Vec::with_capacity(self.widths.len() * self.strengths.len());
        for (equations, gamma) in equations.iter().zip(gammas) {
            for strength in self.strengths {
                let solution = equations.solve(*strength)?;
                let (coefficients, bias) = (narrow(&solution.coefficients), narrow(&solution.bias));
                let function = Function { coefficients: &coefficients, bias: &bias };
                logits.push(by_blocks(&held, |rows| {
                    let mut kernel = distances(rows, &vectors, columns);
                    kernel.iter_mut().for_each(|value| *value = (-gamma * *value).exp());
                    function.of(&kernel, places.len())
                }));
                tell();
            }
        }
        Ok(logits)
    }
}

impl Function<'_> {
    fn of(&self, inputs: &[f32], columns: usize) -> Logits {
        let classes = self.bias.len();
        let mut logits = vec![0.0; inputs.len() / columns * classes];
        times_transposed(inputs, self.coefficients, columns, &mut logits);
        let with_bias =
            |row: &[f32]| row.iter().zip(self.bias).map(|(it, bias)| it + bias).collect();
        logits.chunks_exact(classes).map(with_bias).collect()
    }
}

fn by_blocks(held: &Design<'_>, logits: impl Fn(&[f32]) -> Logits + Sync) -> Logits {
    let firsts: Vec<usize> = (0..held.len()).step_by(ROWS_OF_A_BLOCK).collect();
    let blocks: Vec<Logits> = firsts
        .into_par_iter()
        .map(|first| logits(&held.rows_at(first..(first + ROWS_OF_A_BLOCK).min(held.len()))))
        .collect();
    blocks.into_iter().flatten().collect()
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}
