//! VGG (Simonyan & Zisserman 2015): configurations D and E.
//!
//! Layers have Keras' names (`block1_conv1` … `block5_pool`), which people know from its summary;
//! tensors have torchvision's (`features.0.weight`).

use imaging::{Interpolation, Normalisation};

use super::convolution::{Activation, Convolution, MaxPool};
use super::{Base, Form, INPUT_CHANNELS, Layer, Published};
use crate::BaseInput;

/// Output channels of each block.
const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

pub(super) fn vgg16() -> Base {
    Base {
        name: "vgg16",
        title: "VGG16",
        published: Published {
            repository: "timm/vgg16.tv_in1k",
            // "Add model", 25 April 2023.
            revision: Some("3394518cba29aee1ea82a49d971be90d2dd1dab7"),
            sha256: Some("57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8"),
            ..published()
        },
        ..of_blocks([2, 2, 3, 3, 3])
    }
}

pub(super) fn vgg19() -> Base {
    Base {
        name: "vgg19",
        title: "VGG19",
        published: Published { repository: "timm/vgg19.tv_in1k", ..published() },
        ..of_blocks([2, 2, 4, 4, 4])
    }
}

fn published() -> Published {
    Published {
        repository: "",
        revision: None,
        sha256: None,
        licence: "BSD-3-Clause",
        input: BaseInput {
            normalisation: Normalisation::Imagenet,
            image_size: Some(224),
            interpolation: Interpolation::Bilinear,
        },
    }
}

/// Blocks of this many convolutions; each ends in a pooling that halves height and width.
fn of_blocks(convolutions: [usize; 5]) -> Base {
    let mut layers = Vec::new();
    let (mut inputs, mut place) = (INPUT_CHANNELS, 0);
    for (block, (convolutions, outputs)) in convolutions.into_iter().zip(CHANNELS).enumerate() {
        let number = block + 1;
        for convolution in 1..=convolutions {
            let operation = Convolution::new(format!("features.{place}"), (inputs, outputs), 3)
                .then(Activation::Relu);
            let name = format!("block{number}_conv{convolution}");
            layers.push(Layer::new(name, block, operation));
            // A ReLU is between two convolutions.
            (inputs, place) = (outputs, place + 2);
        }
        let name = format!("block{number}_pool");
        layers.push(Layer::new(name.clone(), block, MaxPool::HALF).cut(name));
        place += 1;
    }
    Base {
        name: "",
        title: "",
        size_unit: 1,
        published: published(),
        form: Form::Maps,
        // The last convolution, after its ReLU.
        explained_layers: layers.len() - 1,
        layers,
    }
}
