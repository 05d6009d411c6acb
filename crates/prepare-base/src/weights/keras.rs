//! Keras' HDF5 files, such as `vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5`.
//!
//! Their kernels lie as `[height, width, inputs, outputs]`; ours as torchvision's,
//! `[outputs, inputs, height, width]`.

use std::path::Path;

use classifier::ClassifierError;
use classifier::tensors::{HostTensor, TensorMap};
use classifier::vgg16::{LAYERS, TensorSpec};
use hdf5_pure::{DType, Dataset, File};

use super::WeightsError;

/// The first bytes of every HDF5 file.
const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// Whether a file that starts so is an HDF5 file.
pub(super) fn is_hdf5(start: &[u8]) -> bool {
    start.starts_with(SIGNATURE)
}

/// Reads the base's tensors; what else the file holds, such as the top, is passed over.
pub(super) fn read(path: &Path) -> Result<TensorMap, WeightsError> {
    let refuse = |error: hdf5_pure::Error| WeightsError::Hdf5 {
        path: path.to_path_buf(),
        reason: error.to_string(),
    };
    let file = File::open_streaming(path).map_err(refuse)?;
    let layout = Layout::of(&file)
        .ok_or_else(|| WeightsError::NoKerasLayers { path: path.to_path_buf() })?;
    let convolutions = LAYERS.iter().filter(|layer| !layer.tensor_specs().is_empty());
    let mut tensors = TensorMap::new();
    for (index, layer) in convolutions.enumerate() {
        let [kernel, bias] = layout.paths(index, layer.name);
        for (spec, name) in layer.tensor_specs().iter().zip([kernel, bias]) {
            let found = Found { file: &file, path, name };
            tensors.insert(spec.name.clone(), found.tensor(spec)?);
        }
    }
    Ok(tensors)
}

/// How a version of Keras names the datasets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// `block1_conv1/block1_conv1_W_1:0`: the files that Keras itself gives away.
    Published,
    /// `block1_conv1/block1_conv1/kernel:0`: Keras 2's `save_weights`.
    Keras2,
    /// `block1_conv1/block1_conv1/kernel`: Keras 3's way to write Keras 2's files.
    Keras3AsKeras2,
    /// `model_weights/block1_conv1/…/kernel:0`: Keras 2's `save`, the whole model.
    Keras2Model,
    /// `model_weights/block1_conv1/…/kernel`: Keras 3's `save` to `.h5`.
    Keras3Model,
    /// `layers/conv2d/vars/0`: Keras 3's `.weights.h5`, which counts layers and names none.
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

    /// The layout in which the first convolution is there.
    fn of(file: &File) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| {
            let [kernel, _] = layout.paths(0, LAYERS[0].name);
            file.dataset(&kernel).is_ok()
        })
    }

    /// Where kernel and bias of a convolution lie: the `index`th from the image up, from 0.
    fn paths(self, index: usize, layer: &str) -> [String; 2] {
        let (group, names) = match self {
            Self::Published => {
                (format!("{layer}/{layer}"), ["_W_1:0", "_b_1:0"])
            }
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

/// A dataset that should be there.
struct Found<'a> {
    file: &'a File,
    path: &'a Path,
    name: String,
}

impl Found<'_> {
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
        ClassifierError::Tensor { origin, name, expected: format!("f32 {expected:?}"), found }.into()
    }
}

/// The shape that Keras gives a tensor of ours.
fn keras_shape(spec: &TensorSpec) -> Vec<usize> {
    match spec.shape[..] {
        [outputs, inputs, height, width] => vec![height, width, inputs, outputs],
        _ => spec.shape.clone(),
    }
}

#[cfg(test)]
mod tests {
    use classifier::vgg16;
    use hdf5_pure::FileBuilder;

    use super::*;

    /// Values that tell where they lie: the last two digits are the output channel's, and so on.
    fn value(spec: &TensorSpec, at: [usize; 4]) -> f32 {
        let [output, input, y, x] = at;
        spec.len() as f32 + (output % 100) as f32 + 100.0 * (input % 100) as f32
            + 10_000.0 * (3 * y + x) as f32
    }

