use std::collections::BTreeMap;

use classifier::bases;

use super::*;
use hdf5_file::{Values, hdf5};

#[path = "../../../tests/fixture/hdf5.rs"]
mod hdf5_file;

/// Values that show their position: the last two digits are the output channel's, and so on.
fn value(spec: &TensorSpec, at: [usize; 4]) -> f32 {
    let [output, input, y, x] = at;
    spec.len() as f32
        + (output % 100) as f32
        + 100.0 * (input % 100) as f32
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

/// A file of VGG16's real size, except for `change`, which may drop or change a dataset.
fn file(layout: Layout, change: impl Fn(&str, Values) -> Option<Values>) -> Vec<u8> {
    let mut datasets = BTreeMap::new();
    let convolutions =
        bases::vgg16().layers().iter().filter(|layer| !layer.tensor_specs().is_empty());
    for (index, layer) in convolutions.enumerate() {
        let specs = layer.tensor_specs();
        let values = [kernel(&specs[0]), vec![index as f32; specs[1].len()]];
        let paths = layout.paths(index, &layer.name);
        for ((path, spec), values) in paths.into_iter().zip(&specs).zip(values) {
            if let Some(changed) = change(&path, (values, keras_shape(spec))) {
                datasets.insert(path, changed);
            }
        }
    }
    hdf5(datasets)
}

fn read_bytes(bytes: &[u8]) -> Result<TensorMap, WeightsError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("vgg16.h5");
    std::fs::write(&path, bytes).unwrap();
    assert!(is_hdf5(bytes));
    read(&path, bases::vgg16())
}

#[test]
fn every_layout_is_read_and_kernels_are_turned() {
    for layout in Layout::ALL {
        let tensors = read_bytes(&file(layout, |_, values| Some(values))).unwrap();
        let specs = bases::vgg16().tensor_specs();
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
    let missing = file(Layout::Keras2, |path, values| {
        (path != "block3_conv2/block3_conv2/bias:0").then_some(values)
    });
    let message = read_bytes(&missing).unwrap_err().to_string();
    let expected = "tensor block3_conv2/block3_conv2/bias:0: expected f32 [256], found nothing";
    assert!(message.contains(expected), "{message}");
    // Theano's kernels: outputs first.
    let theano = file(Layout::Published, |_, (values, mut shape)| {
        shape.reverse();
        Some((values, shape))
    });
    let message = read_bytes(&theano).unwrap_err().to_string();
    let expected = "block1_conv1_W_1:0: expected f32 [3, 3, 3, 64], found f32 [64, 3, 3, 3]";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn an_hdf5_file_of_something_else_says_what_was_looked_for() {
    let other = BTreeMap::from([("ward/temperature".to_owned(), (vec![22.5], vec![1]))]);
    let message = read_bytes(&hdf5(other)).unwrap_err().to_string();
    assert!(message.contains("block1_conv1/block1_conv1_W_1:0"), "{message}");
}

#[test]
fn a_damaged_file_is_refused() {
    let bytes = file(Layout::Published, |_, values| Some(values));
    assert!(read_bytes(&bytes[..bytes.len() / 2]).is_err());
    assert!(read_bytes(&bytes[..12]).is_err());
}
