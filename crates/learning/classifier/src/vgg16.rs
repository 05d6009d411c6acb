//! VGG16's layers without the top (Simonyan & Zisserman 2015, configuration D).
//!
//! Layers have Keras' names (`block1_conv1` … `block5_pool`), which people know from its summary;
//! tensors have torchvision's (`features.0.weight`), so that Python can load them.

use std::ops::Range;

/// Channels of the input image.
pub const INPUT_CHANNELS: usize = 3;

/// Number of blocks; each ends in a pooling that halves height and width.
pub const BLOCKS: usize = 5;

/// Output channels of each block.
pub const BLOCK_CHANNELS: [usize; BLOCKS] = [64, 128, 256, 512, 512];

/// One layer of the base.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// Keras' name.
    pub name: &'static str,
    /// The block it belongs to, from 0.
    pub block: usize,
    /// What it does.
    pub kind: LayerKind,
}

/// The operation of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayerKind {
    /// A 3×3 convolution with padding 1, bias and ReLU.
    Convolution {
        /// Its index in torchvision's `features`.
        torchvision_index: usize,
        /// Channels in.
        inputs: usize,
        /// Channels out.
        outputs: usize,
    },
    /// A 2×2 maximum with stride 2; an odd last row or column is dropped.
    MaxPool,
}

const fn convolution(
    name: &'static str,
    block: usize,
    torchvision_index: usize,
    inputs: usize,
    outputs: usize,
) -> Layer {
    Layer { name, block, kind: LayerKind::Convolution { torchvision_index, inputs, outputs } }
}

const fn pool(name: &'static str, block: usize) -> Layer {
    Layer { name, block, kind: LayerKind::MaxPool }
}

/// All 18 layers, from the image up.
pub const LAYERS: [Layer; 18] = [
    convolution("block1_conv1", 0, 0, 3, 64),
    convolution("block1_conv2", 0, 2, 64, 64),
    pool("block1_pool", 0),
    convolution("block2_conv1", 1, 5, 64, 128),
    convolution("block2_conv2", 1, 7, 128, 128),
    pool("block2_pool", 1),
    convolution("block3_conv1", 2, 10, 128, 256),
    convolution("block3_conv2", 2, 12, 256, 256),
    convolution("block3_conv3", 2, 14, 256, 256),
    pool("block3_pool", 2),
    convolution("block4_conv1", 3, 17, 256, 512),
    convolution("block4_conv2", 3, 19, 512, 512),
    convolution("block4_conv3", 3, 21, 512, 512),
    pool("block4_pool", 3),
    convolution("block5_conv1", 4, 24, 512, 512),
    convolution("block5_conv2", 4, 26, 512, 512),
    convolution("block5_conv3", 4, 28, 512, 512),
    pool("block5_pool", 4),
];

/// Columns that solved heads read: the mean and the deviation of each channel at each cut point.
pub const POOLED_FEATURES: usize = 2 * (64 + 128 + 256 + 512 + 512);

/// The cut points that a solved head may read: the base's poolings, each with its columns among the
/// [`POOLED_FEATURES`]: the mean of each channel, then the standard deviation of each.
pub fn cut_points() -> Vec<(&'static str, Range<usize>)> {
    let mut start = 0;
    let poolings = LAYERS.iter().filter(|layer| layer.kind == LayerKind::MaxPool);
    poolings
        .map(|layer| {
            let columns = start..start + 2 * BLOCK_CHANNELS[layer.block];
            start = columns.end;
            (layer.name, columns)
        })
        .collect()
}

/// A required tensor: torchvision's name and its shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// Such as `features.0.weight`.
    pub name: String,
    /// Such as `[64, 3, 3, 3]` (outputs, inputs, height, width).
    pub shape: Vec<usize>,
    /// Whether any number of rows is allowed, one or more, as for the support vectors of a kernel
    /// head; `shape` then has 1 for them.
    pub has_any_rows: bool,
}