    fn kernel(spec: &TensorSpec) -> Vec<f32> {
        let [height, width, inputs, outputs] = keras_shape(spec)[..] else { panic!("a kernel") };
        let mut values = Vec::with_capacity(spec.len());
        for y in 0..height {
            for x in 0..width {
                for input in 0..inputs {
                    values.extend((0..outputs).map(|out| value(spec, [out, input, y, x])));
                }
            }
        }
        values
    }

    /// A file of VGG16's real size, but for `change`, which may drop or change a dataset.
    fn file(layout: Layout, change: impl Fn(&str, Vec<f32>, Vec<usize>) -> Option<Dropped>) -> Vec<u8> {
        let mut builder = FileBuilder::new();
        let convolutions = LAYERS.iter().filter(|layer| !layer.tensor_specs().is_empty());
        for (index, layer) in convolutions.enumerate() {
            let specs = layer.tensor_specs();
            let values = [kernel(&specs[0]), vec![index as f32; specs[1].len()]];
            for ((name, spec), values) in layout.paths(index, layer.name).iter().zip(&specs).zip(values) {
                let Some((values, shape)) = change(name, values, keras_shape(spec)) else { continue };
                let shape: Vec<u64> = shape.iter().map(|length| *length as u64).collect();
                builder.create_dataset(name).with_f32_data(&values).with_shape(&shape);
            }
        }
        builder.finish().unwrap()
    }

    type Dropped = (Vec<f32>, Vec<usize>);

    fn read_bytes(bytes: &[u8]) -> Result<TensorMap, WeightsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vgg16.h5");
        std::fs::write(&path, bytes).unwrap();
        assert!(is_hdf5(bytes));
        read(&path)
    }

    #[test]
    fn every_layout_is_read_and_kernels_are_turned() {
        for layout in Layout::ALL {
            let tensors = read_bytes(&file(layout, |_, values, shape| Some((values, shape)))).unwrap();
            let specs = vgg16::tensor_specs();
            assert_eq!(tensors.len(), specs.len());
            let spec = &specs[2];
            let values = tensors[&spec.name].values();
            for at in [[0, 0, 0, 0], [1, 0, 0, 2], [63, 5, 2, 1], [7, 63, 1, 1]] {
                let [output, input, y, x] = at;
                let index = ((output * 64 + input) * 3 + y) * 3 + x;
                assert_eq!(values[index], value(spec, at), "{layout:?} {at:?}");
            }
            assert_eq!(tensors["features.28.bias"].values(), [12.0; 512]);
        }
    }

    #[test]
    fn what_is_missing_or_of_another_shape_is_named() {
        let missing = file(Layout::Keras2, |name, values, shape| {
            (!name.starts_with("block3_conv2/block3_conv2/bias")).then_some((values, shape))
        });
        let message = read_bytes(&missing).unwrap_err().to_string();
        let expected = "tensor block3_conv2/block3_conv2/bias:0: expected f32 [256], found nothing";
        assert!(message.contains(expected), "{message}");
        // Theano's kernels: outputs first.
        let theano = file(Layout::Published, |_, values, mut shape| {
            shape.reverse();
            Some((values, shape))
        });
        let message = read_bytes(&theano).unwrap_err().to_string();
        let expected = "block1_conv1_W_1:0: expected f32 [3, 3, 3, 64], found f32 [64, 3, 3, 3]";
        assert!(message.contains(expected), "{message}");
    }

    #[test]
    fn an_hdf5_file_of_something_else_says_what_was_looked_for() {
        let mut builder = FileBuilder::new();
        builder.create_dataset("temperature").with_f32_data(&[22.5]).with_shape(&[1]);
        let message = read_bytes(&builder.finish().unwrap()).unwrap_err().to_string();
        assert!(message.contains("block1_conv1/block1_conv1_W_1:0"), "{message}");
    }

    #[test]
    fn a_damaged_file_is_refused() {
        let bytes = file(Layout::Published, |_, values, shape| Some((values, shape)));
        assert!(read_bytes(&bytes[..bytes.len() / 2]).is_err());
        assert!(read_bytes(&bytes[..12]).is_err());
    }
}
