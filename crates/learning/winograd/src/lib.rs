//! 3×3 convolutions of frozen layers on a processor, in fp32, with a quarter of the multiplications
//! of a direct one.
//!
//! ```text
//! images [N, H, W, C]
//!   ↓ 6×6 pixels that overlap by two, for each 4×4 pixels out    36 points     transform
//!   ↓ one matrix product for each point: channels in → out       the kernel's  product
//!   ↓ 36 points → 4×4 pixels, bias, ReLU, perhaps 2×2 maximum                  transform
//! maps [N, H, W, K] or [N, H/2, W/2, K]
//! ```
//!
//! This is F(4×4, 3×3) of Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR
//! 2016 (<https://arxiv.org/abs/1509.09308>), section 4: 36 multiplications instead of 144. The
//! kernels are transformed once, in double precision. A processor whose matrix units are no faster
//! in bf16 than in fp32 gains more from it than from a shorter number format.
//!
//! Every output is one sum in one order, whatever the batch, the place in it, the number of threads
//! and the instruction set: the same image gives the same bytes.
//!
//! A first layer of up to three channels is computed directly: padding them to whole registers for
//! the transforms costs more than the multiplications that are saved. Memory is in large pages
//! ([`Buffer`]).
//!
//! There are kernels for x86 with AVX2 or AVX-512; elsewhere [`InstructionSet::detect`] finds none.

#![cfg_attr(
    not(target_arch = "x86_64"),
    allow(unused, unfulfilled_lint_expectations, reason = "there are no kernels to call all this")
)]

mod block;
mod buffer;
mod direct;
mod epilogue;
mod kernels;
mod pieces;
mod product;
mod transform;

use rayon::prelude::*;

pub use crate::block::InstructionSet;
use crate::block::Work;
pub use crate::buffer::Buffer;
pub use crate::epilogue::Epilogue;
use crate::kernels::Kernels;
use crate::pieces::{Shape, Split};
use crate::product::PANEL;

/// A 3×3 convolution with padding 1, bias and ReLU, whose weights do not change.
///
/// ```
/// use winograd::{Convolution, InstructionSet, Epilogue};
///
/// let Some(instructions) = InstructionSet::detect() else { return };
/// // 16 channels in, 32 out; each sums up the 3×3 pixels around one, of all channels.
/// let convolution = Convolution::new(&vec![1.0; 32 * 16 * 9], &vec![0.5; 32], 16, 32);
/// let image = vec![1.0; 4 * 4 * 16];
/// let mut maps = vec![0.0; 4 * 4 * 32];
/// convolution.run(&image, (4, 4), Epilogue::Relu, instructions, &mut maps);
/// // In a corner five of the nine lie outside.
/// assert!((maps[0] - (4.0 * 16.0 + 0.5)).abs() < 1e-4);
/// ```
#[derive(Debug)]
pub struct Convolution {
    inputs: usize,
    outputs: usize,
    kernels: Kernels,
}

impl Convolution {
    /// Transforms the kernels: `weight` is `[outputs, inputs, 3, 3]`, `bias` is `[outputs]`.
    ///
    /// # Panics
    /// When the lengths do not fit, or `outputs` is not a multiple of 32.
    pub fn new(weight: &[f32], bias: &[f32], inputs: usize, outputs: usize) -> Self {
        assert_eq!(weight.len(), outputs * inputs * 9, "[{outputs}, {inputs}, 3, 3]");
        assert_eq!(bias.len(), outputs);
        assert_eq!(outputs % PANEL, 0, "{outputs} outputs are no multiple of {PANEL}");
        let kernels = if inputs <= direct::MOST_INPUTS {
            Kernels::direct(weight, bias, inputs)
        } else {
            Kernels::transformed(weight, bias, inputs)
        };
        Self { inputs, outputs, kernels }
    }

    /// Channels in.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Channels out.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Convolves images `[N, height, width, inputs]`, channels last, into maps
    /// `[N, height, width, outputs]`, or `[N, height / 2, width / 2, outputs]` after a maximum. The
    /// work is shared among rayon's threads.
    ///
    /// # Panics
    /// When `images` does not hold whole images, or `maps` has another length.
    pub fn run(
        &self,
        images: &[f32],
        (height, width): (usize, usize),
        then: Epilogue,
        instructions: InstructionSet,
        maps: &mut [f32],
    ) {
        let shape = Shape { height, width, inputs: self.inputs, outputs: self.outputs, then };
        let image_length = height * width * self.inputs;
        let values = images.len();
        assert!(
            image_length > 0 && values.is_multiple_of(image_length),
            "{values} values are no images of {height} × {width} × {}",
            self.inputs
        );
        let count = values / image_length;
        assert_eq!(maps.len(), count * shape.map_length(), "the maps of {count} images");
        if maps.is_empty() {
            return;
        }
        let split = Split::new(shape, count, rayon::current_num_threads());
        let work = Work { shape, images, kernels: &self.kernels };
        split
            .cut(maps)
            .into_par_iter()
            .for_each(|(rows, maps)| work.compute(instructions, rows, maps));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values from -0.5 to 0.5 that look random.
    fn values(count: usize, seed: u32) -> Vec<f32> {
        (0..count as u32)
            .map(|i| {
                let mixed =
                    (i.wrapping_add(seed.wrapping_mul(0x9e37_79b9))).wrapping_mul(0x85eb_ca6b);
                let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0xc2b2_ae35);
                (mixed ^ (mixed >> 13)) as f32 / u32::MAX as f32 - 0.5
            })
            .collect()
    }

