//! Networks without their top: what a head stands on.
//!
//! A base is a chain of named layers. After some of them is a cut point, at which heads read the
//! maps. Layers, cut points and tensors have timm's names, so that its files load and its modules
//! are found by them; VGG's layers have Keras' names and torchvision's tensors.
//!
//! A new base is one file here, and its line in `ALL`. `docs/architecture.md` shows how.

use std::ops::Range;
use std::sync::LazyLock;

use imaging::{Interpolation, Normalisation};

use crate::tensor_spec::TensorSpec;
use crate::{BaseInput, ClassifierError, Result};

mod convnext;
mod convolution;
mod densenet;
mod efficientnet;
mod layer_norm;
mod operation;
mod resnet;
#[cfg(test)]
mod tests;
mod vgg;
mod vit;

pub(crate) use operation::{Accelerated, Operation, STATISTICS, Weights, prepare};

/// Every base.
const ALL: [fn() -> Base; 10] = [
    vgg::vgg16,
    vgg::vgg19,
    resnet::resnet18,
    resnet::resnet50,
    densenet::densenet121,
    efficientnet::efficientnet_b0,
    efficientnet::tf_efficientnet_lite0,
    convnext::convnext_tiny,
    vit::vit_small_patch14_dinov2,
    vit::vit_small_patch14_reg4_dinov2,
];

static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| ALL.map(|make| make()).into());

/// Channels of the input image.
pub const INPUT_CHANNELS: usize = 3;

/// A network without its top.
#[derive(Debug)]
pub struct Base {
    /// The name in `params.yaml`: timm's.
    pub name: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// The image's height and width are a multiple of this, in pixels.
    pub size_unit: u32,
    /// Weights that others trained and published.
    pub published: Published,
    layers: Vec<Layer>,
    form: Form,
    /// The maps that Grad-CAM reads are those after this many layers.
    explained_layers: usize,
}

/// Weights on the Hugging Face hub: a safetensors file of one commit of a repository.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Published {
    /// Such as `timm/vgg16.tv_in1k`.
    pub repository: &'static str,
    /// The commit, 40 hexadecimal digits. None where it could not be looked up.
    pub revision: Option<&'static str>,
    /// The digest of the file. None where it could not be looked up.
    pub sha256: Option<&'static str>,
    /// The licence of the weights.
    pub licence: &'static str,
    /// The input that they were trained on.
    pub input: BaseInput,
}

impl Published {
    /// As most are: a commit that could not be looked up, trained on pictures of 224 pixels with
    /// ImageNet's statistics, made smaller by the bicubic filter.
    fn usual(repository: &'static str, licence: &'static str) -> Self {
        let input = BaseInput {
            normalisation: Normalisation::Imagenet,
            image_size: Some(224),
            interpolation: Interpolation::Bicubic,
        };
        Self { repository, revision: None, sha256: None, licence, input }
    }
}

/// A layer, or a few that are only used together.
#[derive(Debug)]
pub struct Layer {
    /// Such as `layer1.0`.
    pub name: String,
    /// The part of the base that it belongs to, from 0. Layers of one stage learn at one rate.
    pub stage: usize,
    /// The cut point after it.
    pub cut: Option<String>,
    operation: Box<dyn Operation>,
}

/// How maps go from layer to layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// `[N, C, H, W]`.
    Maps,
    /// `[N, prefix + H·W, C]`: after some tokens that belong to no place, one for each place.
    Tokens {
        /// The number of tokens without a place.
        prefix: usize,
    },
}

/// A place in the base at which heads read the maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutPoint {
    /// Such as `block4_pool`.
    pub name: String,
    /// Channels of the maps there.
    pub channels: usize,
    /// Layers up to it.
    pub layers: usize,
}

impl Layer {
    fn new(name: impl Into<String>, stage: usize, operation: impl Operation + 'static) -> Self {
        Self { name: name.into(), stage, cut: None, operation: Box::new(operation) }
    }

    fn cut(self, name: impl Into<String>) -> Self {
        Self { cut: Some(name.into()), ..self }
    }

    /// Its tensors.
    pub fn tensor_specs(&self) -> Vec<TensorSpec> {
        self.operation.tensor_specs()
    }

    pub(crate) fn operation(&self) -> &dyn Operation {
        self.operation.as_ref()
    }
}

/// Every base, as the documentation lists them.
pub fn all() -> &'static [Base] {
    &BASES
}

/// The base with this name.
///
/// # Errors
/// When there is none; the error lists those there are.
pub fn named(name: &str) -> Result<&'static Base> {
    all().iter().find(|base| base.name == name).ok_or_else(|| ClassifierError::UnknownBase {
        base: name.to_owned(),
        known: all().iter().map(|base| base.name).collect::<Vec<_>>().join(", "),
    })
}

/// The default, and the reference.
pub fn vgg16() -> &'static Base {
    &all()[0]
}

/// Bases are the same if their names are.
impl PartialEq for Base {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Base {
    /// A base whose layers hand on maps, of which Grad-CAM reads the last.
    fn of_maps(
        name: &'static str,
        title: &'static str,
        published: Published,
        layers: Vec<Layer>,
    ) -> Self {
        let explained_layers = layers.len();
        Self { name, title, size_unit: 1, published, layers, form: Form::Maps, explained_layers }
    }

