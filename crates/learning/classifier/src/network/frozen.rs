//! Frozen layers in fp32 on a processor: our own convolutions, faster than libtorch's.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rayon::prelude::*;
use tch::Tensor;
use winograd::{Buffer, Convolution, Epilogue, InstructionSet};

use crate::Result;
use crate::architecture::MapSummary;
use crate::bases::{Accelerated, INPUT_CHANNELS, Layer};
use crate::tensors::TensorMap;

mod scale;
mod shape;

use shape::Shape;

/// Images that go through all layers together, for each thread: enough of them to make loading the
/// kernels of the last layers worthwhile, few enough that the maps of the first layers stay in a
/// cache.
const IMAGES_PER_THREAD: usize = 2;

/// Frozen 3×3 convolutions and the poolings between them, ready to run.
#[derive(Debug)]
pub(super) struct FrozenConvolutions {
    instructions: InstructionSet,
    /// By the layer's position in the base.
    convolutions: BTreeMap<usize, Convolution>,
    /// The poolings, and whether there is a cut point after each.
    poolings: BTreeMap<usize, bool>,
    buffers: RefCell<Buffers>,
}

impl FrozenConvolutions {
    /// Transforms the kernels of these layers, the lowest of a base; `weights` has all of them. None
    /// if there are no layers, or some that our kernels do not compute.
    pub(super) fn of(
        layers: &[Layer],
        weights: &TensorMap,
        instructions: InstructionSet,
    ) -> Option<Self> {
        let accelerated: Option<Vec<Accelerated>> =
            layers.iter().map(|layer| layer.operation().accelerated()).collect();
        let accelerated = accelerated.filter(|layers| !layers.is_empty())?;
        let (mut convolutions, mut poolings) = (BTreeMap::new(), BTreeMap::new());
        for (place, (layer, kind)) in layers.iter().zip(accelerated).enumerate() {
            match kind {
                Accelerated::Convolution { weight, bias, inputs, outputs } => {
                    let (weight, bias) = (weights[&weight].values(), weights[&bias].values());
                    let convolution = Convolution::new(weight, bias, inputs, outputs);
                    convolutions.insert(place, convolution);
                }
                Accelerated::MaxPool => {
                    poolings.insert(place, layer.cut.is_some());
                }
            }
        }
        Some(Self { instructions, convolutions, poolings, buffers: RefCell::default() })
    }

    /// Runs the first `end` layers on images `[N, 3, S, S]`; returns the last one's maps `[N, C, H,
    /// W]`, and the part that is `taken` at each cut point.
    pub(super) fn run(
        &self,
        images: &Tensor,
        end: usize,
        taken: Option<MapSummary>,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let at_once = IMAGES_PER_THREAD * rayon::current_num_threads();
        let mut buffers = self.buffers.borrow_mut();
        let mut ends = Vec::new();
        let mut scales: Vec<Vec<Tensor>> = Vec::new();
        for images in images.f_split(at_once as i64, 0)? {
            let (maps, parts) = self.run_together(&images, end, taken, &mut buffers)?;
            ends.push(maps);
            scales.push(parts);
        }
        let poolings = scales.first().map_or(0, Vec::len);
        let joined = (0..poolings).map(|pooling| {
            let parts: Vec<&Tensor> = scales.iter().map(|taken| &taken[pooling]).collect();
            Ok(Tensor::f_cat(&parts, 0)?)
        });
        Ok((Tensor::f_cat(&ends, 0)?, joined.collect::<Result<_>>()?))
    }

    /// [`run`](Self::run), for images that are computed together.
    fn run_together(
        &self,
        images: &Tensor,
        end: usize,
        taken: Option<MapSummary>,
        buffers: &mut Buffers,
    ) -> Result<(Tensor, Vec<Tensor>)> {
        let (count, _, height, width) = images.size4()?;
        let mut shape = Shape {
            images: count as usize,
            height: height as usize,
            width: width as usize,
            channels: INPUT_CHANNELS,
        };
        let mut planes = vec![0.0; shape.values()];
        images.f_copy_data(&mut planes, shape.values())?;
        interleave(&planes, shape, buffers.write.first(shape.values()));
        buffers.turn();
        let mut scales = Vec::new();
        for (place, convolution) in self.convolutions.range(..end) {
            // A pooling is computed with the convolution before it.
            let pooling = self.poolings.get(&(place + 1)).filter(|_| place + 1 < end);
            let (is_pooled, is_cut) = (pooling.is_some(), pooling == Some(&true));
            let (then, side) =
                if is_pooled { (Epilogue::ReluMaxPool, 2) } else { (Epilogue::Relu, 1) };
            let before = shape;
            shape.height /= side;
            shape.width /= side;
            shape.channels = convolution.outputs();
            let (images, maps) = buffers.read_and_write(before.values(), shape.values());
            convolution.run(images, (before.height, before.width), then, self.instructions, maps);
            buffers.turn();
            if let Some(taken) = taken.filter(|_| is_cut) {
                let maps = buffers.readable(shape.values());
                scales.push(match taken {
                    MapSummary::Statistics => scale::statistics(maps, shape)?,
                    MapSummary::CellsAndDeviations => scale::cells_and_deviations(maps, shape)?,
                    MapSummary::Maps => planes_of(maps, shape)?,
                });
            }
        }
        Ok((planes_of(buffers.readable(shape.values()), shape)?, scales))
    }
}

/// Maps `[N, H, W, C]` as a tensor `[N, C, H, W]`.
fn planes_of(maps: &[f32], shape: Shape) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(maps)?.f_reshape(shape.dimensions())?.f_permute([0, 3, 1, 2])?)
}

/// Planes `[N, C, H, W]` to pixels `[N, H, W, C]`.
fn interleave(planes: &[f32], shape: Shape, pixels: &mut [f32]) {
    let plane = shape.height * shape.width;
    let image = plane * shape.channels;
    let images = planes.par_chunks_exact(image).zip(pixels.par_chunks_exact_mut(image));
    images.for_each(|(planes, pixels)| {
        for (place, pixel) in pixels.chunks_exact_mut(shape.channels).enumerate() {
            for (channel, value) in pixel.iter_mut().enumerate() {
                *value = planes[channel * plane + place];
            }
        }
    });
}

/// The input and the output of a layer. They are reused, since new memory must be cleared first.
#[derive(Debug, Default)]
struct Buffers {
    read: Buffer,
    write: Buffer,
}

impl Buffers {
    fn read_and_write(&mut self, read: usize, write: usize) -> (&[f32], &mut [f32]) {
        (&self.read[..read], self.write.first(write))
    }

    /// The output becomes the next input.
    fn turn(&mut self) {
        std::mem::swap(&mut self.read, &mut self.write);
    }

    fn readable(&self, length: usize) -> &[f32] {
        &self.read[..length]
    }
}
