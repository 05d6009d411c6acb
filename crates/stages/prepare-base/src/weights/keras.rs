//! Keras' HDF5 files, such as `vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5`.
//!
//! Their kernels have the layout `[height, width, inputs, outputs]`; ours torchvision's, `[outputs,
//! inputs, height, width]`.

use std::path::Path;

use classifier::bases::Base;
use classifier::tensors::{HostTensor, TensorMap};
use classifier::{ClassifierError, TensorSpec};
use hdf5_pure::{DType, Dataset, File};

use super::WeightsError;

#[cfg(test)]
mod tests;

/// The first bytes of every HDF5 file.
const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Whether a file with this start is an HDF5 file.
pub(super) fn is_hdf5(start: &[u8]) -> bool {
    start.starts_with(SIGNATURE)
}

/// Reads the base's tensors; other content of the file, such as the top, is ignored.
pub(super) fn read(path: &Path, base: &Base) -> Result<TensorMap, WeightsError> {
    if !base.is_vgg() {
        return Err(WeightsError::NotOfKeras { path: path.to_path_buf(), base: base.title });
    }
    let refuse = |error: hdf5_pure::Error| WeightsError::Hdf5 {
        path: path.to_path_buf(),
        reason: error.to_string(),
    };
    let file = File::open_streaming(path).map_err(refuse)?;
    let missing = || WeightsError::NoKerasLayers { path: path.to_path_buf(), base: base.title };
    let layout = Layout::of(&file).ok_or_else(missing)?;
    let convolutions = base.layers().iter().filter(|layer| !layer.tensor_specs().is_empty());
    let mut tensors = TensorMap::new();
    for (index, layer) in convolutions.enumerate() {
        let [kernel, bias] = layout.paths(index, &layer.name);
        for (spec, name) in layer.tensor_specs().iter().zip([kernel, bias]) {
            let wanted = Wanted { file: &file, path, name };
            tensors.insert(spec.name.clone(), wanted.tensor(spec)?);
        }
    }
    Ok(tensors)
}

/// How a version of Keras names the datasets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `block1_conv1/block1_conv1_W_1:0`: the files that Keras itself publishes.
    Published,
    /// `block1_conv1/block1_conv1/kernel:0`: Keras 2's `save_weights`.
    Keras2,
    /// `block1_conv1/block1_conv1/kernel`: Keras 3's way of writing Keras 2's files.
    Keras3AsKeras2,
    /// `model_weights/block1_conv1/…/kernel:0`: Keras 2's `save`, the whole model.
    Keras2Model,
    /// `model_weights/block1_conv1/…/kernel`: Keras 3's `save` to `.h5`.
    Keras3Model,
    /// `layers/conv2d/vars/0`: Keras 3's `.weights.h5`, which numbers layers instead of naming
    /// them.
    Keras3,
}

impl Layout {
    const ALL: [Self; 6] = [
        Self::Published,
        Self::Keras2,
        Self::Keras3AsKeras2,
        Self::Keras2Model,
        Self::Keras3Model,
        Self::Keras3,
    ];

    /// The layout that contains the first convolution.
    fn of(file: &File) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| {
            let [kernel, _] = layout.paths(0, "block1_conv1");
            file.dataset(&kernel).is_ok()
        })
    }

    /// The paths of kernel and bias of a convolution: the `index`th from the image up, from 0.
    fn paths(self, index: usize, layer: &str) -> [String; 2] {
        let (group, names) = match self {
            Self::Published => (format!("{layer}/{layer}"), ["_W_1:0", "_b_1:0"]),
            Self::Keras2 => (format!("{layer}/{layer}"), ["/kernel:0", "/bias:0"]),
            Self::Keras3AsKeras2 => (format!("{layer}/{layer}"), ["/kernel", "/bias"]),
            Self::Keras2Model => {
                (format!("model_weights/{layer}/{layer}"), ["/kernel:0", "/bias:0"])
            }
            Self::Keras3Model => (format!("model_weights/{layer}/{layer}"), ["/kernel", "/bias"]),
            Self::Keras3 if index == 0 => ("layers/conv2d/vars".to_owned(), ["/0", "/1"]),
            Self::Keras3 => (format!("layers/conv2d_{index}/vars"), ["/0", "/1"]),
        };
        names.map(|name| format!("{group}{name}"))
    }
}

/// A required dataset.
struct Wanted<'a> {
    file: &'a File,
    path: &'a Path,
    name: String,
}

impl Wanted<'_> {
    fn tensor(&self, spec: &TensorSpec) -> Result<HostTensor, WeightsError> {
        let shape = keras_shape(spec);
        let Ok(dataset) = self.file.dataset(&self.name) else {
            return Err(self.mismatch(&shape, "nothing".into()));
        };
        let found = (self.read(dataset.dtype())?, self.read(dataset.shape())?);
        let expected: Vec<u64> = shape.iter().map(|length| *length as u64).collect();
        if found != (DType::F32, expected) {
            return Err(self.mismatch(&shape, format!("{} {:?}", found.0, found.1)));
        }
        let values = self.values(&dataset, spec)?;
        Ok(HostTensor::new(&spec.shape, values))
    }

    /// The values in torchvision's order.
    fn values(&self, dataset: &Dataset, spec: &TensorSpec) -> Result<Vec<f32>, WeightsError> {
        let values = self.read(dataset.read_f32())?;
        if values.len() != spec.len() {
            return Err(self.mismatch(&keras_shape(spec), format!("{} values", values.len())));
        }
        let [outputs, inputs, height, width] = spec.shape[..] else { return Ok(values) };
        let mut turned = Vec::with_capacity(values.len());
        for output in 0..outputs {
            for input in 0..inputs {
                let pixels = 0..height * width;
                turned.extend(pixels.map(|at| values[(at * inputs + input) * outputs + output]));
            }
        }
        Ok(turned)
    }

    fn read<T>(&self, result: Result<T, hdf5_pure::Error>) -> Result<T, WeightsError> {
        result.map_err(|error| WeightsError::Hdf5 {
            path: self.path.to_path_buf(),
            reason: format!("{}: {error}", self.name),
        })
    }

    fn mismatch(&self, expected: &[usize], found: String) -> WeightsError {
        let (origin, name) = (self.path.display().to_string(), self.name.clone());
        ClassifierError::Tensor { origin, name, expected: format!("f32 {expected:?}"), found }
            .into()
    }
}

/// Keras' shape for one of our tensors.
fn keras_shape(spec: &TensorSpec) -> Vec<usize> {
    match spec.shape[..] {
        [outputs, inputs, height, width] => vec![height, width, inputs, outputs],
        _ => spec.shape.clone(),
    }
}
