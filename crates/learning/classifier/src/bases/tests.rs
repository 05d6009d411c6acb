//! Shapes and numbers that others published, and that each base works in every part of a network.
//! `tests/reference/test_bases.py` compares values with timm.

use config::{DescentParams, DeviceChoice, Freeze, HeadKind, Precision};
use tch::Tensor;

use super::*;
use crate::architecture::Architecture;
use crate::architecture::tests::of_base;
use crate::backend::{Backend, FORWARD_BATCH};
use crate::initialise::{fresh_head, random_base};
use crate::learner::{Batch, Learner};
use crate::network::tests::weights;
use crate::network::{Mode, Network, StepRows, rows, to_host};
use crate::tensors::TensorMap;

/// Values that gradients change, as timm counts them without a top.
const PARAMETERS: [(&str, usize); 10] = [
    ("vgg16", 14_714_688),
    ("vgg19", 20_024_384),
    ("resnet18", 11_176_512),
    ("resnet50", 23_508_032),
    ("densenet121", 6_953_856),
    ("efficientnet_b0", 4_007_548),
    ("tf_efficientnet_lite0", 3_371_008),
    ("convnext_tiny", 27_818_592),
    ("vit_small_patch14_dinov2", 22_056_192),
    ("vit_small_patch14_reg4_dinov2", 22_057_344),
];

fn cpu() -> Backend {
    Backend::choose(DeviceChoice::Cpu, Precision::Fp32).unwrap()
}

/// The network that a head of this kind makes of a base with these weights, which take a while to
/// draw.
fn network_of(
    base: &Base,
    drawn: &TensorMap,
    kind: HeadKind,
    freeze: Freeze,
) -> (Architecture, TensorMap, Network) {
    let image_size = if base.size_unit > 1 { 3 * base.size_unit } else { 40 };
    let architecture = Architecture { image_size, ..of_base(base.name, kind, 0, freeze) };
    let mut weights = drawn.clone();
    weights.extend(fresh_head(&architecture, 6));
    let output = weights["classifier.0.weight"].clone();
    let values = (0..output.values().len()).map(|at| (at as f32 * 0.7).sin() * 0.1).collect();
    let drawn = crate::tensors::HostTensor::new(output.shape(), values);
    weights.insert("classifier.0.weight".into(), drawn);
    let network = Network::new(&architecture, &weights, cpu(), "test").unwrap();
    (architecture, weights, network)
}

fn images(count: usize, architecture: &Architecture) -> Vec<f32> {
    let values = count * INPUT_CHANNELS * (architecture.image_size as usize).pow(2);
    (0..values).map(|at| (at as f32 * 0.37).sin()).collect()
}

fn head_inputs(network: &Network, images: &[f32], count: usize) -> Vec<f32> {
    let batch = network.upload(images, &network.image_shape(count)).unwrap();
    let activations = network.activations(&batch).unwrap();
    assert_eq!(activations.size(), [count as i64, network.activation_length() as i64]);
    let head_inputs = network.head_inputs(&activations, Mode::Prediction).unwrap();
    to_host(&head_inputs).unwrap().values().to_vec()
}

#[test]
fn parameters_add_up_to_the_published_numbers() {
    for ((name, parameters), base) in PARAMETERS.into_iter().zip(all()) {
        assert_eq!(base.name, name);
        let learn = |spec: &TensorSpec| !STATISTICS.iter().any(|end| spec.name.ends_with(end));
        let specs = base.tensor_specs().into_iter().filter(learn);
        assert_eq!(specs.map(|spec| spec.len()).sum::<usize>(), parameters, "{name}");
    }
}

#[test]
fn names_are_unique_and_the_end_is_a_cut_point() {
    for base in all() {
        let mut names: Vec<&str> = base.layers().iter().map(|layer| layer.name.as_str()).collect();
        let (layers, tensors) = (names.len(), base.tensor_specs());
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), layers, "{}", base.name);
        let mut names: Vec<&str> = tensors.iter().map(|spec| spec.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), tensors.len(), "{}", base.name);
        let cuts = base.cut_points();
        assert!(cuts.len() >= 4 && cuts.last().unwrap().layers == layers, "{}", base.name);
        let stages: Vec<usize> = base.layers().iter().map(|layer| layer.stage).collect();
        assert!(stages.is_sorted() && stages[0] == 0, "{}", base.name);
    }
}

