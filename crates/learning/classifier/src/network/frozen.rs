//! Frozen layers in fp32 on a processor: our own convolutions, faster than libtorch's.

use std::cell::RefCell;
use std::collections::BTreeMap;

use rayon::prelude::*;
use tch::Tensor;
use winograd::{Buffer, Convolution, Epilogue, InstructionSet};

use crate::Result;
use crate::architecture::MapSummary;
use crate::tensors::TensorMap;
use crate::vgg16::{INPUT_CHANNELS, LAYERS, LayerKind};

mod scale;
mod shape;

use shape::Shape;

/// Images that go through all layers together, for each thread: enough of them to make loading the
/// kernels of the last layers worthwhile, few enough that the maps of the first layers stay in a
/// cache.
const IMAGES_PER_THREAD: usize = 2;

/// Frozen convolutions, ready to run.
#[derive(Debug)]
pub(super) struct FrozenConvolutions {
    instructions: InstructionSet,
    /// By their position in [`LAYERS`].
    convolutions: BTreeMap<usize, Convolution>,
    buffers: RefCell<Buffers>,
}

impl FrozenConvolutions {
    /// Transforms the kernels of the first `layers` layers; `weights` has all of them.
    pub(super) fn new(layers: usize, weights: &TensorMap, instructions: InstructionSet) -> Self {
        let mut convolutions = BTreeMap::new();
        for (place, layer) in LAYERS[..layers].iter().enumerate() {
            if let LayerKind::Convolution { inputs, outputs, .. } = layer.kind {
                let values = |part| weights[&layer.tensor_name(part)].values();
                let convolution =
                    Convolution::new(values("weight"), values("bias"), inputs, outputs);
                convolutions.insert(place, convolution);
            }
        }
        Self { instructions, convolutions, buffers: RefCell::default() }
    }

    /// Runs the first `end` layers on images `[N, 3, S, S]`; returns the last one's maps `[N, C, H,
    /// W]`, and the part that is `taken` after each pooling.
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
            let is_pooled = place + 1 < end && LAYERS[place + 1].kind == LayerKind::MaxPool;
            let (then, side) =
                if is_pooled { (Epilogue::ReluMaxPool, 2) } else { (Epilogue::Relu, 1) };
            let before = shape;
            shape.height /= side;
            shape.width /= side;
            shape.channels = convolution.outputs();
            let (images, maps) = buffers.read_and_write(before.values(), shape.values());
            convolution.run(images, (before.height, before.width), then, self.instructions, maps);
            buffers.turn();
            if let Some(taken) = taken.filter(|_| is_pooled) {
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
