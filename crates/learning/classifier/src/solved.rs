//! Heads that are solved to their optimum: how they were chosen, and their tensors.
//!
//! The crate `fit` does the mathematics on plain rows; here they get names and shapes.

use serde::{Deserialize, Serialize};
use solvers::{Choice, Cut, Fitted, Search};

use crate::architecture::{
    Architecture, KERNEL_BIAS, KERNEL_COEFFICIENTS, KERNEL_GAMMA, KERNEL_VECTORS, STANDARDISE_MEAN,
    STANDARDISE_SCALE,
};
use crate::backend::Backend;
use crate::bases::Base;
use crate::network::{Mode, Network, rows};
use crate::tensors::{HostTensor, TensorMap};
use crate::{ClassifierError, Result};

/// How a solved head was made: a part of the checkpoint's and the model's description.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Solved {
    /// The choice that the head was solved with.
    pub choice: Choice,
    /// The cross-validation that chose it.
    pub search: Search,
}

/// The cut points that a solved head may read, each with its columns of an activation.
pub fn cuts(base: &Base) -> Vec<Cut> {
    base.columns().into_iter().map(|(name, columns)| Cut { name, columns }).collect()
}

/// Refuses cut points that the base does not have.
///
/// # Errors
/// Names the first such cut point, and those that exist.
pub fn check_cuts(base: &Base, wanted: &[Vec<String>]) -> Result<()> {
    let known = base.cut_points();
    let is_known = |name: &&String| known.iter().any(|cut| cut.name == **name);
    match wanted.iter().flatten().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(layer) => Err(ClassifierError::UnknownCut {
            cut: layer.clone(),
            base: base.title,
            known: known.into_iter().map(|cut| cut.name).collect::<Vec<_>>().join(", "),
        }),
    }
}

/// The head's tensors, as a checkpoint holds them.
pub fn tensors_of(fitted: &Fitted) -> TensorMap {
    let vector = |values: &[f32]| HostTensor::new(&[values.len()], values.to_vec());
    let matrix = |values: &[f32], columns: usize| {
        HostTensor::new(&[values.len() / columns, columns], values.to_vec())
    };
    let inputs = fitted.standardisation.mean.len();
    let mut tensors = TensorMap::from([
        (STANDARDISE_MEAN.to_owned(), vector(&fitted.standardisation.mean)),
        (STANDARDISE_SCALE.to_owned(), vector(&fitted.standardisation.scale)),
    ]);
    let mut add = |name: &str, tensor| tensors.insert(name.to_owned(), tensor);
    match &fitted.head {
        solvers::Head::Linear { weights, bias } => {
            add("classifier.0.weight", matrix(weights, inputs));
            add("classifier.0.bias", vector(bias));
        }
        solvers::Head::Kernel { vectors, coefficients, bias, gamma } => {
            add(KERNEL_VECTORS, matrix(vectors, inputs));
            add(KERNEL_COEFFICIENTS, transposed(coefficients, bias.len()));
            add(KERNEL_BIAS, vector(bias));
            add(KERNEL_GAMMA, vector(&[*gamma]));
        }
    }
    tensors
}

/// `[rows, M]` as `[M, rows]`.
fn transposed(values: &[f32], rows: usize) -> HostTensor {
    let columns = values.len() / rows;
    let turned = (0..columns).flat_map(|column| (0..rows).map(move |row| (row, column)));
    let turned = turned.map(|(row, column)| values[row * columns + column]).collect();
    HostTensor::new(&[columns, rows], turned)
}

/// A head that predicts from activations, and no longer learns.
#[derive(Debug)]
pub struct SolvedHead {
    network: Network,
}

impl SolvedHead {
    /// Puts a head on the base with these `weights`, which are those of a whole model; the head's
    /// are replaced.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape.
    pub fn new(
        architecture: &Architecture,
        weights: &TensorMap,
        head: TensorMap,
        backend: Backend,
    ) -> Result<Self> {
        let mut weights = weights.clone();
        weights.extend(head);
        let network = Network::of_activations(architecture, &weights, backend, "the solved head")?;
        Ok(Self { network })
    }

    /// Logits of activations, one after the other: one row per activation, one value per class.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn logits(&self, activations: &[f32]) -> Result<Vec<Vec<f32>>> {
        let _few_threads = self.network.few_threads();
        let _no_grad = tch::no_grad_guard();
        let length = self.network.activation_length();
        let shape = [(activations.len() / length) as i64, length as i64];
        let head_inputs = self
            .network
            .head_inputs(&self.network.upload(activations, &shape)?, Mode::Prediction)?;
        rows(&self.network.logits(&head_inputs, Mode::Prediction)?)
    }

    /// The tensors of a checkpoint.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn checkpoint(&self) -> Result<TensorMap> {
        let own = self.network.learnt().iter();
        own.map(|(name, tensor)| Ok((name.clone(), crate::network::to_host(tensor)?))).collect()
    }
}
