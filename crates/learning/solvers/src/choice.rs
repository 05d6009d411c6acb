//! The parameters of a head, and those that cross-validation chooses.

use serde::{Deserialize, Serialize};

use crate::rows::positive;
use crate::{Error, Result};

/// The kinds of head that are solved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Multinomial logistic regression.
    Linear,
    /// A support vector machine with a Gaussian kernel.
    Kernel,
}

/// The parameters that one head is fitted with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The cuts that it reads.
    pub cuts: Vec<String>,
    /// The weight of an image's loss against the size of the weights: `C` in scikit-learn.
    pub strength: f64,
    /// The width of a kernel: `gamma = 1 / (width · features read)`. 1 is scikit-learn's
    /// `gamma="scale"` on standardised features. None for a linear head.
    pub width: Option<f64>,
}

impl Choice {
    /// Checks that the numbers are valid for the kind of head.
    pub(crate) fn check(&self, kind: Kind) -> Result<()> {
        positive("strength", self.strength)?;
        match (kind, self.width) {
            (Kind::Linear, None) => Ok(()),
            (Kind::Linear, Some(_)) => Err(Error::Width { kind: "linear", needs: "has no width" }),
            (Kind::Kernel, Some(width)) => positive("width", width),
            (Kind::Kernel, None) => Err(Error::Width { kind: "kernel", needs: "needs a width" }),
        }
    }
}

/// `gamma` of a width for a number of features.
pub(crate) fn gamma_of(width: f64, features: usize) -> f32 {
    (1.0 / (width * features as f64)) as f32
}