    struct Case {
        inputs: usize,
        outputs: usize,
        size: (usize, usize),
        images: Vec<f32>,
        weight: Vec<f32>,
        bias: Vec<f32>,
    }

    impl Case {
        fn new(inputs: usize, outputs: usize, size: (usize, usize), count: usize) -> Self {
            Self {
                inputs,
                outputs,
                size,
                images: values(count * size.0 * size.1 * inputs, 1),
                weight: values(outputs * inputs * 9, 2),
                bias: values(outputs, 3),
            }
        }

        fn convolution(&self) -> Convolution {
            Convolution::new(&self.weight, &self.bias, self.inputs, self.outputs)
        }

        fn maps(&self, images: &[f32], then: Epilogue, instructions: InstructionSet) -> Vec<f32> {
            let (height, width) = self.size;
            let side = if then == Epilogue::Relu { 1 } else { 2 };
            let count = images.len() / (height * width * self.inputs);
            let mut maps = vec![f32::NAN; count * (height / side) * (width / side) * self.outputs];
            self.convolution().run(images, self.size, then, instructions, &mut maps);
            maps
        }

        /// Computed directly from the definition, in double precision.
        fn by_definition(&self, then: Epilogue) -> Vec<f64> {
            let (height, width) = self.size;
            let mut maps = Vec::new();
            for image in self.images.chunks(height * width * self.inputs) {
                let at = |y: usize, x: usize, output: usize| -> f64 {
                    let mut sum = f64::from(self.bias[output]);
                    for (dy, dx) in (0..9).map(|i| (i / 3, i % 3)) {
                        if !(1..=height).contains(&(y + dy)) || !(1..=width).contains(&(x + dx)) {
                            continue;
                        }
                        let pixel = &image[((y + dy - 1) * width + x + dx - 1) * self.inputs..];
                        for (input, value) in pixel[..self.inputs].iter().enumerate() {
                            let weight =
                                self.weight[(output * self.inputs + input) * 9 + dy * 3 + dx];
                            sum += f64::from(weight) * f64::from(*value);
                        }
                    }
                    sum.max(0.0)
                };
                let side = if then == Epilogue::Relu { 1 } else { 2 };
                for (y, x) in
                    (0..height / side).flat_map(|y| (0..width / side).map(move |x| (y, x)))
                {
                    maps.extend((0..self.outputs).map(|output| {
                        (0..side * side)
                            .map(|i| at(y * side + i / side, x * side + i % side, output))
                            .fold(0.0, f64::max)
                    }));
                }
            }
            maps
        }
    }

    fn instruction_sets() -> Vec<InstructionSet> {
        let available = InstructionSet::available();
        assert!(!available.is_empty(), "the tests run on a processor with AVX2");
        available
    }

    #[test]
    fn maps_are_those_of_the_definition() {
        for (inputs, outputs) in [(3, 32), (16, 64), (20, 32), (64, 32)] {
            for size in [(1, 1), (2, 3), (4, 4), (7, 9), (8, 12), (13, 6)] {
                let case = Case::new(inputs, outputs, size, 2);
                for then in [Epilogue::Relu, Epilogue::ReluMaxPool] {
                    let expected = case.by_definition(then);
                    for instructions in instruction_sets() {
                        let found = case.maps(&case.images, then, instructions);
                        assert_eq!(found.len(), expected.len(), "{inputs} {outputs} {size:?}");
                        for (found, expected) in found.iter().zip(&expected) {
                            let error = (f64::from(*found) - expected).abs();
                            assert!(
                                error < 1e-5 + 2e-6 * inputs as f64,
                                "{inputs} {size:?} {then:?}: {found} {expected}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_depend_on_neither_instructions_threads_nor_neighbours() {
        let (size, count) = ((14, 14), 5);
        for (inputs, then) in
            [3, 64].into_iter().flat_map(|it| [(it, Epilogue::Relu), (it, Epilogue::ReluMaxPool)])
        {
            let case = Case::new(inputs, 64, size, count);
            let together = case.maps(&case.images, then, instruction_sets()[0]);
            for instructions in instruction_sets() {
                for threads in [1, 2, 3, 7] {
                    let pool =
                        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                    let again = pool.install(|| case.maps(&case.images, then, instructions));
                    assert!(again == together, "{inputs} {then:?}, {instructions:?}, {threads}");
                }
                let images = case.images.chunks(case.images.len() / count);
                let alone: Vec<f32> =
                    images.flat_map(|image| case.maps(image, then, instructions)).collect();
                assert!(alone == together, "{inputs} {then:?}, {instructions:?}, one at a time");
            }
        }
    }

    #[test]
    fn what_is_no_number_is_not_hidden() {
        for inputs in [3, 16] {
            let mut case = Case::new(inputs, 32, (4, 4), 1);
            case.images[2] = f32::NAN;
            for then in [Epilogue::Relu, Epilogue::ReluMaxPool] {
                for instructions in instruction_sets() {
                    let maps = case.maps(&case.images, then, instructions);
                    assert!(maps[0].is_nan(), "{inputs} {then:?} {instructions:?}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "no images of 4 × 4 × 16")]
    fn images_that_are_not_whole_are_refused() {
        let case = Case::new(16, 32, (4, 4), 1);
        case.maps(&case.images[1..], Epilogue::Relu, instruction_sets()[0]);
    }
}
