//! The network on a device: the frozen part, the part that learns, the head.

use std::collections::BTreeMap;
use std::ops::Range;

use config::HeadKind;
use tch::{Kind, Tensor};

use crate::Result;
use crate::architecture::{Architecture, MULTI_SCALE_CELLS, MapSummary};
use crate::backend::Backend;
use crate::tensors::{self, TensorMap};
use crate::vgg16::{self, BLOCK_CHANNELS, INPUT_CHANNELS, LAYERS, Layer, LayerKind};

use self::frozen::FrozenConvolutions;
use self::one_thread::OneThread;

mod explain;
mod frozen;
mod head;
mod host;
mod one_thread;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use self::host::{rows, to_device, to_host, upload};

/// A network with its weights on a device.
#[derive(Debug)]
pub(crate) struct Network {
    architecture: Architecture,
    backend: Backend,
    frozen_layers: usize,
    frozen: FrozenPart,
    /// All other tensors, fp32.
    learnt: BTreeMap<String, Tensor>,
}

/// The layers that never change.
#[derive(Debug)]
enum FrozenPart {
    /// Not loaded: activations come from another network.
    Elsewhere,
    /// Our own convolutions.
    Winograd(FrozenConvolutions),
    /// Tensors of libtorch's convolutions, in the backend's number format, channels last.
    Libtorch(BTreeMap<String, Tensor>),
}

impl Network {
    /// Puts the weights of a whole model on the device.
    pub(crate) fn new(
        architecture: &Architecture,
        weights: &TensorMap,
        backend: Backend,
        origin: &str,
    ) -> Result<Self> {
        let mut network = Self::of_activations(architecture, weights, backend, origin)?;
        network.frozen = match backend.winograd() {
            Some(instructions) => {
                let layers = network.frozen_layers;
                FrozenPart::Winograd(FrozenConvolutions::new(layers, weights, instructions))
            }
            None => {
                let format = backend.format().kind();
                let names = weights.iter().filter(|(name, _)| !network.learnt.contains_key(*name));
                let converted = names.map(|(name, tensor)| {
                    Ok((name.clone(), convert(&to_device(tensor, backend)?, format)?))
                });
                FrozenPart::Libtorch(converted.collect::<Result<_>>()?)
            }
        };
        Ok(network)
    }

    /// The same without the frozen part: it accepts activations, and computes none.
    pub(crate) fn of_activations(
        architecture: &Architecture,
        weights: &TensorMap,
        backend: Backend,
        origin: &str,
    ) -> Result<Self> {
        tensors::check(weights, &architecture.tensor_specs(), origin)?;
        let learnt = architecture.checkpoint_specs().into_iter().map(|spec| {
            let tensor = to_device(&weights[&spec.name], backend)?;
            Ok((spec.name, tensor))
        });
        Ok(Self {
            architecture: architecture.clone(),
            backend,
            frozen_layers: architecture.frozen_layers(),
            frozen: FrozenPart::Elsewhere,
            learnt: learnt.collect::<Result<_>>()?,
        })
    }

    pub(crate) fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    pub(crate) fn backend(&self) -> Backend {
        self.backend
    }

    /// The tensors that a checkpoint holds, on the device.
    pub(crate) fn learnt(&self) -> &BTreeMap<String, Tensor> {
        &self.learnt
    }

    /// Replaces one of those tensors.
    pub(crate) fn set_learnt(&mut self, name: &str, tensor: Tensor) {
        self.learnt.insert(name.to_owned(), tensor);
    }

    /// Whether nothing is frozen, so that an activation is the image itself.
    pub(crate) fn is_unfrozen(&self) -> bool {
        self.frozen_layers == 0
    }

    /// Limits libtorch to one thread while the guard exists, when only the head is computed. Its
    /// operations are so small that sharing them costs more than it saves. Threads that spin while
    /// they wait for each other also stall when the machine has other work.
    pub(crate) fn few_threads(&self) -> Option<OneThread> {
        (self.frozen_layers == LAYERS.len()).then(OneThread::start)
    }

    /// Length of an activation.
    pub(crate) fn activation_length(&self) -> usize {
        if self.frozen_layers == LAYERS.len() {
            return self.architecture.head_inputs();
        }
        self.frozen_scales() + self.activation_shape().iter().product::<i64>() as usize
    }

    /// Values that the head reads from blocks that are completely frozen.
    fn frozen_scales(&self) -> usize {
        let Some(taken) = self.architecture.taken() else { return 0 };
        let blocks =
            LAYERS[..self.frozen_layers].iter().filter(|l| l.kind == LayerKind::MaxPool).count();
        BLOCK_CHANNELS[..blocks].iter().map(|channels| taken.values(*channels)).sum()
    }

