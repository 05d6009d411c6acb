//! A running average of the weights, which is scored and kept in place of the weights themselves.

use tch::Tensor;

use crate::Result;
use crate::network::{Network, to_device, to_host};
use crate::tensor_spec::TensorSpec;
use crate::tensors::{self, TensorMap};

const PREFIX: &str = "own.";

/// The share of the average that each step keeps, and the other set of weights: between two steps
/// the network holds the average and this its own weights, during a step it is the other way round.
#[derive(Debug)]
pub(super) struct Average {
    decay: f64,
    steps: u64,
    tensors: Vec<(String, Tensor)>,
}

impl Average {
    /// Starts from the current network; `None` if nothing is averaged.
    pub(super) fn start(decay: f64, network: &Network, names: &[String]) -> Option<Self> {
        let tensor = |name: &String| (name.clone(), network.learnt()[name].detach().copy());
        (decay > 0.0).then(|| Self { decay, steps: 0, tensors: names.iter().map(tensor).collect() })
    }

    /// Whether a saved tensor is one of the network's own weights.
    pub(super) fn owns(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    /// Adds the network's own weights, which it holds after a step, to the average.
    ///
    /// `average ← d·average + (1 − d)·weights`, where `d` is `min(decay, (1 + n) / (10 + n))` after
    /// `n` steps, so that the first weights are soon forgotten: TensorFlow's
    /// `ExponentialMovingAverage` with `num_updates`, as timm's `ModelEmaV3` with warm-up.
    pub(super) fn take_in(&mut self, network: &Network) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        self.steps += 1;
        let steps = self.steps as f64;
        let keep = self.decay.min((1.0 + steps) / (10.0 + steps));
        for (name, average) in &mut self.tensors {
            let new = network.learnt()[name].f_detach()?.f_mul_scalar(1.0 - keep)?;
            *average = average.f_mul_scalar(keep)?.f_add(&new)?;
        }
        Ok(())
    }

    /// Exchanges the average and the network's own weights; calling it twice has no effect.
    pub(super) fn exchange(&mut self, network: &mut Network) -> Result<()> {
        for (name, average) in &mut self.tensors {
            let own = network.learnt()[name.as_str()].shallow_clone();
            let learns = own.requires_grad();
            network.set_learnt(name, average.f_detach()?.f_set_requires_grad(learns)?);
            *average = own.f_detach()?;
        }
        Ok(())
    }

    pub(super) fn state(&self) -> Result<TensorMap> {
        let saved = |(name, tensor): &(String, Tensor)| Ok((tensor_name(name), to_host(tensor)?));
        self.tensors.iter().map(saved).collect()
    }

    pub(super) fn restore(
        &mut self,
        saved: &TensorMap,
        steps: u64,
        network: &Network,
        origin: &str,
    ) -> Result<()> {
        let shape =
            |tensor: &Tensor| tensor.size().iter().map(|it| *it as usize).collect::<Vec<_>>();
        let spec =
            |(name, tensor): &(String, Tensor)| TensorSpec::new(tensor_name(name), &shape(tensor));
        let expected: Vec<TensorSpec> = self.tensors.iter().map(spec).collect();
        tensors::check(saved, &expected, origin)?;
        for (name, tensor) in &mut self.tensors {
            *tensor = to_device(&saved[&tensor_name(name)], network.backend())?;
        }
        self.steps = steps;
        Ok(())
    }
}

fn tensor_name(parameter: &str) -> String {
    format!("{PREFIX}{parameter}")
}
