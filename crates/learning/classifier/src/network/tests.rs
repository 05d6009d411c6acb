//! Compares the network's parts with each other.

use config::{DeviceChoice, Freeze, HeadKind, Precision};

use super::*;
use crate::architecture::tests::architecture;
use crate::architecture::{
    KERNEL_BIAS, KERNEL_COEFFICIENTS, KERNEL_GAMMA, KERNEL_VECTORS, STANDARDISE_SCALE,
};
use crate::initialise::{fresh_head, random_base};
use crate::tensors::HostTensor;

pub(crate) fn cpu() -> Backend {
    Backend::choose(DeviceChoice::Cpu, Precision::Fp32).unwrap()
}

/// A whole model's weights; the head's are random, so that logits vary.
pub(crate) fn weights(architecture: &Architecture) -> TensorMap {
    let mut weights = random_base(architecture.base, 5);
    weights.extend(fresh_head(architecture, 6));
    let drawn = |count: usize, size: f32| -> Vec<f32> {
        (0..count).map(|i| (i as f32 * 0.7).sin() * size).collect()
    };
    if architecture.head.kind == HeadKind::Kernel {
        let (inputs, classes) = (architecture.head_inputs(), architecture.classes.len());
        let mut insert = |name: &str, shape: &[usize], size| {
            let values = drawn(shape.iter().product(), size);
            weights.insert(name.into(), HostTensor::new(shape, values));
        };
        insert(KERNEL_VECTORS, &[3, inputs], 0.1);
        insert(KERNEL_COEFFICIENTS, &[3, classes], 1.0);
        insert(KERNEL_BIAS, &[classes], 0.1);
        weights.insert(KERNEL_GAMMA.into(), HostTensor::new(&[1], vec![1.0 / inputs as f32]));
        // So small that a random base's output for an image lies within the kernel's width.
        let scale = HostTensor::new(&[inputs], vec![0.001; inputs]);
        weights.insert(STANDARDISE_SCALE.into(), scale);
        return weights;
    }
    let output = weights["classifier.0.weight"].clone();
    let values = drawn(output.values().len(), 0.01);
    weights.insert("classifier.0.weight".into(), HostTensor::new(output.shape(), values));
    weights
}

const ALL_KINDS: [HeadKind; 5] = [
    HeadKind::Linear,
    HeadKind::Kernel,
    HeadKind::Flatten,
    HeadKind::GlobalPool,
    HeadKind::MultiScale,
];

fn network(kind: HeadKind, freeze: Freeze) -> Network {
    let architecture = architecture(kind, 0, freeze);
    Network::new(&architecture, &weights(&architecture), cpu(), "test").unwrap()
}

fn images(count: usize) -> Vec<f32> {
    (0..count * 3 * 32 * 32).map(|i| (i as f32 * 0.37).sin()).collect()
}

fn logits(network: &Network, images: &[f32], count: usize) -> Vec<f32> {
    let batch = network.upload(images, &network.image_shape(count)).unwrap();
    let activations = network.activations(&batch).unwrap();
    assert_eq!(activations.size(), [count as i64, network.activation_length() as i64]);
    let head_inputs = network.head_inputs(&activations, Mode::Prediction).unwrap();
    to_host(&network.logits(&head_inputs, Mode::Prediction).unwrap()).unwrap().values().to_vec()
}

#[test]
fn where_the_base_is_cut_does_not_change_the_logits() {
    // Except for the last bits: layers that learn use libtorch, frozen ones may not.
    let assert_close = |found: &[f32], expected: &[f32], what: &str| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{what}: {found} and not {expected}");
        }
    };
    for kind in ALL_KINDS {
        let whole = logits(&network(kind, Freeze::All), &images(2), 2);
        assert!(whole.iter().any(|logit| logit.abs() > 1e-3), "{whole:?}");
        for layer in ["block1_conv1", "block2_pool", "block4_conv2", "block5_conv3"] {
            let cut = network(kind, Freeze::Until(layer.into()));
            let found = logits(&cut, &images(2), 2);
            assert_close(&found, &whole, &format!("{kind:?} cut at {layer}"));
        }
        let found = logits(&network(kind, Freeze::None), &images(2), 2);
        assert_close(&found, &whole, &format!("{kind:?}, all learnt"));
    }
}

#[test]
fn grad_cam_of_frozen_layers_is_that_of_learnt_ones() {
    for kind in [HeadKind::MultiScale, HeadKind::Linear, HeadKind::Kernel] {
        let heat = |freeze| {
            let network = network(kind, freeze);
            let image = network.upload(&images(1), &network.image_shape(1)).unwrap();
            // For both classes: something in the image supports one of them.
            let maps = [0, 1]
                .map(|class| to_host(&network.grad_cam(&network, &image, class).unwrap()).unwrap());
            maps.iter().flat_map(|map| map.values().to_vec()).collect::<Vec<f32>>()
        };
        let (frozen, learnt) = (heat(Freeze::All), heat(Freeze::None));
        assert_eq!((frozen.len(), learnt.len()), (8, 8), "{kind:?}");
        let largest = learnt.iter().fold(0.0_f32, |one, other| one.max(*other));
        assert!(largest > 0.0, "{kind:?}: {learnt:?}");
        for (frozen, learnt) in frozen.iter().zip(&learnt) {
            assert!((frozen - learnt).abs() < 1e-4 * largest, "{kind:?}: {frozen}, not {learnt}");
        }
    }
}

