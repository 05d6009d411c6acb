//! Optimizers on plain tensors. tch's own optimizers hide their state, which a resumed training
//! needs.
//!
//! The formulas, and their order of operations, are those of PyTorch's `torch.optim` (single-tensor
//! form); the tests compare its numbers step by step.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use config::{DescentParams, Optimizer as Kind};
use tch::Tensor;

use crate::Result;
use crate::network::{Network, to_device, to_host};
use crate::tensor_spec::TensorSpec;
use crate::tensors::{self, TensorMap};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.999;
const ALPHA: f64 = 0.99;
const EPSILON: f64 = 1e-8;
const PREFIX: &str = "optimizer.";

/// An optimizer and its state.
#[derive(Debug)]
pub(super) struct Optimizer {
    kind: Kind,
    momentum: f64,
    weight_decay: f64,
    /// Names of the tensors it changes, in order.
    parameters: Vec<String>,
    /// The rate is multiplied by this once for each block further below the head.
    rate_of_block_below: f64,
    /// Steps taken.
    steps: u64,
    /// Running averages, by slot and parameter; made at the first step.
    slots: BTreeMap<(Slot, String), Tensor>,
}

/// A running average that an optimizer keeps for each parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Slot {
    /// Of the gradient (Adam, SGD's and RMSprop's momentum).
    First,
    /// Of the squared gradient (Adam, RMSprop).
    Second,
}

impl Slot {
    const ALL: [Self; 2] = [Self::First, Self::Second];

    fn tensor_name(self, parameter: &str) -> String {
        let slot = match self {
            Self::First => "first",
            Self::Second => "second",
        };
        format!("{PREFIX}{slot}.{parameter}")
    }
}

impl Optimizer {
    pub(super) fn new(params: &DescentParams, parameters: Vec<String>) -> Self {
        Self {
            kind: params.optimizer,
            momentum: params.momentum,
            weight_decay: params.weight_decay,
            parameters,
            rate_of_block_below: params.rate_of_block_below,
            steps: 0,
            slots: BTreeMap::new(),
        }
    }

