//! The structure of the network: base, cut, head, classes (`architecture.json`).

use std::path::Path;

use artifact::Digest;
use config::{Freeze, HeadKind, HeadParams, PrepareBaseParams};
use dataset::ClassIndices;
use serde::{Deserialize, Serialize};

use crate::bases::{self, Base, Layer};
use crate::frozen_layers::FrozenLayers;
use crate::tensor_spec::TensorSpec;
use crate::tensors::{self, TensorMap};
use crate::{BaseWeights, ClassifierError, Result};

/// Cells along each side of the multi-scale head's average pooling.
pub const MULTI_SCALE_CELLS: usize = 4;

/// Standardises a head's input: subtracted. Fitted on the training set, not learnt.
pub const STANDARDISE_MEAN: &str = "standardise.mean";
/// Standardises the input of a solved head: multiplied after the mean was subtracted; 0 for
/// features at cut points that the head does not use.
pub const STANDARDISE_SCALE: &str = "standardise.scale";
/// Standardises the multi-scale head's input: divided by.
pub const STANDARDISE_STD: &str = "standardise.std";

/// A kernel head's support vectors, standardised: `[M, features]`.
pub const KERNEL_VECTORS: &str = "kernel.vectors";
/// The coefficient of each of them for each class: `[M, classes]`.
pub const KERNEL_COEFFICIENTS: &str = "kernel.coefficients";
/// The constant of each class: `[classes]`.
pub const KERNEL_BIAS: &str = "kernel.bias";
/// How fast a support vector's influence falls with the squared distance: `[1]`.
pub const KERNEL_GAMMA: &str = "kernel.gamma";

/// Whether a tensor of this name is the head's; the others are the base's.
pub fn is_of_head(name: &str) -> bool {
    ["classifier.", "kernel.", "standardise."].iter().any(|start| name.starts_with(start))
}

/// The network: a base without its top, and a head. It defines the name and shape of every tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "WrittenArchitecture", into = "WrittenArchitecture")]
pub struct Architecture {
    /// The base.
    pub base: &'static Base,
    /// Height and width of the input, in pixels.
    pub image_size: u32,
    /// Class names in output order.
    pub classes: Vec<String>,
    /// Which layers keep their weights.
    pub freeze: FrozenLayers,
    /// The head.
    pub head: HeadParams,
    /// How often the last residual branch is left out in training, in [0, 1).
    pub stochastic_depth: f64,
}

/// An [`Architecture`] in a file: the base by its name, the frozen layers as the parameters say it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenArchitecture {
    base: String,
    /// The base's, for programs that do not know it; not read here.
    #[serde(default)]
    cut_points: Vec<String>,
    image_size: u32,
    classes: Vec<String>,
    freeze: Freeze,
    head: HeadParams,
    #[serde(default, skip_serializing_if = "is_zero")]
    stochastic_depth: f64,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

impl TryFrom<WrittenArchitecture> for Architecture {
    type Error = ClassifierError;

    fn try_from(written: WrittenArchitecture) -> Result<Self> {
        let WrittenArchitecture { image_size, classes, freeze, head, stochastic_depth, .. } =
            written;
        let base = bases::named(&written.base)?;
        let freeze = FrozenLayers::of(base, freeze)?;
        Ok(Self { base, image_size, classes, freeze, head, stochastic_depth })
    }
}

impl From<Architecture> for WrittenArchitecture {
    fn from(architecture: Architecture) -> Self {
        let Architecture { base, image_size, classes, freeze, head, stochastic_depth } =
            architecture;
        let cut_points = base.cut_points().into_iter().map(|cut| cut.name).collect();
        let (base, freeze) = (base.name.to_owned(), freeze.into());
        Self { base, cut_points, image_size, classes, freeze, head, stochastic_depth }
    }
}

/// `architecture.json`: the network, and the digests of the two weight files beside it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseDescription {
    /// Version of this file's format.
    pub format: u32,
    /// The network.
    pub architecture: Architecture,
    /// The origin of the base's weights, and the input they need.
    pub weights: BaseWeights,
    /// The digest of `base_model.safetensors`.
    pub base_sha256: Digest,
    /// The digest of `updated_base_model.safetensors`.
    pub updated_base_sha256: Digest,
}

/// The one field that every format has.
#[derive(Deserialize)]
struct FormatAlone {
    format: u32,
}

impl BaseDescription {
    /// The format this version writes and reads.
    pub const FORMAT: u32 = 3;
    /// The description's file name.
    pub const FILE: &str = "architecture.json";
    /// The base alone.
    pub const BASE_FILE: &str = "base_model.safetensors";
    /// The base and a fresh head.
    pub const UPDATED_BASE_FILE: &str = "updated_base_model.safetensors";

