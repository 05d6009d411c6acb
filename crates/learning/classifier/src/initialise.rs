//! Fresh weights, drawn from a seed and a tensor's name: the same in every run, for any number of
//! threads.

use artifact::Digest;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal, Uniform};
use rayon::prelude::*;

use crate::architecture::{
    Architecture, KERNEL_COEFFICIENTS, KERNEL_VECTORS, STANDARDISE_SCALE, STANDARDISE_STD,
};
use crate::bases::Base;
use crate::tensor_spec::{Fresh, TensorSpec};
use crate::tensors::{HostTensor, TensorMap};

/// A base that was never trained, as torchvision and timm initialise it: convolutions by He et al.
/// 2015, normal, fan-out, gain √2; biases are zero.
pub fn random_base(base: &Base, seed: u64) -> TensorMap {
    draw(&base.tensor_specs(), seed, |spec, rng| match spec.fresh {
        Fresh::Constant(value) => vec![value; spec.len()],
        Fresh::Normal(std) => {
            let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
            (0..spec.len()).map(|_| (normal(rng) * std) as f32).collect()
        }
    })
}

/// A fresh head. The output layer starts at zero: every class is equally probable at first, and no
/// random weight has to be unlearnt, which on 25,024 heavy-tailed features would take more epochs
/// than is practical. A hidden layer is drawn as in Keras' `Dense` (Glorot & Bengio 2010, uniform).
/// Biases are zero, and the standardisation does nothing until training fits it. A kernel head has
/// one support vector without effect.
pub fn fresh_head(architecture: &Architecture, seed: u64) -> TensorMap {
    let output_layer = architecture.dense_layers().last().map(|dense| dense.tensor_name("weight"));
    draw(&architecture.head_specs(), seed, |spec, rng| {
        match spec.name.as_str() {
            STANDARDISE_STD | STANDARDISE_SCALE => return vec![1.0; spec.len()],
            KERNEL_VECTORS | KERNEL_COEFFICIENTS => return vec![0.0; spec.len()],
            _ if spec.shape.len() == 1 => return vec![0.0; spec.len()],
            _ => {}
        }
        if Some(&spec.name) == output_layer.as_ref() {
            return vec![0.0; spec.len()];
        }
        let limit = (6.0 / (spec.shape[0] + spec.shape[1]) as f64).sqrt();
        let uniform = Uniform::new(-limit, limit).expect("the limit is positive and finite");
        (0..spec.len()).map(|_| uniform.sample(rng) as f32).collect()
    })
}

/// The same tensors with the values of some in random order, each tensor separately: the values are
/// as large as before, but without meaning. `belongs` selects the tensors, by name and shape.
pub fn shuffled(
    tensors: TensorMap,
    belongs: impl Fn(&str, &[usize]) -> bool + Sync,
    seed: u64,
) -> TensorMap {
    let shuffle = |(name, tensor): (String, HostTensor)| {
        if !belongs(&name, tensor.shape()) {
            return (name, tensor);
        }
        let mut values = tensor.values().to_vec();
        let mut rng = generator(seed, &name);
        // Fisher & Yates, from the last value to the second.
        for last in (1..values.len()).rev() {
            let drawn = Uniform::new_inclusive(0, last).expect("0 is not above it");
            values.swap(last, drawn.sample(&mut rng));
        }
        let shuffled = HostTensor::new(tensor.shape(), values);
        (name, shuffled)
    };
    tensors.into_par_iter().map(shuffle).collect()
}

fn draw(
    specs: &[TensorSpec],
    seed: u64,
    weights: impl Fn(&TensorSpec, &mut ChaCha8Rng) -> Vec<f32> + Sync,
) -> TensorMap {
    specs
        .par_iter()
        .map(|spec| {
            let values = weights(spec, &mut generator(seed, &spec.name));
            (spec.name.clone(), HostTensor::new(&spec.shape, values))
        })
        .collect()
}

fn generator(seed: u64, name: &str) -> ChaCha8Rng {
    let key = Digest::of_fields([&seed.to_le_bytes()[..], name.as_bytes()]);
    ChaCha8Rng::from_seed(*key.as_bytes())
}

#[cfg(test)]
mod tests {
    use config::{Freeze, HeadKind};

    use super::*;
    use crate::architecture::tests::architecture;
    use crate::bases;

    fn mean_and_std(values: &[f32]) -> (f64, f64) {
        let count = values.len() as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
        let variance = values.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / count;
        (mean, variance.sqrt())
    }

    #[test]
    fn random_base_has_he_variance_and_zero_biases() {
        let base = random_base(bases::vgg16(), 17);
        let (mean, std) = mean_and_std(base["features.28.weight"].values());
        let expected = (2.0_f64 / (512.0 * 9.0)).sqrt();
        assert!(mean.abs() < expected / 100.0, "{mean}");
        assert!((std / expected - 1.0).abs() < 0.01, "{std} against {expected}");
        assert!(base["features.0.bias"].values().iter().all(|value| *value == 0.0));
    }

    #[test]
    fn shuffled_tensors_hold_the_same_values_elsewhere() {
        let values: Vec<f32> = (0..1000_u16).map(f32::from).collect();
        let tensors = TensorMap::from([
            ("a.weight".to_owned(), HostTensor::new(&[10, 100], values.clone())),
            ("b.weight".to_owned(), HostTensor::new(&[1000], values.clone())),
        ]);
        let found =
            shuffled(tensors.clone(), |name, shape| name == "a.weight" && shape[0] == 10, 1);
        assert_eq!(found["b.weight"], tensors["b.weight"]);
        let mut there = found["a.weight"].values().to_vec();
        let stayed = there.iter().zip(&values).filter(|(a, b)| a == b).count();
        assert!(stayed < 10, "{stayed} of 1000 stayed");
        there.sort_by(f32::total_cmp);
        assert_eq!(there, values);
        assert_ne!(found, shuffled(tensors, |name, _| name == "a.weight", 2));
    }

    #[test]
    fn the_seed_decides_the_weights() {
        let head = |seed| fresh_head(&architecture(HeadKind::GlobalPool, 8, Freeze::All), seed);
        assert_eq!(head(1), head(1));
        assert_ne!(head(1), head(2));
    }

    #[test]
    fn hidden_layer_stays_within_the_glorot_limit_and_the_output_layer_is_zero() {
        let head = fresh_head(&architecture(HeadKind::GlobalPool, 30, Freeze::All), 3);
        let limit = (6.0_f32 / (512.0 + 30.0)).sqrt();
        let hidden = head["classifier.0.weight"].values();
        assert!(hidden.iter().all(|weight| weight.abs() <= limit));
        assert!(hidden.iter().any(|weight| weight.abs() > limit * 0.9));
        assert!(head["classifier.3.weight"].values().iter().all(|weight| *weight == 0.0));
    }
}
