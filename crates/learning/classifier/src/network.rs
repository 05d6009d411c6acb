//! The network on a device: the frozen part, the part that learns, the head.

use std::collections::BTreeMap;
use std::ops::Range;

use config::HeadKind;
use tch::{Kind, Tensor};

use crate::Result;
use crate::architecture::{Architecture, MULTI_SCALE_CELLS, MapSummary};
use crate::backend::Backend;
use crate::bases::{self, Base, Form, INPUT_CHANNELS, Weights};
use crate::tensors::{self, TensorMap};

use self::frozen::FrozenConvolutions;
use self::one_thread::OneThread;

mod explain;
mod frozen;
mod head;
mod host;
mod one_thread;
mod step_rows;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use self::host::{rows, to_device, to_host, upload};
pub(crate) use self::step_rows::StepRows;

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

/// What is read at cut points while the layers run.
struct Reading {
    /// What is read; none if the head reads only the last maps.
    summary: Option<MapSummary>,
    /// What was read so far.
    parts: Vec<Tensor>,
}

/// What the network is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A step of training, in which units and residual branches may be left out.
    Training(StepRows),
    /// Anything else.
    Prediction,
}

/// The layers that never change.
#[derive(Debug)]
enum FrozenPart {
    /// Not loaded: activations come from another network.
    Elsewhere,
    /// Our own convolutions.
    Winograd(FrozenConvolutions),
    /// Tensors for libtorch, as [`bases::prepare`] makes them.
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
        let layers = &architecture.base.layers()[..network.frozen_layers];
        let ours = backend
            .winograd()
            .and_then(|instructions| FrozenConvolutions::of(layers, weights, instructions));
        network.frozen = match ours {
            Some(convolutions) => FrozenPart::Winograd(convolutions),
            None => {
                let names = weights.iter().filter(|(name, _)| !network.learnt.contains_key(*name));
                let on_device =
                    names.map(|(name, tensor)| Ok((name.clone(), to_device(tensor, backend)?)));
                let operations = layers.iter().map(bases::Layer::operation);
                let format = backend.format().kind();
                let on_device = on_device.collect::<Result<_>>()?;
                FrozenPart::Libtorch(bases::prepare(operations, on_device, format)?)
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

    fn base(&self) -> &'static Base {
        self.architecture.base
    }

    /// Whether the whole base is frozen.
    fn is_frozen(&self) -> bool {
        self.frozen_layers == self.base().layers().len()
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
        self.is_frozen().then(OneThread::start)
    }

    /// Length of an activation.
    pub(crate) fn activation_length(&self) -> usize {
        if self.is_frozen() {
            return self.architecture.head_inputs();
        }
        self.frozen_scales() + self.activation_shape().iter().product::<usize>()
    }

    /// Values that the head reads at cut points in the frozen part.
    fn frozen_scales(&self) -> usize {
        let Some(taken) = self.architecture.taken() else { return 0 };
        let cuts = self.base().cut_points().into_iter();
        let frozen = cuts.filter(|cut| cut.layers <= self.frozen_layers);
        frozen.map(|cut| taken.values(cut.channels)).sum()
    }

    /// The shape of what the frozen part hands on, without the batch.
    fn activation_shape(&self) -> Vec<usize> {
        self.base().shape_after(self.architecture.image_size, self.frozen_layers)
    }

    /// The frozen part: images `[N, 3, S, S]` to activations `[N, activation_length]`, both fp32.
    pub(crate) fn activations(&self, images: &Tensor) -> Result<Tensor> {
        let mut reading = self.reading();
        let end = self.run(images, 0..self.frozen_layers, Mode::Prediction, &mut reading)?;
        if self.is_frozen() {
            return self.pool(&end, &reading.parts);
        }
        let flat = end.f_to_kind(Kind::Float)?.f_flatten(1, -1)?;
        reading.parts.push(flat);
        Ok(Tensor::f_cat(&reading.parts, 1)?)
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
        let is_mean_taken = self.is_frozen() && self.architecture.head.kind == HeadKind::GlobalPool;
        let is_our_own = matches!(self.frozen, FrozenPart::Winograd(_)) && !self.is_unfrozen();
        !is_our_own || is_mean_taken
    }

    /// The rest of the base and the pooling: activations to the input of the dense layers, `[N,
    /// head_inputs]`, not yet standardised.
    pub(crate) fn head_inputs(&self, activations: &Tensor, mode: Mode) -> Result<Tensor> {
        if self.is_frozen() {
            return Ok(activations.shallow_clone());
        }
        let frozen = self.frozen_scales() as i64;
        let rest = activations.f_narrow(1, frozen, activations.size()[1] - frozen)?;
        let shape = self.activation_shape().into_iter().map(|length| length as i64);
        let activation = rest.f_reshape([-1].into_iter().chain(shape).collect::<Vec<_>>())?;
        let mut reading = self.reading();
        if frozen > 0 {
            reading.parts.push(activations.f_narrow(1, 0, frozen)?);
        }
        let layers = self.frozen_layers..self.base().layers().len();
        let end = self.run(&activation, layers, mode, &mut reading)?;
        self.pool(&end, &reading.parts)
    }

    /// What the head reads at cut points, so far nothing.
    fn reading(&self) -> Reading {
        Reading { summary: self.architecture.taken(), parts: Vec::new() }
    }

    /// Runs some of the base's layers; what is read at cut points is added to `reading`.
    fn run(
        &self,
        x: &Tensor,
        layers: Range<usize>,
        mode: Mode,
        reading: &mut Reading,
    ) -> Result<Tensor> {
        let (x, layers) = match &self.frozen {
            // Only from the image on. Grad-CAM runs the layers above the maps that it reads with
            // libtorch, because it needs gradients.
            FrozenPart::Winograd(winograd) if layers.start == 0 => {
                let end = layers.end.min(self.frozen_layers);
                let (maps, parts) = winograd.run(x, end, reading.summary)?;
                reading.parts.extend(parts);
                (maps, end..layers.end)
            }
            _ => (x.shallow_clone(), layers),
        };
        let weights = self.weights(mode);
        let mut x = convert(&x, weights.format)?;
        for layer in &self.base().layers()[layers] {
            x = layer.operation().run(&x, &weights)?;
            if let (Some(summary), Some(_)) = (reading.summary, &layer.cut) {
                reading.parts.push(take(&self.maps_of(&x)?, summary)?);
            }
        }
        Ok(x)
    }

    fn weights(&self, mode: Mode) -> Weights<'_> {
        Weights {
            frozen: match &self.frozen {
                FrozenPart::Libtorch(frozen) => Some(frozen),
                FrozenPart::Elsewhere | FrozenPart::Winograd(_) => None,
            },
            learnt: &self.learnt,
            format: self.backend.format().kind(),
            stochastic_depth: self.architecture.stochastic_depth,
            step: match mode {
                Mode::Training(rows) => Some(rows),
                Mode::Prediction => None,
            },
        }
    }