    /// Reads `architecture.json` from the folder that `prepare-base` wrote.
    ///
    /// # Errors
    /// When it is missing, not as expected, or of another format.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(Self::FILE);
        // Read separately, so that a file of another format is reported as such, and not as
        // damaged.
        let FormatAlone { format } = artifact::read_json(&path)?;
        if format != Self::FORMAT {
            let (found, known) = (format, Self::FORMAT);
            return Err(ClassifierError::Format { path, found, known });
        }
        Ok(artifact::read_json(&path)?)
    }

    /// Reads the base with its fresh head, and checks its digest against the recorded one.
    ///
    /// # Errors
    /// When the file is missing, damaged or another one.
    pub fn read_weights(&self, folder: &Path) -> Result<TensorMap> {
        let path = folder.join(Self::UPDATED_BASE_FILE);
        let file = tensors::read::<serde_json::Value>(&path)?;
        if file.sha256 != self.updated_base_sha256 {
            let (recorded, found) = (self.updated_base_sha256, file.sha256);
            return Err(ClassifierError::Changed { path, recorded, found });
        }
        Ok(file.tensors)
    }
}

/// A row of the model summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRow {
    /// Layer name.
    pub layer: String,
    /// Output shape without the batch, `[C, H, W]` or `[features]`.
    pub output: Vec<usize>,
    /// Values in its tensors.
    pub parameters: usize,
    /// Whether training changes them.
    pub is_trainable: bool,
}

impl Architecture {
    /// The network that the parameters describe.
    ///
    /// # Errors
    /// When there is no such base, when it cannot see images of that size or has no branches that
    /// stochastic depth could leave out, or when `freeze` names a layer that it does not have.
    pub fn new(params: &PrepareBaseParams, classes: &ClassIndices) -> Result<Self> {
        let base = bases::named(&params.architecture)?;
        if !base.accepts(params.image_size) {
            let (base, unit, image_size) = (base.title, base.size_unit, params.image_size);
            return Err(ClassifierError::ImageSize { base, unit, image_size });
        }
        if params.stochastic_depth > 0.0 && !base.has_branches() {
            return Err(ClassifierError::NoBranches { base: base.title });
        }
        Ok(Self {
            base,
            image_size: params.image_size,
            classes: classes.names().to_vec(),
            freeze: FrozenLayers::of(base, params.freeze.clone())?,
            head: params.head,
            stochastic_depth: params.stochastic_depth,
        })
    }

    /// How many layers, from the image up, keep their weights.
    pub fn frozen_layers(&self) -> usize {
        self.freeze.count()
    }

    /// The cut points at which features change while layers learn.
    pub fn cuts_that_learn(&self) -> Vec<String> {
        let frozen = self.frozen_layers();
        // Layers without weights, such as poolings, never learn.
        let learns = |layer: &Layer| !layer.tensor_specs().is_empty();
        let first = self.base.layers()[frozen..].iter().position(learns);
        let Some(first) = first.map(|it| frozen + it) else { return Vec::new() };
        let cuts = self.base.cut_points().into_iter().filter(|cut| cut.layers > first);
        cuts.map(|cut| cut.name).collect()
    }

    /// Whether the whole base keeps its weights, so that only the head learns.
    pub fn is_frozen(&self) -> bool {
        self.frozen_layers() == self.base.layers().len()
    }

    /// Classes in output order.
    pub fn class_indices(&self) -> ClassIndices {
        ClassIndices::of_names(self.classes.iter().map(String::as_str))
    }

    /// Length of the input of the dense layers.
    pub fn head_inputs(&self) -> usize {
        match self.head.kind {
            HeadKind::Flatten => {
                let maps = self.base.maps_after(self.image_size, self.base.layers().len());
                maps.iter().product()
            }
            HeadKind::GlobalPool => self.base.channels(),
            HeadKind::Linear | HeadKind::Kernel => self.base.pooled_features(),
            HeadKind::MultiScale => {
                let cuts = self.base.cut_points().into_iter();
                cuts.map(|cut| MapSummary::CellsAndDeviations.values(cut.channels)).sum()
            }
        }
    }

    /// The summary of the maps that the head reads at each cut point; `None` if it reads only the
    /// last maps.
    pub(crate) fn taken(&self) -> Option<MapSummary> {
        match self.head.kind {
            HeadKind::Linear | HeadKind::Kernel => Some(MapSummary::Statistics),
            HeadKind::MultiScale => Some(MapSummary::CellsAndDeviations),
            HeadKind::Flatten | HeadKind::GlobalPool => None,
        }
    }

