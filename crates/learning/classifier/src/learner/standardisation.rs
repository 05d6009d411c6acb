//! Mean and standard deviation of the head's input, fitted before the first step.

use tch::{Device, Kind, Tensor};

use super::Learner;
use crate::Result;
use crate::architecture::{STANDARDISE_MEAN, STANDARDISE_STD};
use crate::network::Mode;

/// A feature that varies less than this over the training images carries no information there. It
/// is centred but not scaled up, as in scikit-learn's `StandardScaler`: dividing by its tiny
/// deviation would turn one different image into a huge value.
const SMALLEST_STD: f64 = 1e-6;

/// No feature is scaled up by more than ten times the factor of the median feature. Of 25,024
/// features hundreds hardly ever differ from 0. In an image in which one of them does, it alone
/// would reach hundreds of standard deviations, and decide.
const LEAST_STD_OF_MEDIAN: f64 = 0.1;

/// Mean and standard deviation while they are collected: sums in f64, in the order of the
/// activations.
#[derive(Debug)]
pub struct Standardisation {
    sum: Tensor,
    squares: Tensor,
    images: i64,
}

impl Standardisation {
    /// The sums, which several processes add up: of each value, of its squares, and the number of
    /// images.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn sums(&self) -> Result<Vec<f64>> {
        let mut sums = Vec::new();
        for tensor in [&self.sum, &self.squares] {
            sums.extend(Vec::<f64>::try_from(&tensor.f_to_device(Device::Cpu)?)?);
        }
        sums.push(self.images as f64);
        Ok(sums)
    }

    /// Replaces the sums, in the order of [`sums`](Self::sums).
    ///
    /// # Errors
    /// When libtorch fails.
    ///
    /// # Panics
    /// When there are fewer of them.
    pub fn set_sums(&mut self, sums: &[f64]) -> Result<()> {
        let length = self.sum.numel();
        let device = self.sum.device();
        let tensor = |part: &[f64]| Tensor::f_from_slice(part)?.f_to_device(device);
        self.sum = tensor(&sums[..length])?;
        self.squares = tensor(&sums[length..2 * length])?;
        self.images = sums[2 * length] as i64;
        Ok(())
    }
}

impl Learner {
    /// Whether the head standardises its input, so that a [`Standardisation`] has to be fitted
    /// before the first step.
    pub fn needs_standardisation(&self) -> bool {
        self.network.learnt().contains_key(STANDARDISE_STD)
    }

    /// Starts collecting mean and standard deviation of the head's input.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn standardisation(&self) -> Result<Standardisation> {
        let length = self.network.architecture().head_inputs() as i64;
        let zeros = || Tensor::f_zeros([length], (Kind::Double, self.network.backend().device));
        Ok(Standardisation { sum: zeros()?, squares: zeros()?, images: 0 })
    }

    /// Adds activations to a standardisation.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn collect(
        &self,
        standardisation: &mut Standardisation,
        activations: &[f32],
    ) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        let activations = self.upload_activations(activations)?;
        let inputs =
            self.network.head_inputs(&activations, Mode::Prediction)?.f_to_kind(Kind::Double)?;
        standardisation.images += inputs.size()[0];
        let sum = inputs.f_sum_dim_intlist(&[0_i64][..], false, Kind::Double)?;
        let squares = (&inputs * &inputs).f_sum_dim_intlist(&[0_i64][..], false, Kind::Double)?;
        standardisation.sum = standardisation.sum.f_add(&sum)?;
        standardisation.squares = standardisation.squares.f_add(&squares)?;
        Ok(())
    }

    /// Uses the collected mean and standard deviation.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn standardise(&mut self, fitted: &Standardisation) -> Result<()> {
        let _no_grad = tch::no_grad_guard();
        let images = fitted.images.max(1) as f64;
        let mean = fitted.sum.f_div_scalar(images)?;
        let variance = fitted.squares.f_div_scalar(images)?.f_sub(&(&mean * &mean))?;
        let std = variance.f_clamp_min(0.0)?.f_sqrt()?;
        let varies = std.f_ge(SMALLEST_STD)?;
        let varying = std.f_masked_select(&varies)?;
        let std = if varying.numel() == 0 {
            std.f_ones_like()?
        } else {
            let least = varying.f_median()?.f_mul_scalar(LEAST_STD_OF_MEDIAN)?;
            std.f_maximum(&least)?.f_where_self(&varies, &std.f_ones_like()?)?
        };
        self.network.set_learnt(STANDARDISE_MEAN, mean.f_to_kind(Kind::Float)?);
        self.network.set_learnt(STANDARDISE_STD, std.f_to_kind(Kind::Float)?);
        Ok(())
    }
}