#[test]
fn the_map_of_a_linear_head_adds_up_to_what_its_logit_says() {
    // The map's mean is the logit's distance from that of the mean training image, here 0, if no
    // part of it is negative: so with positive weights.
    let architecture = architecture(HeadKind::Linear, 0, Freeze::All);
    let mut weights = weights(&architecture);
    let length = weights["classifier.0.weight"].values().len();
    let positive = HostTensor::new(&[2, length / 2], vec![0.01; length]);
    weights.insert("classifier.0.weight".into(), positive);
    let network = Network::new(&architecture, &weights, cpu(), "test").unwrap();
    let logit = logits(&network, &images(1), 1)[1];
    let image = network.upload(&images(1), &network.image_shape(1)).unwrap();
    let map = to_host(&network.grad_cam(&network, &image, 1).unwrap()).unwrap();
    let mean = map.values().iter().sum::<f32>() / map.values().len() as f32;
    assert!(logit > 0.0 && (mean - logit).abs() < 1e-4 * logit, "{mean} and not {logit}");
}

#[test]
fn a_kernel_head_answers_by_its_formula() {
    let network = network(HeadKind::Kernel, Freeze::All);
    let weights = weights(&architecture(HeadKind::Kernel, 0, Freeze::All));
    let inputs: Vec<f32> =
        (0..bases::vgg16().pooled_features()).map(|i| (i as f32 * 0.2).cos()).collect();
    let row = network.upload(&inputs, &[1, inputs.len() as i64]).unwrap();
    let found = to_host(&network.logits(&row, Mode::Prediction).unwrap()).unwrap();
    let gamma = f64::from(weights[KERNEL_GAMMA].values()[0]);
    let kernel = |vector: &[f32]| {
        let squares = vector.iter().zip(&inputs).map(|(v, x)| f64::from(v - 0.001 * x).powi(2));
        (-gamma * squares.sum::<f64>()).exp()
    };
    let vectors = weights[KERNEL_VECTORS].values().chunks(inputs.len());
    let kernels: Vec<f64> = vectors.map(kernel).collect();
    for (class, found) in found.values().iter().enumerate() {
        let coefficient =
            |at: usize| f64::from(weights[KERNEL_COEFFICIENTS].values()[at * 2 + class]);
        let expected = kernels.iter().enumerate().map(|(at, it)| it * coefficient(at)).sum::<f64>()
            + f64::from(weights[KERNEL_BIAS].values()[class]);
        assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} and not {expected}");
    }
}

#[test]
fn an_activation_does_not_depend_on_its_place_in_the_batch() {
    let network = network(HeadKind::MultiScale, Freeze::All);
    let image = images(1);
    let mut others = images(4);
    others.reverse();
    let alone = |place: usize| {
        let mut batch = others.clone();
        batch[place * image.len()..(place + 1) * image.len()].copy_from_slice(&image);
        let batch = network.upload(&batch, &network.image_shape(4)).unwrap();
        let activations = to_host(&network.activations(&batch).unwrap()).unwrap();
        let length = network.activation_length();
        activations.values()[place * length..(place + 1) * length].to_vec()
    };
    assert_eq!(alone(0), alone(3));
}

#[test]
fn activations_do_not_depend_on_how_few_images_fill_up_the_rows() {
    for (kind, freeze) in [
        (HeadKind::MultiScale, Freeze::All),
        (HeadKind::Kernel, Freeze::All),
        (HeadKind::Linear, Freeze::Until("block4_conv2".into())),
        (HeadKind::Flatten, Freeze::All),
        (HeadKind::GlobalPool, Freeze::All),
        (HeadKind::MultiScale, Freeze::Until("block4_conv2".into())),
        (HeadKind::MultiScale, Freeze::None),
    ] {
        let network = network(kind, freeze.clone());
        let length = network.activation_length();
        let four = images(4);
        let four: Vec<&[f32]> = four.chunks(four.len() / 4).collect();
        let activations = |images: &[&[f32]]| {
            let activations = network.filled_activations(images, 4).unwrap();
            assert_eq!(activations.size(), [4, length as i64], "{kind:?} {freeze:?}");
            to_host(&activations).unwrap().values()[..images.len() * length].to_vec()
        };
        let all = activations(&four);
        for count in 1..4 {
            assert!(activations(&four[..count]) == all[..count * length], "{kind:?} {freeze:?}");
        }
    }
}

#[test]
fn multi_scale_takes_cells_and_population_deviation() {
    // One channel of 4×4 cells, each cell one pixel: 0, 1, …, 15. Mean 7.5, variance 21.25.
    let maps = Tensor::arange(16, (Kind::Float, tch::Device::Cpu)).reshape([1, 1, 4, 4]);
    let taken = to_host(&take(&maps, MapSummary::CellsAndDeviations).unwrap()).unwrap();
    let expected: Vec<f32> = (0..16).map(|i| i as f32).chain([21.25_f32.sqrt()]).collect();
    for (found, expected) in taken.values().iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{taken:?}");
    }
}
