//! An ensemble beside its members, each of which is a model of its own.

use config::{DeviceChoice, Freeze, HeadKind};
use dataset::ClassIndex;

use super::*;
use crate::architecture::tests::architecture;
use crate::architecture::{Architecture, is_of_head};
use crate::backend::NumberFormat;
use crate::model::{BatchSize, Input, Model, ModelOutput};
use crate::network::tests::weights;

/// A description of a model of this architecture, with the data and the base of all others here.
fn description(architecture: Architecture) -> ModelDescription {
    let folder = tempfile::tempdir().unwrap();
    let earlier = include_str!("../description/format-2.json");
    std::fs::write(folder.path().join(ModelDescription::FILE), earlier).unwrap();
    let mut description = ModelDescription::read(folder.path()).unwrap();
    description.preprocessing.image_size = architecture.image_size;
    description.architecture = architecture;
    description.precision = NumberFormat::Fp32;
    description
}

fn member(name: &str, kind: HeadKind, (weight, temperature): (f64, f64)) -> (Member, TensorMap) {
    let architecture = architecture(kind, 0, Freeze::All);
    let tensors = weights(&architecture);
    let member = Member {
        name: name.into(),
        weight,
        temperature: Temperature::new(temperature).unwrap(),
        flip: Flip::None,
        tensors_of: None,
        model: description(architecture),
    };
    (member, tensors)
}

/// The model of a member alone, as a folder of its own.
fn alone(member: &Member, tensors: &TensorMap) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let mut description = member.model.clone();
    let path = folder.path().join(ModelDescription::WEIGHTS_FILE);
    description.digests.weights = tensors::write(&path, tensors, &description.source.run).unwrap();
    artifact::write_json(&folder.path().join(ModelDescription::FILE), &description).unwrap();
    Model::load(folder.path(), DeviceChoice::Cpu).unwrap()
}

fn ensemble(members: &[(Member, TensorMap)]) -> (tempfile::TempDir, Model) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), members.to_vec()).unwrap();
    let model = Model::load(folder.path(), DeviceChoice::Cpu).unwrap();
    (folder, model)
}

fn image() -> Vec<f32> {
    (0..3 * 32 * 32).map(|place| (place as f32 * 0.37).sin()).collect()
}

fn answer(model: &Model, image: &[f32]) -> ModelOutput {
    model.output(Input::Images(&[image]), BatchSize::AsGiven).unwrap().remove(0)
}

fn probabilities(output: &ModelOutput, temperature: f64) -> Vec<f64> {
    let logits: Vec<f64> = output.logits.iter().copied().map(f64::from).collect();
    metrics::softmax_with_temperature(&logits, Temperature::new(temperature).unwrap())
}

#[test]
fn the_answer_is_the_weighted_mean_of_calibrated_probabilities() {
    let members = [
        member("linear", HeadKind::Linear, (0.25, 1.5)),
        member("pooled", HeadKind::GlobalPool, (0.75, 0.5)),
    ];
    let (_folder, model) = ensemble(&members);
    let said = answer(&model, &image());
    let alone =
        members.each_ref().map(|(member, tensors)| answer(&alone(member, tensors), &image()));
    let mean: Vec<f64> = probabilities(&alone[0], 1.5)
        .iter()
        .zip(probabilities(&alone[1], 0.5))
        .map(|(first, second)| 0.25 * first + 0.75 * second)
        .collect();
    for (found, expected) in probabilities(&said, 1.0).iter().zip(&mean) {
        assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
    }
    assert_eq!(said.pooled, alone[0].pooled);
}

#[test]
fn heads_on_one_base_share_its_tensors_and_its_work() {
    let members = [
        member("linear", HeadKind::Linear, (0.5, 1.0)),
        member("kernel", HeadKind::Kernel, (0.5, 1.0)),
    ];
    let (folder, model) = ensemble(&members);
    let file = folder.path().join(ModelDescription::WEIGHTS_FILE);
    let stored = tensors::read_foreign(&file).unwrap();
    let is_base = |name: &&String| !is_of_head(own_name(name));
    assert_eq!(stored.keys().filter(is_base).count(), 26, "13 convolutions, once");
    assert_eq!(model.description().ensemble[1].tensors_of, Some(0));
    let kernel = answer(&alone(&members[1].0, &members[1].1), &image());
    let linear = answer(&alone(&members[0].0, &members[0].1), &image());
    let mean = (probabilities(&kernel, 1.0)[0] + probabilities(&linear, 1.0)[0]) / 2.0;
    assert!((probabilities(&answer(&model, &image()), 1.0)[0] - mean).abs() < 1e-6);
    assert_eq!(model.input().values(), 3 * 32 * 32, "both see one image");
}