#[test]
fn shapes_follow_keras_summary_at_224() {
    let vgg = vgg16();
    let after = |name| vgg.maps_after(224, vgg.layers_until(name).unwrap());
    assert_eq!(after("block1_conv2"), [64, 224, 224]);
    assert_eq!(after("block3_pool"), [256, 28, 28]);
    assert_eq!(after("block5_pool"), [512, 7, 7]);
    assert_eq!(vgg.shape_after(224, 0), [3, 224, 224]);
    // An odd size loses its last row at each pooling.
    assert_eq!(vgg.maps_after(33, 3), [64, 16, 16]);
    assert_eq!(vgg.maps_after(63, 18), [512, 1, 1]);
    assert_eq!(vgg.tensor_specs().len(), 26);
}

#[test]
fn stages_are_counted_from_the_head_down() {
    let below =
        ["classifier.0.weight", "features.28.bias", "features.17.weight", "features.0.bias"]
            .map(|tensor| vgg16().stages_below_head(tensor));
    assert_eq!(below, [0, 1, 2, 5]);
    let vit = named("vit_small_patch14_dinov2").unwrap();
    assert_eq!(["norm.weight", "cls_token"].map(|it| vit.stages_below_head(it)), [1, 4]);
}

#[test]
fn an_unknown_base_is_refused_with_those_there_are() {
    let message = named("resnet51").unwrap_err().to_string();
    assert!(message.contains("resnet51") && message.contains("resnet50"), "{message}");
}

#[test]
fn the_first_convolution_sees_the_image() {
    for base in all() {
        let spec = base.first_convolution();
        assert_eq!(spec.shape[1], 3, "{}", base.name);
    }
    assert_eq!(vgg16().first_convolution().name, "features.0.weight");
}

/// Also that normalisations which became a part of the kernels give what they gave before.
#[test]
fn where_a_base_is_cut_does_not_change_what_the_head_sees() {
    for base in all() {
        let drawn = random_base(base, 5);
        let middle = base.layers()[base.layers().len() / 2].name.clone();
        for kind in [HeadKind::Linear, HeadKind::GlobalPool] {
            let (architecture, _, network) = network_of(base, &drawn, kind, Freeze::All);
            let images = images(2, &architecture);
            let whole = head_inputs(&network, &images, 2);
            let largest = whole.iter().fold(0.0_f32, |one, other| one.max(other.abs()));
            assert!(largest > 0.0, "{} {kind:?}", base.name);
            for freeze in [Freeze::Until(middle.clone()), Freeze::None] {
                let (_, _, cut) = network_of(base, &drawn, kind, freeze.clone());
                for (found, expected) in head_inputs(&cut, &images, 2).iter().zip(&whole) {
                    let is_near = (found - expected).abs() < 1e-4 * largest;
                    assert!(is_near, "{} {kind:?} {freeze}: {found}, not {expected}", base.name);
                }
            }
        }
    }
}

#[test]
fn each_base_shows_where_it_looks() {
    for base in all() {
        let drawn = random_base(base, 5);
        for kind in [HeadKind::Linear, HeadKind::GlobalPool, HeadKind::Flatten] {
            let (architecture, _, network) = network_of(base, &drawn, kind, Freeze::All);
            let image = network.upload(&images(1, &architecture), &network.image_shape(1)).unwrap();
            let size = architecture.image_size;
            let [_, side, _] = base.maps_after(size, base.explained_layers());
            let maps: Vec<Tensor> =
                [0, 1].map(|class| network.grad_cam(&network, &image, class).unwrap()).into();
            assert!(maps.iter().all(|map| map.size() == [side as i64; 2]), "{}", base.name);
            let total: f64 =
                maps.iter().map(|map| map.sum(tch::Kind::Double).double_value(&[])).sum();
            assert!(total > 0.0 && total.is_finite(), "{} {kind:?}: {total}", base.name);
        }
    }
}

#[test]
fn a_step_changes_every_weight_of_the_layers_that_learn_and_no_statistics() {
    for base in all() {
        let last = base.layers().iter().rev().find(|layer| !layer.tensor_specs().is_empty());
        let last = last.map(|layer| layer.name.clone()).unwrap();
        let before = base.layers_until(&last).unwrap() - 2;
        let freeze = Freeze::Until(base.layers()[before].name.clone());
        let drawn = random_base(base, 5);
        let (architecture, weights, network) =
            network_of(base, &drawn, HeadKind::GlobalPool, freeze);
        let batch = network.upload(&images(2, &architecture), &network.image_shape(2)).unwrap();
        let activations = to_host(&network.activations(&batch).unwrap()).unwrap();
        let params = DescentParams { learning_rate: 0.1, ..DescentParams::default() };
        let mut learner =
            Learner::new(&architecture, &weights, cpu(), &params, None, "test").unwrap();
        let batch = Batch { activations: activations.values(), labels: &[0, 1] };
        learner.step(batch, 0.1, &artifact::Digest::of(b"step")).unwrap();
        for (name, tensor) in learner.checkpoint().unwrap() {
            let is_changed = tensor != weights[&name];
            let learns = !STATISTICS.iter().any(|end| name.ends_with(end));
            assert_eq!(is_changed, learns, "{} {name}", base.name);
        }
    }
}

