//! VGG (Simonyan & Zisserman 2015): configurations D and E.
//!
//! Layers have Keras' names (`block1_conv1` … `block5_pool`), which people know from its summary;
//! tensors have torchvision's (`features.0.weight`).

use imaging::Interpolation;

use super::convolution::{Activation, Convolution, MaxPool};
use super::{Base, INPUT_CHANNELS, Layer, Published};
use crate::BaseInput;

/// Output channels of each block.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

pub(super) fn vgg16() -> Base {
    let published = Published {
        // "Add model", 25 April 2023.
        revision: Some("3394518cba29aee1ea82a49d971be90d2dd1dab7"),
        sha256: Some("57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8"),
        ..published("timm/vgg16.tv_in1k")
    };
    of_blocks("vgg16", "VGG16", published, [2, 2, 3, 3, 3])
}

pub(super) fn vgg19() -> Base {
    of_blocks("vgg19", "VGG19", published("timm/vgg19.tv_in1k"), [2, 2, 4, 4, 4])
}

fn published(repository: &'static str) -> Published {
    let usual = Published::usual(repository, "BSD-3-Clause");
    let input = BaseInput { interpolation: Interpolation::Bilinear, ..usual.input };
    Published { input, ..usual }
}

/// Blocks of this many convolutions; each ends in a pooling that halves height and width.
fn of_blocks(
    name: &'static str,
    title: &'static str,
    published: Published,
    convolutions: [usize; 5],
) -> Base {
    let mut layers = Vec::new();
    let (mut inputs, mut place) = (INPUT_CHANNELS, 0);
    for (block, (convolutions, outputs)) in convolutions.into_iter().zip(CHANNELS).enumerate() {
        let number = block + 1;
        for convolution in 1..=convolutions {
            let operation = Convolution::new(format!("features.{place}"), (inputs, outputs), 3)
                .then(Activation::Relu);
            layers.push(Layer::new(format!("block{number}_conv{convolution}"), block, operation));
            // A ReLU is between two convolutions.
            (inputs, place) = (outputs, place + 2);
        }
        let pooling = format!("block{number}_pool");
        layers.push(Layer::new(pooling.clone(), block, MaxPool::HALF).cut(pooling));
        place += 1;
    }
    // The last convolution, after its ReLU, and not the pooling.
    let explained_layers = layers.len() - 1;
    Base { explained_layers, ..Base::of_maps(name, title, published, layers) }
}