    /// `[C, H, W]` at the end of the frozen part.
    fn activation_shape(&self) -> [i64; 3] {
        let size = vgg16::size_after(self.architecture.image_size as usize, self.frozen_layers);
        [vgg16::channels_after(self.frozen_layers) as i64, size as i64, size as i64]
    }

    /// The frozen part: images `[N, 3, S, S]` to activations `[N, activation_length]`, both fp32.
    pub(crate) fn activations(&self, images: &Tensor) -> Result<Tensor> {
        let mut scales = Vec::new();
        let taken = self.architecture.taken();
        let end = self.run(images, 0..self.frozen_layers, taken, &mut scales)?;
        if self.frozen_layers == LAYERS.len() {
            return self.pool(&end, &scales);
        }
        let flat = end.f_to_kind(Kind::Float)?.f_flatten(1, -1)?;
        scales.push(flat);
        Ok(Tensor::f_cat(&scales, 1)?)
    }

    /// The frozen part of at most `rows` images, each `[3, S, S]`: activations `[rows,
    /// activation_length]`, with arbitrary values in the rows without an image. Later operations
    /// then have one shape, however few images there are: the last bits of libtorch's results may
    /// depend on it.
    pub(crate) fn filled_activations(&self, images: &[&[f32]], rows: usize) -> Result<Tensor> {
        let mut values = images.concat();
        // Padded with images only if libtorch processes them.
        let computed = if self.is_libtorch_between() { rows } else { images.len() };
        let shape = self.image_shape(computed);
        values.resize(shape.iter().product::<i64>() as usize, 0.0);
        let activations = self.activations(&self.upload(&values, &shape)?)?;
        Ok(activations.f_constant_pad_nd([0, 0, 0, (rows - computed) as i64])?)
    }

    /// Whether libtorch computes anything between images and activations. It does not if the
    /// convolutions are our own and the last maps are not averaged.
    fn is_libtorch_between(&self) -> bool {
        let is_mean_taken = self.frozen_layers == LAYERS.len()
            && self.architecture.head.kind == HeadKind::GlobalPool;
        let is_our_own = matches!(self.frozen, FrozenPart::Winograd(_)) && !self.is_unfrozen();
        !is_our_own || is_mean_taken
    }

    /// The rest of the base and the pooling: activations to the input of the dense layers, `[N,
    /// head_inputs]`, not yet standardised.
    pub(crate) fn head_inputs(&self, activations: &Tensor) -> Result<Tensor> {
        if self.frozen_layers == LAYERS.len() {
            return Ok(activations.shallow_clone());
        }
        let scales_length = self.frozen_scales() as i64;
        let [channels, height, width] = self.activation_shape();
        let rest = activations.f_narrow(1, scales_length, channels * height * width)?;
        let activation = rest.f_reshape([-1, channels, height, width])?;
        let mut scales = Vec::new();
        if scales_length > 0 {
            scales.push(activations.f_narrow(1, 0, scales_length)?);
        }
        let taken = self.architecture.taken();
        let end = self.run(&activation, self.frozen_layers..LAYERS.len(), taken, &mut scales)?;
        self.pool(&end, &scales)
    }