    /// The maps `[N, C, H, W]` of what goes from layer to layer.
    fn maps_of(&self, x: &Tensor) -> Result<Tensor> {
        let Form::Tokens { prefix } = self.base().form() else { return Ok(x.shallow_clone()) };
        let (images, tokens, channels) = x.size3()?;
        let places = tokens - prefix as i64;
        let side = places.isqrt();
        let of_places = x.f_narrow(1, prefix as i64, places)?.f_transpose(1, 2)?;
        Ok(of_places.f_reshape([images, channels, side, side])?)
    }

    /// What the last layer hands on, or what was read at cut points, to one vector for each image,
    /// fp32.
    fn pool(&self, end: &Tensor, parts: &[Tensor]) -> Result<Tensor> {
        let maps = || self.maps_of(end);
        Ok(match self.architecture.head.kind {
            HeadKind::Flatten => maps()?.f_to_kind(Kind::Float)?.f_flatten(1, -1)?,
            HeadKind::GlobalPool => maps()?.f_mean_dim(&[2_i64, 3][..], false, Kind::Float)?,
            HeadKind::Linear | HeadKind::Kernel | HeadKind::MultiScale => Tensor::f_cat(parts, 1)?,
        })
    }

    /// The mean of each channel C of the last maps, from the input of the dense layers: `[N,
    /// head_inputs]` to `[N, C]`. For the multi-scale head it is the mean of its 4×4 cells, which is
    /// the same if 4 divides the maps' size.
    pub(crate) fn pooled(&self, head_inputs: &Tensor) -> Result<Tensor> {
        let channels = self.base().channels() as i64;
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
                // The part of the last maps is at the end: means first, then deviations.
                Ok(head_inputs.f_narrow(1, head_inputs.size()[1] - 2 * channels, channels)?)
            }
            HeadKind::MultiScale => {
                let cells = channels * (MULTI_SCALE_CELLS * MULTI_SCALE_CELLS) as i64;
                // The part of the last maps is at the end: cells first, then deviations.
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
pub(crate) fn convert(tensor: &Tensor, kind: Kind) -> Result<Tensor> {
    let converted = tensor.f_to_kind(kind)?;
    if converted.dim() != 4 {
        return Ok(converted);
    }
    Ok(converted.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2])?)
}
