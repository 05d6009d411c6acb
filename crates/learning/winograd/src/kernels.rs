//! The weights of a convolution in the order that its products read.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::product::PANEL;
use crate::transform::{LANES, POINTS};
use crate::{direct, transform};

/// Weights, in the order that the products read.
#[derive(Debug)]
pub(crate) enum Kernels {
    /// For each [`PANEL`] of outputs, for each point, for each input (padded with zeros to whole
    /// [`LANES`]), the panel's values.
    Transformed { panels: Buffer, bias: Vec<f32> },
    /// For each [`PANEL`] of outputs, for each value of a pixel's neighbourhood, the panel's values.
    Direct { panels: Buffer },
}

impl Kernels {
    pub(crate) fn transformed(weight: &[f32], bias: &[f32], inputs: usize) -> Self {
        let padded = inputs.next_multiple_of(LANES);
        let mut panels = Buffer::zeros(POINTS * padded * bias.len());
        let of_panels = panels.par_chunks_exact_mut(POINTS * padded * PANEL);
        of_panels.zip(weight.par_chunks_exact(PANEL * inputs * 9)).for_each(|(panel, weight)| {
            for (place, kernel) in weight.as_chunks().0.iter().enumerate() {
                let (lane, input) = (place / inputs, place % inputs);
                for (point, value) in transform::kernel(kernel).into_iter().enumerate() {
                    panel[(point * padded + input) * PANEL + lane] = value;
                }
            }
        });
        Self::Transformed { panels, bias: bias.to_vec() }
    }

    pub(crate) fn direct(weight: &[f32], bias: &[f32], inputs: usize) -> Self {
        let mut panels = Buffer::zeros(direct::NEIGHBOURHOOD * bias.len());
        for (output, (weight, bias)) in weight.chunks_exact(inputs * 9).zip(bias).enumerate() {
            let (panel, lane) = (output / PANEL, output % PANEL);
            for (place, value) in direct::kernel(weight, *bias).into_iter().enumerate() {
                panels[(panel * direct::NEIGHBOURHOOD + place) * PANEL + lane] = value;
            }
        }
        Self::Direct { panels }
    }
}