    /// Runs some of the base's layers; the part that is `taken` after each pooling is added to
    /// `scales`.
    fn run(
        &self,
        x: &Tensor,
        layers: Range<usize>,
        taken: Option<MapSummary>,
        scales: &mut Vec<Tensor>,
    ) -> Result<Tensor> {
        let (x, layers) = match &self.frozen {
            // Only from the image on. Grad-CAM runs the last layer separately, with libtorch,
            // because it needs gradients.
            FrozenPart::Winograd(winograd) if layers.start == 0 && self.frozen_layers > 0 => {
                let end = layers.end.min(self.frozen_layers);
                let (maps, parts) = winograd.run(x, end, taken)?;
                scales.extend(parts);
                (maps, end..layers.end)
            }
            _ => (x.shallow_clone(), layers),
        };
        let mut x = convert(&x, self.backend.format().kind())?;
        for layer in &LAYERS[layers] {
            x = match layer.kind {
                LayerKind::Convolution { .. } => self.convolve(&x, layer)?,
                LayerKind::MaxPool => x.f_max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false)?,
            };
            if let Some(taken) = taken.filter(|_| layer.kind == LayerKind::MaxPool) {
                scales.push(take(&x, taken)?);
            }
        }
        Ok(x)
    }

    fn convolve(&self, x: &Tensor, layer: &Layer) -> Result<Tensor> {
        let weight = self.convolution_tensor(&layer.tensor_name("weight"))?;
        let bias = self.convolution_tensor(&layer.tensor_name("bias"))?;
        Ok(x.f_conv2d(&weight, Some(&bias), [1, 1], [1, 1], [1, 1], 1)?.f_relu_()?)
    }

    /// A convolution's tensor in the backend's number format. A convolution that learns is
    /// converted at every use, so that its fp32 original receives the gradient.
    fn convolution_tensor(&self, name: &str) -> Result<Tensor> {
        match &self.frozen {
            FrozenPart::Libtorch(frozen) if frozen.contains_key(name) => {
                Ok(frozen[name].shallow_clone())
            }
            _ => convert(&self.learnt[name], self.backend.format().kind()),
        }
    }

    /// The last block's maps `[N, 512, H, W]` to one vector each, fp32.
    fn pool(&self, maps: &Tensor, scales: &[Tensor]) -> Result<Tensor> {
        Ok(match self.architecture.head.kind {
            HeadKind::Flatten => maps.f_to_kind(Kind::Float)?.f_flatten(1, -1)?,
            HeadKind::GlobalPool => maps.f_mean_dim(&[2_i64, 3][..], false, Kind::Float)?,
            HeadKind::Linear | HeadKind::Kernel | HeadKind::MultiScale => Tensor::f_cat(scales, 1)?,
        })
    }

    /// The mean of each of the last block's 512 channels, from the input of the dense layers: `[N,
    /// head_inputs]` to `[N, 512]`. For the multi-scale head it is the mean of its 4×4 cells, which
    /// is the same if 4 divides the maps' size.
    pub(crate) fn pooled(&self, head_inputs: &Tensor) -> Result<Tensor> {
        let channels = BLOCK_CHANNELS[BLOCK_CHANNELS.len() - 1] as i64;
        let mean_of = |cells: &Tensor| -> Result<Tensor> {
            Ok(cells.f_reshape([-1, channels, cells.size()[1] / channels])?.f_mean_dim(
                &[2_i64][..],
                false,
                Kind::Float,
            )?)
        };
        match self.architecture.head.kind {
            HeadKind::GlobalPool => Ok(head_inputs.shallow_clone()),
            HeadKind::Flatten => mean_of(head_inputs),
            HeadKind::Linear | HeadKind::Kernel => {
                // The part of the last block is at the end: means first, then deviations.
                Ok(head_inputs.f_narrow(1, head_inputs.size()[1] - 2 * channels, channels)?)
            }
            HeadKind::MultiScale => {
                let cells = channels * (MULTI_SCALE_CELLS * MULTI_SCALE_CELLS) as i64;
                // The part of the last block is at the end: cells first, then deviations.
                let start = head_inputs.size()[1] - cells - channels;
                mean_of(&head_inputs.f_narrow(1, start, cells)?)
            }
        }
    }

    /// Images or activations from ordinary memory: `rows` of equal length, as `[rows, …shape]`.
    pub(crate) fn upload(&self, values: &[f32], shape: &[i64]) -> Result<Tensor> {
        upload(&Tensor::f_from_slice(values)?.f_reshape(shape)?, self.backend.device)
    }

    /// The shape of a batch of images.
    pub(crate) fn image_shape(&self, images: usize) -> [i64; 4] {
        let size = i64::from(self.architecture.image_size);
        [images as i64, INPUT_CHANNELS as i64, size, size]
    }
}

/// The part of maps `[N, C, H, W]` that is read, fp32. For statistics: `[N, 2·C]`, means, then
/// deviations. For cells and deviations: `[N, 17·C]`, cells first, channel by channel, then
/// deviations.
fn take(maps: &Tensor, taken: MapSummary) -> Result<Tensor> {
    let cells = MULTI_SCALE_CELLS as i64;
    let maps = maps.f_to_kind(Kind::Float)?;
    Ok(match taken {
        MapSummary::Maps => maps,
        MapSummary::Statistics => {
            let mean = maps.f_mean_dim(&[2_i64, 3][..], false, Kind::Float)?;
            let deviation = maps.f_std_correction(&[2_i64, 3][..], 0, false)?;
            Tensor::f_cat(&[mean, deviation], 1)?
        }
        MapSummary::CellsAndDeviations => {
            let average = maps.f_adaptive_avg_pool2d([cells, cells])?.f_flatten(1, -1)?;
            let deviation = maps.f_std_correction(&[2_i64, 3][..], 0, false)?;
            Tensor::f_cat(&[average, deviation], 1)?
        }
    })
}

/// Converts the number format, and uses channels last if there are channels: the layout in which
/// libtorch's convolutions are fastest.
fn convert(tensor: &Tensor, kind: Kind) -> Result<Tensor> {
    let converted = tensor.f_to_kind(kind)?;
    if converted.dim() != 4 {
        return Ok(converted);
    }
    Ok(converted.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?)
}