    /// The dense layers, as positions in torchvision's `classifier` (a ReLU and a dropout are
    /// between 0 and 3), with inputs and outputs. A kernel head has none.
    pub(crate) fn dense_layers(&self) -> Vec<DenseLayer> {
        if self.head.kind == HeadKind::Kernel {
            return Vec::new();
        }
        let (inputs, classes) = (self.head_inputs(), self.classes.len());
        match self.head.hidden_units as usize {
            0 => vec![DenseLayer { position: 0, inputs, outputs: classes }],
            hidden => vec![
                DenseLayer { position: 0, inputs, outputs: hidden },
                DenseLayer { position: 3, inputs: hidden, outputs: classes },
            ],
        }
    }

    /// The tensors of the head: `classifier.*` or `kernel.*`, and `standardise.*` for a head that
    /// standardises its input.
    pub fn head_specs(&self) -> Vec<TensorSpec> {
        let mut specs: Vec<TensorSpec> =
            self.dense_layers().iter().flat_map(DenseLayer::tensor_specs).collect();
        let (inputs, classes) = (self.head_inputs(), self.classes.len());
        match self.head.kind {
            HeadKind::Flatten | HeadKind::GlobalPool => return specs,
            HeadKind::MultiScale => specs.push(TensorSpec::new(STANDARDISE_STD, &[inputs])),
            HeadKind::Linear => specs.push(TensorSpec::new(STANDARDISE_SCALE, &[inputs])),
            HeadKind::Kernel => specs.extend([
                TensorSpec::new(STANDARDISE_SCALE, &[inputs]),
                TensorSpec::with_any_rows(KERNEL_VECTORS, inputs),
                TensorSpec::with_any_rows(KERNEL_COEFFICIENTS, classes),
                TensorSpec::new(KERNEL_BIAS, &[classes]),
                TensorSpec::new(KERNEL_GAMMA, &[1]),
            ]),
        }
        specs.push(TensorSpec::new(STANDARDISE_MEAN, &[inputs]));
        specs
    }

    /// Every tensor of the whole model.
    pub fn tensor_specs(&self) -> Vec<TensorSpec> {
        let mut specs = self.base.tensor_specs();
        specs.extend(self.head_specs());
        specs
    }

    /// The tensors that a checkpoint holds: those of the layers above the frozen ones, and the
    /// head.
    pub fn checkpoint_specs(&self) -> Vec<TensorSpec> {
        let frozen = self.frozen_layers();
        let mut specs: Vec<TensorSpec> =
            self.base.layers()[frozen..].iter().flat_map(Layer::tensor_specs).collect();
        specs.extend(self.head_specs());
        specs
    }

    /// A row per layer, from the image up.
    pub fn summary(&self) -> Vec<SummaryRow> {
        let frozen = self.frozen_layers();
        let layers = self.base.layers().iter().enumerate();
        let mut rows: Vec<SummaryRow> = layers
            .map(|(index, layer)| SummaryRow {
                layer: layer.name.clone(),
                output: self.base.shape_after(self.image_size, index + 1),
                parameters: layer.tensor_specs().iter().map(TensorSpec::len).sum(),
                is_trainable: index >= frozen,
            })
            .collect();
        let vector = match self.head.kind {
            HeadKind::Linear | HeadKind::Kernel => "channel_statistics",
            other => other.name(),
        };
        let standardises = !matches!(self.head.kind, HeadKind::Flatten | HeadKind::GlobalPool);
        rows.push(SummaryRow {
            layer: vector.into(),
            output: vec![self.head_inputs()],
            parameters: if standardises { 2 * self.head_inputs() } else { 0 },
            is_trainable: false,
        });
        if self.head.kind == HeadKind::Kernel {
            // The number of support vectors is only known after training.
            rows.push(SummaryRow {
                layer: "kernel".into(),
                output: vec![self.classes.len()],
                parameters: 0,
                is_trainable: true,
            });
        }
        rows.extend(self.dense_layers().iter().map(|dense| SummaryRow {
            layer: format!("classifier.{}", dense.position),
            output: vec![dense.outputs],
            parameters: dense.tensor_specs().iter().map(TensorSpec::len).sum(),
            is_trainable: true,
        }));
        rows
    }
}

/// The part of the maps `[C, H, W]` that is read at each cut point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MapSummary {
    /// The mean of each channel, then the standard deviation of each: `[2·C]`.
    Statistics,
    /// The 4×4 average pooling and the standard deviation of each channel: `[17·C]`.
    CellsAndDeviations,
    /// The maps themselves: `[C, H, W]`.
    Maps,
}

