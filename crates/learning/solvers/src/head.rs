//! The result of a fit: a function from features to logits.

use rayon::prelude::*;

use crate::kernel::distance::distances;
use crate::product::times_transposed;
use crate::{Error, Result, Rows, Standardisation};

/// Images whose logits one thread computes at a time.
const IMAGES_OF_A_BLOCK: usize = 256;

/// A fitted head with the standardisation of its input.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// How features are standardised first.
    pub standardisation: Standardisation,
    /// The function of standardised features.
    pub head: Head,
}

/// A function of standardised features `x̂`, of which there are `D`, to a logit for each of `K`
/// classes.
#[derive(Debug, Clone, PartialEq)]
pub enum Head {
    /// `weights · x̂ + bias`.
    Linear {
        /// `[K, D]`, class by class; 0 in columns that are not read.
        weights: Vec<f32>,
        /// `[K]`.
        bias: Vec<f32>,
    },
    /// `coefficients · k(vectors, x̂) + bias` with `k(v, x̂) = exp(−gamma · |x̂ − v|²)`.
    Kernel {
        /// Support vectors or landmarks, standardised: `[M, D]`, one after the other; 0 in columns
        /// that are not read.
        vectors: Vec<f32>,
        /// `[K, M]`, class by class.
        coefficients: Vec<f32>,
        /// `[K]`.
        bias: Vec<f32>,
        /// How fast the kernel falls with the squared distance.
        gamma: f32,
    },
}

impl Fitted {
    /// One logit per class for each image. Features that are not finite give logits that are not.
    ///
    /// # Errors
    /// When the images have more or fewer features than the head reads.
    pub fn logits(&self, rows: &Rows<'_>) -> Result<Vec<Vec<f32>>> {
        let columns = self.standardisation.mean.len();
        if rows.columns() != columns {
            let found = rows.columns();
            return Err(Error::Count { what: "features of an image", found, expected: columns });
        }
        let images: Vec<usize> = (0..rows.len()).collect();
        let blocks: Vec<Vec<Vec<f32>>> = images
            .par_chunks(IMAGES_OF_A_BLOCK)
            .map(|images| self.head.logits(&self.standardised(rows, images), columns))
            .collect();
        Ok(blocks.into_iter().flatten().collect())
    }

    fn standardised(&self, rows: &Rows<'_>, images: &[usize]) -> Vec<f32> {
        let columns = 0..rows.columns();
        let of_image = |&image: &usize| {
            let row = rows.row(image);
            columns.clone().map(move |column| self.standardisation.of_value(row, column))
        };
        images.iter().flat_map(of_image).collect()
    }
}

impl Head {
    /// Number of classes.
    pub fn classes(&self) -> usize {
        match self {
            Self::Linear { bias, .. } | Self::Kernel { bias, .. } => bias.len(),
        }
    }

    /// The logits of standardised rows, by one thread.
    fn logits(&self, rows: &[f32], columns: usize) -> Vec<Vec<f32>> {
        let (weights, inputs, bias, read) = match self {
            Self::Linear { weights, bias } => (weights, rows.to_vec(), bias, columns),
            Self::Kernel { vectors, coefficients, bias, gamma } => {
                let mut kernel = distances(rows, vectors, columns);
                kernel.iter_mut().for_each(|value| *value = (-gamma * *value).exp());
                (coefficients, kernel, bias, vectors.len() / columns)
            }
        };
        let mut logits = vec![0.0; rows.len() / columns * bias.len()];
        times_transposed(&inputs, weights, read, &mut logits);
        let with_bias = |row: &[f32]| row.iter().zip(bias).map(|(it, bias)| it + bias).collect();
        logits.chunks_exact(bias.len()).map(with_bias).collect()
    }
}