#[test]
fn stochastic_depth_leaves_out_branches_in_training_alone_and_keeps_the_mean() {
    let empty = std::collections::BTreeMap::new();
    let weights = |stochastic_depth| Weights {
        frozen: None,
        learnt: &empty,
        format: tch::Kind::Float,
        stochastic_depth,
        step: Some(StepRows::all(4000)),
    };
    tch::manual_seed(3);
    let branch = || Tensor::ones([4000, 2, 1, 1], (tch::Kind::Float, tch::Device::Cpu));
    let dropped = weights(0.5).drop_branch(branch(), 0.4).unwrap();
    let values = to_host(&dropped).unwrap().values().to_vec();
    // An image's branch is left out, or 1/0.8 of itself, as a whole.
    assert!(values.chunks(2).all(|it| it[0] == it[1] && (it[0] == 0.0 || it[0] == 1.25)));
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    assert!((mean - 1.0).abs() < 0.03, "{mean}");
    let kept = weights(0.0).drop_branch(branch(), 0.4).unwrap();
    assert!(to_host(&kept).unwrap().values().iter().all(|value| *value == 1.0));

    let resnet = named("resnet18").unwrap();
    let drawn = random_base(resnet, 5);
    let (architecture, weights, _) = network_of(resnet, &drawn, HeadKind::GlobalPool, Freeze::None);
    let deep = Architecture { stochastic_depth: 0.9, ..architecture };
    let network = Network::new(&deep, &weights, cpu(), "test").unwrap();
    let image = network.upload(&images(1, &deep), &[1, -1]).unwrap();
    let seen = |mode| {
        tch::manual_seed(1);
        to_host(&network.head_inputs(&image, mode).unwrap()).unwrap()
    };
    assert_ne!(seen(Mode::Training(StepRows::all(1))), seen(Mode::Prediction));
}

#[test]
fn stochastic_depth_is_refused_where_there_is_no_branch() {
    let with: Vec<&str> =
        all().iter().filter(|base| base.has_branches()).map(|base| base.name).collect();
    assert_eq!(with.len(), all().len() - 3, "all but VGG and DenseNet: {with:?}");
    assert!(!vgg16().has_branches() && !named("densenet121").unwrap().has_branches());
}

#[test]
fn an_image_that_patches_do_not_fill_is_refused() {
    let vit = named("vit_small_patch14_dinov2").unwrap();
    assert!(vit.accepts(224) && !vit.accepts(128) && !vit.accepts(28));
    assert!(vgg16().accepts(33));
}

/// So that a table stays the same, bit for bit, when its files are divided among processes.
#[test]
fn an_output_depends_on_its_image_alone_in_a_batch_of_fixed_size() {
    // How a head of another kind computes does not depend on the base.
    let of_linear_heads = all().iter().map(|base| (base, HeadKind::Linear));
    for (base, kind) in of_linear_heads.chain([(vgg16(), HeadKind::Kernel)]) {
        let image_size = if base.size_unit > 1 { 3 * base.size_unit } else { 40 };
        let architecture = Architecture { image_size, ..of_base(base.name, kind, 0, Freeze::All) };
        let network = Network::new(&architecture, &weights(&architecture), cpu(), "test").unwrap();
        let outputs = |images: &[&[f32]]| -> Vec<[Vec<f32>; 2]> {
            let filled = network.filled_activations(images, FORWARD_BATCH).unwrap();
            let inputs = network.head_inputs(&filled, Mode::Prediction).unwrap();
            let logits = rows(&network.logits(&inputs, Mode::Prediction).unwrap()).unwrap();
            let pooled = rows(&network.pooled(&inputs).unwrap()).unwrap();
            let both = logits.into_iter().zip(pooled).take(images.len());
            both.map(|(logits, pooled)| [logits, pooled]).collect()
        };
        let values = images(FORWARD_BATCH, &architecture);
        let images: Vec<&[f32]> = values.chunks(values.len() / FORWARD_BATCH).collect();
        let expected = outputs(&images);
        for places in [1, 5, 11] {
            let mut moved = images.clone();
            moved.rotate_left(places);
            let mut found = outputs(&moved);
            found.rotate_right(places);
            assert!(found == expected, "{}, {kind:?}: moved by {places}", base.name);
        }
        for few in [1, 3] {
            assert!(outputs(&images[..few]) == expected[..few], "{}, {kind:?}: {few}", base.name);
        }
    }
}
