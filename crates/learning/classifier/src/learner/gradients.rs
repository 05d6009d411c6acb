//! Steps that several processes share: each computes the gradients of its own images, they are added
//! up, and each follows the sum.

use artifact::Digest;
use tch::{Device, Reduction, Tensor};

use super::{Batch, Learner, seed_generator};
use crate::Result;
use crate::network::{StepRows, to_host};

/// The images of an optimizer step that one process has.
#[derive(Debug, Clone, Copy)]
pub struct StepPart<'a> {
    /// Activations and labels of its own images; there may be none.
    pub own: Batch<'a>,
    /// The labels of all images of the step, in order.
    pub labels: &'a [i64],
    /// Where its own are among them.
    pub first: usize,
}

/// Gradients of everything that learns, one value after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients(pub Vec<f32>);

impl Learner {
    /// The share of one process in the gradients of a step. Added up over the processes, they are
    /// those of [`step`](Self::step), but for the last digits: the loss is the mean over all images
    /// of the step, and the units that are dropped are drawn for all of them.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn gradients(&mut self, part: StepPart<'_>, dropout_key: &Digest) -> Result<Gradients> {
        let StepPart { own, labels: all, first } = part;
        if own.labels.is_empty() {
            let lengths = self.optimizer.shapes(&self.network).into_iter();
            let length = lengths.map(|shape| shape.iter().product::<i64>() as usize).sum();
            return Ok(Gradients(vec![0.0; length]));
        }
        let _few_threads = self.network.few_threads();
        seed_generator(dropout_key);
        self.exchange_average()?;
        let (activations, labels) = self.upload(own)?;
        let rows = StepRows { first: first as i64, count: labels.size()[0], of: all.len() as i64 };
        let logits = self.training_logits(&activations, rows)?;
        let sum = logits.f_cross_entropy_loss(
            &labels,
            self.class_weights.as_ref(),
            Reduction::Sum,
            -100,
            self.label_smoothing,
        )?;
        let loss = sum.f_div_scalar(self.weight_of(all)?)?;
        let gradients = self.optimizer.gradients(&self.network, &loss)?;
        self.exchange_average()?;
        tch::no_grad(|| self.add(&(loss.f_detach()? * all.len() as f64), &logits, &labels))?;
        let mut values = vec![0.0; gradients.iter().map(Tensor::numel).sum()];
        let mut rest = &mut values[..];
        for gradient in &gradients {
            let (own, others) = rest.split_at_mut(gradient.numel());
            gradient.f_to_device(Device::Cpu)?.f_copy_data(own, own.len())?;
            rest = others;
        }
        Ok(Gradients(values))
    }

    /// Takes the step that the summed gradients of all processes point at.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn follow(&mut self, gradients: &Gradients, learning_rate: f64) -> Result<()> {
        let _few_threads = self.network.few_threads();
        let device = self.network.backend().device;
        let flat = Tensor::f_from_slice(&gradients.0)?.f_to_device(device)?;
        let mut start = 0;
        let mut tensors = Vec::new();
        for shape in self.optimizer.shapes(&self.network) {
            let length: i64 = shape.iter().product();
            tensors.push(flat.f_narrow(0, start, length)?.f_reshape(&shape)?);
            start += length;
        }
        self.exchange_average()?;
        self.change(&tensors, learning_rate)?;
        self.exchange_average()
    }

    /// What the losses of these images are divided by: PyTorch's mean with class weights is
    /// `Σ w·loss / Σ w`.
    fn weight_of(&self, labels: &[i64]) -> Result<f64> {
        let Some(weights) = &self.class_weights else { return Ok(labels.len() as f64) };
        let weights = to_host(weights)?;
        Ok(labels.iter().map(|label| f64::from(weights.values()[*label as usize])).sum())
    }
}
