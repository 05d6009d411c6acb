//! From the head's input to its answer.

use config::HeadKind;
use tch::{Kind, Tensor};

use super::{Mode, Network};
use crate::Result;
use crate::architecture::{
    KERNEL_BIAS, KERNEL_COEFFICIENTS, KERNEL_GAMMA, KERNEL_VECTORS, STANDARDISE_MEAN,
    STANDARDISE_SCALE, STANDARDISE_STD,
};

impl Network {
    /// The head: `[N, head_inputs]` to logits `[N, classes]`. Dropout is active in training, and
    /// draws from libtorch's generator.
    pub(crate) fn logits(&self, head_inputs: &Tensor, mode: Mode) -> Result<Tensor> {
        let standardised = self.standardised(head_inputs)?;
        match self.architecture.head.kind {
            HeadKind::Kernel => self.kernel(&standardised),
            _ => self.dense(standardised, mode),
        }
    }

    fn standardised(&self, head_inputs: &Tensor) -> Result<Tensor> {
        let Some(mean) = self.learnt.get(STANDARDISE_MEAN) else {
            return Ok(head_inputs.shallow_clone());
        };
        let centred = head_inputs.f_sub(mean)?;
        match self.learnt.get(STANDARDISE_SCALE) {
            Some(scale) => Ok(centred.f_mul(scale)?),
            None => Ok(centred.f_div(&self.learnt[STANDARDISE_STD])?),
        }
    }

    fn dense(&self, mut x: Tensor, mode: Mode) -> Result<Tensor> {
        for (index, dense) in self.architecture.dense_layers().iter().enumerate() {
            if index > 0 {
                x = self.drop_units(x.f_relu()?, mode)?;
            }
            let weight = &self.learnt[&dense.tensor_name("weight")];
            let bias = &self.learnt[&dense.tensor_name("bias")];
            x = x.f_linear(weight, Some(bias))?;
        }
        Ok(x)
    }

    /// Dropout in training. Where other processes have a part of the step, the units of all its
    /// images are drawn, and those of this process's own images are used.
    fn drop_units(&self, x: Tensor, mode: Mode) -> Result<Tensor> {
        let Mode::Training(rows) = mode else { return Ok(x) };
        let share = self.architecture.head.dropout;
        if rows.are_all() {
            return Ok(x.f_dropout(share, true)?);
        }
        let shape = [rows.of, x.size()[1]];
        let kept = Tensor::f_ones(shape, (x.kind(), x.device()))?.f_dropout(share, true)?;
        Ok(x.f_mul(&rows.among(&kept)?)?)
    }

    /// `k(x, vectors) · coefficients + bias`, where `k = exp(−gamma · |x − v|²)`, and the squared
    /// distance is |x|² + |v|² − 2·x·v: one matrix product.
    fn kernel(&self, x: &Tensor) -> Result<Tensor> {
        let vectors = &self.learnt[KERNEL_VECTORS];
        let squares =
            |rows: &Tensor| rows.f_mul(rows)?.f_sum_dim_intlist(&[1_i64][..], true, Kind::Float);
        let products = x.f_matmul(&vectors.f_transpose(0, 1)?)?.f_mul_scalar(2.0)?;
        let distances =
            squares(x)?.f_add(&squares(vectors)?.f_transpose(0, 1)?)?.f_sub(&products)?;
        // Rounding may give a value slightly below 0 for equal rows.
        let gamma = self.learnt[KERNEL_GAMMA].f_neg()?;
        let kernel = distances.f_clamp_min(0.0)?.f_mul(&gamma)?.f_exp()?;
        Ok(kernel.f_matmul(&self.learnt[KERNEL_COEFFICIENTS])?.f_add(&self.learnt[KERNEL_BIAS])?)
    }
}