    /// Whether a saved tensor is part of an optimizer's state.
    pub(super) fn owns(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// Gradients of `loss`, one for each parameter.
    pub(super) fn gradients(&self, network: &Network, loss: &Tensor) -> Result<Vec<Tensor>> {
        Ok(Tensor::f_run_backward(&[loss], &self.before(network), false, false)?)
    }

    /// The shape of each parameter.
    pub(super) fn shapes(&self, network: &Network) -> Vec<Vec<i64>> {
        self.parameters.iter().map(|name| network.learnt()[name].size()).collect()
    }

    fn before(&self, network: &Network) -> Vec<Tensor> {
        self.parameters.iter().map(|name| network.learnt()[name].shallow_clone()).collect()
    }

    /// Follows gradients once.
    pub(super) fn follow(
        &mut self,
        network: &mut Network,
        gradients: &[Tensor],
        rate: f64,
    ) -> Result<()> {
        let before = self.before(network);
        let _no_grad = tch::no_grad_guard();
        self.steps += 1;
        for ((name, parameter), gradient) in
            self.parameters.clone().iter().zip(&before).zip(gradients)
        {
            let stages = network.architecture().base.stages_below_head(name);
            let factor = self.rate_of_block_below.powi(stages);
            let stepped = self.change(name, parameter, gradient, rate * factor)?;
            network.set_learnt(name, stepped.f_detach()?.f_set_requires_grad(true)?);
        }
        Ok(())
    }

    fn change(
        &mut self,
        name: &str,
        parameter: &Tensor,
        gradient: &Tensor,
        rate: f64,
    ) -> Result<Tensor> {
        let decayed = match (self.kind, self.weight_decay) {
            (_, 0.0) | (Kind::AdamW, _) => gradient.shallow_clone(),
            (_, decay) => gradient.f_add(&parameter.f_mul_scalar(decay)?)?,
        };
        match self.kind {
            Kind::Adam => self.adam(name, parameter, &decayed, rate),
            Kind::AdamW => {
                let shrunk = parameter.f_mul_scalar(1.0 - rate * self.weight_decay)?;
                self.adam(name, &shrunk, &decayed, rate)
            }
            Kind::Sgd => self.sgd(name, parameter, &decayed, rate),
            Kind::RmsProp => self.rms_prop(name, parameter, &decayed, rate),
        }
    }

    fn adam(
        &mut self,
        name: &str,
        parameter: &Tensor,
        gradient: &Tensor,
        rate: f64,
    ) -> Result<Tensor> {
        let mean = self.average(Slot::First, name, gradient, BETA1, 1.0 - BETA1)?;
        let squares = gradient.f_mul(gradient)?;
        let variance = self.average(Slot::Second, name, &squares, BETA2, 1.0 - BETA2)?;
        let steps = self.steps as f64;
        let (mean_bias, variance_bias) = (1.0 - BETA1.powf(steps), 1.0 - BETA2.powf(steps));
        // In the memory of one result: new memory for each costs more than the operation.
        let root =
            variance.f_sqrt()?.f_div_scalar_(variance_bias.sqrt())?.f_add_scalar_(EPSILON)?;
        Ok(parameter.f_sub(&mean.f_div(&root)?.f_mul_scalar_(rate / mean_bias)?)?)
    }

    fn sgd(
        &mut self,
        name: &str,
        parameter: &Tensor,
        gradient: &Tensor,
        rate: f64,
    ) -> Result<Tensor> {
        let direction = self.with_momentum(name, gradient)?;
        Ok(parameter.f_sub(&direction.f_mul_scalar(rate)?)?)
    }

    fn rms_prop(
        &mut self,
        name: &str,
        parameter: &Tensor,
        gradient: &Tensor,
        rate: f64,
    ) -> Result<Tensor> {
        let squares = gradient.f_mul(gradient)?;
        let mean_square = self.average(Slot::Second, name, &squares, ALPHA, 1.0 - ALPHA)?;
        let scaled = gradient.f_div(&mean_square.f_sqrt()?.f_add_scalar(EPSILON)?)?;
        let direction = self.with_momentum(name, &scaled)?;
        Ok(parameter.f_sub(&direction.f_mul_scalar(rate)?)?)
    }

    /// `buffer ← momentum·buffer + direction`; the first buffer is the first direction, which
    /// equals starting from zero.
    fn with_momentum(&mut self, name: &str, direction: &Tensor) -> Result<Tensor> {
        if self.momentum == 0.0 {
            return Ok(direction.shallow_clone());
        }
        self.average(Slot::First, name, direction, self.momentum, 1.0)
    }

    /// `slot ← keep·slot + take·value`, starting from zero.
    fn average(
        &mut self,
        slot: Slot,
        name: &str,
        value: &Tensor,
        keep: f64,
        take: f64,
    ) -> Result<Tensor> {
        let taken = value.f_mul_scalar(take)?;
        let key = (slot, name.to_owned());
        let slot = match self.slots.entry(key) {
            Entry::Occupied(before) => {
                let slot = before.into_mut();
                let _same = slot.f_mul_scalar_(keep)?.f_add_(&taken)?;
                slot
            }
            Entry::Vacant(none) => none.insert(taken),
        };
        Ok(slot.shallow_clone())
    }

    pub(super) fn state(&self) -> Result<TensorMap> {
        self.slots
            .iter()
            .map(|((slot, name), tensor)| Ok((slot.tensor_name(name), to_host(tensor)?)))
            .collect()
    }

    pub(super) fn restore(
        &mut self,
        saved: &TensorMap,
        steps: u64,
        network: &Network,
        origin: &str,
    ) -> Result<()> {
        let mut slots = BTreeMap::new();
        let mut expected = Vec::new();
        for slot in Slot::ALL {
            for name in &self.parameters {
                let saved_name = slot.tensor_name(name);
                let Some(tensor) = saved.get(&saved_name) else { continue };
                let shape: Vec<usize> =
                    network.learnt()[name].size().iter().map(|length| *length as usize).collect();
                expected.push(TensorSpec::new(saved_name, &shape));
                slots.insert((slot, name.clone()), to_device(tensor, network.backend())?);
            }
        }
        tensors::check(saved, &expected, origin)?;
        self.slots = slots;
        self.steps = steps;
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::learner) fn params(optimizer: Kind) -> DescentParams {
        DescentParams {
            epochs: 1,
            batch_size: 1,
            optimizer,
            learning_rate: 0.1,
            ..DescentParams::default()
        }
    }

    /// Three parameters after four steps down `Σ c·x² + x`, c = (0.5, 1, 2), from (1, -2, 3).
    fn after_four_steps(kind: Kind, weight_decay: f64, momentum: f64) -> Vec<f64> {
        let params = DescentParams { weight_decay, momentum, ..params(kind) };
        let mut optimizer = Optimizer::new(&params, vec!["x".into()]);
        let curvature = Tensor::from_slice(&[0.5_f64, 1.0, 2.0]);
        let mut x = Tensor::from_slice(&[1.0_f64, -2.0, 3.0]);
        for _ in 0..4 {
            let gradient = &curvature * &x * 2.0 + 1.0;
            optimizer.steps += 1;
            x = optimizer.change("x", &x, &gradient, 0.1).unwrap();
        }
        Vec::<f64>::try_from(&x).unwrap()
    }

    fn assert_follows(found: &[f64], pytorch: &[f64]) {
        for (found, expected) in found.iter().zip(pytorch) {
            assert!((found - expected).abs() < 1e-9, "{found} against PyTorch's {expected}");
        }
    }

    // The expected numbers are PyTorch 2.11's:
    //   x = torch.tensor([1., -2., 3.], dtype=torch.float64, requires_grad=True)
    //   o = torch.optim.Adam([x], lr=0.1, weight_decay=wd)   (or AdamW, SGD, RMSprop, momentum=m)
    //   for _ in range(4):
    //       o.zero_grad(); (c * x**2 + x).sum().backward(); o.step()
    #[test]
    fn adam_follows_pytorch() {
        let found = after_four_steps(Kind::Adam, 0.0, 0.9);
        assert_follows(&found, &[0.601504896319533, -1.6021989364677947, 2.600831021517972]);
    }

    #[test]
    fn adam_with_weight_decay_follows_pytorch() {
        let found = after_four_steps(Kind::Adam, 0.1, 0.9);
        assert_follows(&found, &[0.6015975165337151, -1.6021523510899949, 2.600832858685513]);
    }

    #[test]
    fn adamw_follows_pytorch() {
        let found = after_four_steps(Kind::AdamW, 0.1, 0.9);
        assert_follows(&found, &[0.5682331513701012, -1.5299450838438329, 2.4888706473639246]);
    }

    #[test]
    fn sgd_follows_pytorch() {
        let found = after_four_steps(Kind::Sgd, 0.0, 0.0);
        assert_follows(&found, &[0.3122, -1.1144, 0.17119999999999996]);
    }

    #[test]
    fn sgd_with_momentum_and_decay_follows_pytorch() {
        let found = after_four_steps(Kind::Sgd, 0.1, 0.9);
        assert_follows(&found, &[-0.5975621900000002, 0.05789088000000032, -2.8999451700000005]);
    }

    #[test]
    fn rmsprop_follows_pytorch() {
        let found = after_four_steps(Kind::RmsProp, 0.0, 0.0);
        assert_follows(&found, &[-0.8253715630808509, -0.5242190784592182, 0.7452440973128891]);
    }

    #[test]
    fn rmsprop_with_momentum_and_decay_follows_pytorch() {
        let found = after_four_steps(Kind::RmsProp, 0.1, 0.9);
        assert_follows(&found, &[-2.677041344305932, 0.9293783940445585, -2.1698728483490513]);
    }
}