#[test]
fn a_view_sees_the_picture_flipped_and_explains_it_as_it_is() {
    let plain = member("plain", HeadKind::Linear, (0.5, 1.0));
    let mut flipped = member("flipped", HeadKind::Linear, (0.5, 1.0));
    flipped.0.flip = Flip::Horizontal;
    let (folder, model) = ensemble(&[plain.clone(), flipped]);
    let stored =
        tensors::read_foreign(&folder.path().join(ModelDescription::WEIGHTS_FILE)).unwrap();
    assert!(stored.keys().all(|name| name.starts_with("members.0.")), "{:?}", stored.keys());

    let picture = image();
    let mut turned = picture.clone();
    Flip::Horizontal.apply(&mut turned, 32);
    let alone = alone(&plain.0, &plain.1);
    let both = [answer(&alone, &picture), answer(&alone, &turned)];
    let mean = (probabilities(&both[0], 1.0)[1] + probabilities(&both[1], 1.0)[1]) / 2.0;
    let input = [picture.clone(), turned.clone()].concat();
    let seen = answer(&model, &input);
    assert!((probabilities(&seen, 1.0)[1] - mean).abs() < 1e-6);

    // Of the flipped picture, the two change places: the map is the flipped map.
    let class = ClassIndex(1);
    let map = model.grad_cam(&input, class).unwrap();
    let mut of_flipped = model.grad_cam(&[turned, picture].concat(), class).unwrap();
    Flip::Horizontal.apply(&mut of_flipped.values, of_flipped.side);
    let largest = map.values.iter().copied().fold(0.0_f32, f32::max);
    assert!(largest > 0.0);
    for (one, other) in map.values.iter().zip(&of_flipped.values) {
        assert!((one - other).abs() < 1e-4 * largest, "{one} and {other}");
    }
}

#[test]
fn networks_of_other_sizes_see_images_of_their_own() {
    let small = member("small", HeadKind::GlobalPool, (0.5, 1.0));
    let mut large = member("large", HeadKind::GlobalPool, (0.5, 1.0));
    large.0.model.architecture.image_size = 64;
    large.0.model.preprocessing.image_size = 64;
    let (_folder, model) = ensemble(&[small, large]);
    assert_eq!(model.input().values(), 3 * 32 * 32 + 3 * 64 * 64);
    let wrong = model.output(Input::Images(&[&image()]), BatchSize::AsGiven).unwrap_err();
    assert!(wrong.to_string().contains("3072 values: the model wants 15360"), "{wrong}");
    let input: Vec<f32> = (0..15_360).map(|place| (place as f32 * 0.11).cos()).collect();
    let map = model.grad_cam(&input, ClassIndex(0)).unwrap();
    assert_eq!((map.side, map.values.len()), (2, 4), "on the grid of the first");
}

#[test]
fn models_that_do_not_belong_together_are_refused() {
    let refusal = |change: &dyn Fn(&mut Member)| {
        let mut members =
            [member("a", HeadKind::Linear, (0.5, 1.0)), member("b", HeadKind::Linear, (0.5, 1.0))];
        change(&mut members[1].0);
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), members.to_vec()).unwrap_err().to_string()
    };
    let other = artifact::Digest::of(b"other");
    let data = refusal(&|member| member.model.digests.data = other);
    assert!(data.contains("member b: it was trained on other data"), "{data}");
    let control = refusal(&|member| member.model.training.permute_labels = true);
    assert!(control.contains("member b") && control.contains("shuffled labels"), "{control}");
    let weight = refusal(&|member| member.weight = 0.6);
    assert!(weight.contains("add up to 1.1"), "{weight}");
    let classes = refusal(&|it| it.model.architecture.classes = vec!["cat".into(), "dog".into()]);
    assert!(classes.contains("member b: its classes"), "{classes}");
}

#[test]
fn a_file_with_a_tensor_too_many_or_too_few_is_refused() {
    let members = [
        member("linear", HeadKind::Linear, (0.5, 1.0)),
        member("kernel", HeadKind::Kernel, (0.5, 1.0)),
    ];
    let (folder, model) = ensemble(&members);
    let file = folder.path().join(ModelDescription::WEIGHTS_FILE);
    let stored = tensors::read_foreign(&file).unwrap();
    let mut more = stored.clone();
    more.insert(
        "members.2.classifier.0.bias".into(),
        stored["members.0.classifier.0.bias"].clone(),
    );
    let error = model.with_weights(&more).unwrap_err().to_string();
    assert!(error.contains("1 tensors of no member"), "{error}");
    let mut less = stored;
    less.remove("members.1.kernel.bias");
    let error = model.with_weights(&less).unwrap_err().to_string();
    assert!(error.contains("member kernel: tensor kernel.bias"), "{error}");
}

#[test]
fn activations_of_one_base_are_not_enough_for_several_networks() {
    let members = [
        member("linear", HeadKind::Linear, (0.5, 1.0)),
        member("pooled", HeadKind::GlobalPool, (0.5, 1.0)),
    ];
    let (_folder, model) = ensemble(&members);
    let error = model.output(Input::Activations(&[0.0; 512]), BatchSize::AsGiven).unwrap_err();
    assert!(error.to_string().contains("an ensemble of 2 models sees images"), "{error}");
}