    /// Its layers, from the image up.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Whether it is a chain of 3×3 convolutions, which Keras' files hold and the Python loader
    /// computes without timm.
    pub fn is_vgg(&self) -> bool {
        self.name.starts_with("vgg")
    }

    /// Its tensors, from the image up.
    pub fn tensor_specs(&self) -> Vec<TensorSpec> {
        self.layers.iter().flat_map(Layer::tensor_specs).collect()
    }

    /// The weight of the first convolution, which reads red, green and blue.
    pub fn first_convolution(&self) -> TensorSpec {
        let specs = self.tensor_specs().into_iter();
        let mut kernels =
            specs.filter(|spec| spec.shape.len() == 4 && spec.shape[1] == INPUT_CHANNELS);
        kernels.next().expect("every base starts with a convolution of the image")
    }

    /// Whether an image of this many pixels each way can be seen by it.
    pub fn accepts(&self, image_size: u32) -> bool {
        image_size >= 32 && image_size.is_multiple_of(self.size_unit)
    }

    /// Whether it has residual branches, which stochastic depth leaves out.
    pub fn has_branches(&self) -> bool {
        self.layers.iter().any(|layer| layer.operation.has_branch())
    }

    /// How many layers end with the layer, the cut point or the last part of this name: `blocks.5` ends
    /// with `blocks.5.3`.
    ///
    /// # Errors
    /// When there is neither.
    pub fn layers_until(&self, name: &str) -> Result<usize> {
        let is_it = |layer: &Layer| layer.name == name || layer.cut.as_deref() == Some(name);
        let part = format!("{name}.");
        let is_part = |layer: &Layer| layer.name.starts_with(&part);
        let layers = self.layers.iter();
        let index = layers.clone().position(is_it).or_else(|| layers.clone().rposition(is_part));
        index.map(|index| index + 1).ok_or_else(|| ClassifierError::UnknownLayer {
            layer: name.to_owned(),
            base: self.title,
            known: self.layers.iter().map(|it| it.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    /// The places at which heads may read the maps, from the image up; the last one is the end.
    pub fn cut_points(&self) -> Vec<CutPoint> {
        let cut_point = |(index, layer): (usize, &Layer)| {
            let name = layer.cut.clone()?;
            Some(CutPoint { name, channels: self.channels_after(index + 1), layers: index + 1 })
        };
        self.layers.iter().enumerate().filter_map(cut_point).collect()
    }

    /// The cut points with their columns among the [`pooled_features`](Self::pooled_features): the
    /// mean of each channel, then the standard deviation of each.
    pub fn columns(&self) -> Vec<(String, Range<usize>)> {
        let mut start = 0;
        let columns = |cut: CutPoint| {
            let columns = start..start + 2 * cut.channels;
            start = columns.end;
            (cut.name, columns)
        };
        self.cut_points().into_iter().map(columns).collect()
    }

    /// Columns that solved heads read: the mean and the deviation of each channel at each cut point.
    pub fn pooled_features(&self) -> usize {
        self.cut_points().iter().map(|cut| 2 * cut.channels).sum()
    }

    /// Channels at the end.
    pub fn channels(&self) -> usize {
        self.channels_after(self.layers.len())
    }

    /// Channels after the first `layers` layers.
    pub fn channels_after(&self, layers: usize) -> usize {
        // The number of channels is the same for every size.
        let shape = self.shape_after(8 * self.size_unit.max(32), layers);
        self.map_shape(&shape)[0]
    }

    /// `[C, H, W]` of the maps after the first `layers` layers, of a square image.
    pub fn maps_after(&self, image_size: u32, layers: usize) -> [usize; 3] {
        self.map_shape(&self.shape_after(image_size, layers))
    }

    /// What goes from layer to layer after the first `layers` of them: maps `[C, H, W]`, or tokens
    /// `[T, C]`.
    pub fn shape_after(&self, image_size: u32, layers: usize) -> Vec<usize> {
        let image = vec![INPUT_CHANNELS, image_size as usize, image_size as usize];
        let next = |shape: Vec<usize>, layer: &Layer| layer.operation.output_shape(&shape);
        self.layers[..layers].iter().fold(image, next)
    }

    fn map_shape(&self, shape: &[usize]) -> [usize; 3] {
        match (self.form, shape) {
            (_, [channels, height, width]) => [*channels, *height, *width],
            (Form::Tokens { prefix }, [tokens, channels]) => {
                let side = (tokens - prefix).isqrt();
                [*channels, side, side]
            }
            _ => unreachable!("layers make maps or tokens"),
        }
    }

    /// How the layers hand on their maps.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// The maps that Grad-CAM reads are those after this many layers.
    pub(crate) fn explained_layers(&self) -> usize {
        self.explained_layers
    }

    /// How many stages a tensor of the base lies below the head: 1 for those of the last stage; 0
    /// for a tensor that is not the base's.
    pub(crate) fn stages_below_head(&self, tensor: &str) -> i32 {
        let owns = |layer: &&Layer| layer.tensor_specs().iter().any(|spec| spec.name == tensor);
        let stages = self.layers.last().map_or(0, |layer| layer.stage + 1);
        self.layers.iter().find(owns).map_or(0, |layer| (stages - layer.stage) as i32)
    }
}