impl TensorSpec {
    /// Names a tensor and its shape.
    pub fn new(name: impl Into<String>, shape: &[usize]) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), has_any_rows: false }
    }

    /// Names a matrix of one or more rows, each of `columns` values.
    pub fn with_any_rows(name: impl Into<String>, columns: usize) -> Self {
        Self { name: name.into(), shape: vec![1, columns], has_any_rows: true }
    }

    /// Whether a tensor of this shape fits.
    pub fn fits(&self, shape: &[usize]) -> bool {
        match (self.has_any_rows, shape) {
            (true, [rows, rest @ ..]) => *rows > 0 && *rest == self.shape[1..],
            (true, []) => false,
            (false, _) => *shape == self.shape,
        }
    }

    /// Its shape, for people: `[64, 3, 3, 3]`, `[any, 2944]`.
    pub fn shape_in_words(&self) -> String {
        if self.has_any_rows {
            return format!("[any, {}]", self.shape[1]);
        }
        format!("{:?}", self.shape)
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Layer {
    /// The weight and bias of a convolution; nothing for a pooling.
    pub fn tensor_specs(&self) -> Vec<TensorSpec> {
        match self.kind {
            LayerKind::MaxPool => Vec::new(),
            LayerKind::Convolution { inputs, outputs, .. } => vec![
                TensorSpec::new(self.tensor_name("weight"), &[outputs, inputs, 3, 3]),
                TensorSpec::new(self.tensor_name("bias"), &[outputs]),
            ],
        }
    }

    /// torchvision's name of one of its tensors; empty for a pooling.
    pub(crate) fn tensor_name(&self, part: &str) -> String {
        match self.kind {
            LayerKind::MaxPool => String::new(),
            LayerKind::Convolution { torchvision_index, .. } => {
                format!("features.{torchvision_index}.{part}")
            }
        }
    }
}

/// The base's 26 tensors: weight and bias of 13 convolutions, 14,714,688 values.
pub fn tensor_specs() -> Vec<TensorSpec> {
    LAYERS.iter().flat_map(Layer::tensor_specs).collect()
}

/// The position of a layer in [`LAYERS`].
pub fn layer_index(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.name == name)
}

/// How many blocks a tensor of the base lies below the head: 1 for those of block 5; 0 for a tensor
/// that is not the base's.
pub(crate) fn blocks_below_head(tensor: &str) -> i32 {
    let owns = |layer: &&Layer| layer.tensor_specs().iter().any(|spec| spec.name == tensor);
    let layer = LAYERS.iter().find(owns);
    layer.map_or(0, |layer| (BLOCK_CHANNELS.len() - layer.block) as i32)
}

/// Height and width after the first `layers` layers, for a square image of `image_size` pixels.
pub fn size_after(image_size: usize, layers: usize) -> usize {
    let pools = LAYERS[..layers].iter().filter(|layer| layer.kind == LayerKind::MaxPool).count();
    image_size >> pools
}

/// Channels after the first `layers` layers.
pub fn channels_after(layers: usize) -> usize {
    LAYERS[..layers]
        .iter()
        .rev()
        .find_map(|layer| match layer.kind {
            LayerKind::Convolution { outputs, .. } => Some(outputs),
            LayerKind::MaxPool => None,
        })
        .unwrap_or(INPUT_CHANNELS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_counted_from_the_head_down() {
        let below =
            ["classifier.0.weight", "features.28.bias", "features.17.weight", "features.0.bias"]
                .map(blocks_below_head);
        assert_eq!(below, [0, 1, 2, 5]);
    }

    #[test]
    fn parameters_add_up_to_the_published_number() {
        // keras.applications.VGG16(include_top=False).count_params()
        let values: usize = tensor_specs().iter().map(TensorSpec::len).sum();
        assert_eq!(values, 14_714_688);
        assert_eq!(tensor_specs().len(), 26);
    }

    #[test]
    fn shapes_follow_keras_summary_at_224() {
        let after = |name| layer_index(name).unwrap() + 1;
        assert_eq!(
            (size_after(224, after("block1_conv2")), channels_after(after("block1_conv2"))),
            (224, 64)
        );
        assert_eq!(
            (size_after(224, after("block3_pool")), channels_after(after("block3_pool"))),
            (28, 256)
        );
        assert_eq!((size_after(224, 18), channels_after(18)), (7, 512));
        assert_eq!((size_after(224, 0), channels_after(0)), (224, 3));
    }

    #[test]
    fn an_odd_size_loses_its_last_row_at_each_pooling() {
        assert_eq!(size_after(33, 3), 16);
        assert_eq!(size_after(63, 18), 1);
    }
}