impl MapSummary {
    /// Values read from maps with this many channels.
    ///
    /// # Panics
    /// For `Maps`, whose number of values does not follow from the channels.
    pub(crate) fn values(self, channels: usize) -> usize {
        match self {
            Self::Statistics => 2 * channels,
            Self::CellsAndDeviations => channels * (MULTI_SCALE_CELLS * MULTI_SCALE_CELLS + 1),
            Self::Maps => unreachable!("maps are never a part of an activation"),
        }
    }
}

/// A dense layer of the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DenseLayer {
    pub(crate) position: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl DenseLayer {
    pub(crate) fn tensor_name(&self, part: &str) -> String {
        format!("classifier.{}.{part}", self.position)
    }

    fn tensor_specs(&self) -> Vec<TensorSpec> {
        vec![
            TensorSpec::new(self.tensor_name("weight"), &[self.outputs, self.inputs]),
            TensorSpec::new(self.tensor_name("bias"), &[self.outputs]),
        ]
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn architecture(kind: HeadKind, hidden_units: u32, freeze: Freeze) -> Architecture {
        of_base("vgg16", kind, hidden_units, freeze)
    }

    pub(crate) fn of_base(
        base: &str,
        kind: HeadKind,
        hidden_units: u32,
        freeze: Freeze,
    ) -> Architecture {
        let base = bases::named(base).unwrap();
        Architecture {
            base,
            image_size: 32,
            classes: vec!["cancer".into(), "normal".into()],
            freeze: FrozenLayers::of(base, freeze).unwrap(),
            head: HeadParams { kind, hidden_units, dropout: 0.0 },
            stochastic_depth: 0.0,
        }
    }

    #[test]
    fn a_base_of_an_earlier_format_is_called_that() {
        let folder = tempfile::tempdir().unwrap();
        let earlier = r#"{"format": 1, "weights": "in words"}"#;
        std::fs::write(folder.path().join(BaseDescription::FILE), earlier).unwrap();
        let message = BaseDescription::read(folder.path()).unwrap_err().to_string();
        assert!(message.contains("its format is 1, this program knows 3"), "{message}");
    }

    #[test]
    fn head_inputs_are_the_documented_ones_at_224() {
        let at_224 = |kind| Architecture { image_size: 224, ..architecture(kind, 0, Freeze::All) };
        assert_eq!(at_224(HeadKind::Flatten).head_inputs(), 25_088);
        assert_eq!(at_224(HeadKind::GlobalPool).head_inputs(), 512);
        assert_eq!(at_224(HeadKind::MultiScale).head_inputs(), 25_024);
    }

    #[test]
    fn a_checkpoint_of_a_frozen_base_holds_the_head_alone() {
        let specs = architecture(HeadKind::Flatten, 8, Freeze::All).checkpoint_specs();
        let names: Vec<_> = specs.iter().map(|spec| spec.name.as_str()).collect();
        let expected = [
            "classifier.0.weight",
            "classifier.0.bias",
            "classifier.3.weight",
            "classifier.3.bias",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_checkpoint_of_a_partly_frozen_base_holds_what_can_change() {
        let freeze = Freeze::Until("block5_conv2".into());
        let specs = architecture(HeadKind::GlobalPool, 0, freeze).checkpoint_specs();
        assert_eq!(specs[0], TensorSpec::new("features.28.weight", &[512, 512, 3, 3]));
        assert_eq!(specs.len(), 4);
    }

    #[test]
    fn features_change_where_a_layer_below_them_learns() {
        let cuts = |freeze| architecture(HeadKind::Linear, 0, freeze).cuts_that_learn();
        assert_eq!(cuts(Freeze::Until("block4_pool".into())), ["block5_pool"]);
        assert_eq!(cuts(Freeze::Until("block4_conv3".into())), ["block5_pool"]);
        assert_eq!(cuts(Freeze::Until("block4_conv2".into())), ["block4_pool", "block5_pool"]);
        assert_eq!(cuts(Freeze::None).len(), 5);
        assert!(cuts(Freeze::All).is_empty());
    }

    #[test]
    fn summary_adds_up_to_all_parameters() {
        let architecture = architecture(HeadKind::MultiScale, 0, Freeze::All);
        let total: usize = architecture.summary().iter().map(|row| row.parameters).sum();
        assert_eq!(total, 14_714_688 + 2 * 25_024 + 25_024 * 2 + 2);
    }
}
