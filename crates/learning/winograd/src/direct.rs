//! Convolutions with so few channels that the transforms cost more than they save: one product over
//! all nine places of a kernel.

use crate::pieces::Shape;
use crate::transform::LANES;

/// The values around a pixel and the one that the bias is multiplied by, padded to whole [`LANES`].
pub(crate) const NEIGHBOURHOOD: usize = 2 * LANES;

/// The most channels whose neighbourhood fits into that.
pub(crate) const MOST_INPUTS: usize = (NEIGHBOURHOOD - 1) / KERNEL;

/// Places of a kernel.
const KERNEL: usize = KERNEL_SIDE * KERNEL_SIDE;
const KERNEL_SIDE: usize = 3;

/// The factors of a neighbourhood's values, for one output.
pub(crate) fn kernel(weight: &[f32], bias: f32) -> [f32; NEIGHBOURHOOD] {
    let mut kernel = [0.0; NEIGHBOURHOOD];
    let inputs = weight.len() / KERNEL;
    for (input, places) in weight.chunks_exact(KERNEL).enumerate() {
        for (place, value) in places.iter().enumerate() {
            kernel[place * inputs + input] = *value;
        }
    }
    kernel[weight.len()] = bias;
    kernel
}

/// Three lines of an image, each with a pixel of padding on both sides.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    /// With extra lanes behind the last line, so that whole lanes can be read from any pixel on.
    values: Vec<f32>,
    width: usize,
    inputs: usize,
}

impl Lines {
    /// Reads the lines around a row.
    pub(crate) fn fill(&mut self, shape: Shape, image: &[f32], row: usize) {
        (self.width, self.inputs) = (shape.width, shape.inputs);
        let length = self.length();
        self.values.clear();
        self.values.resize(KERNEL_SIDE * length + LANES, 0.0);
        for (line, y) in self.values.chunks_exact_mut(length).zip(row..row + KERNEL_SIDE) {
            if let Some(y) = y.checked_sub(1).filter(|y| *y < shape.height) {
                let pixels = shape.width * shape.inputs;
                line[shape.inputs..][..pixels].copy_from_slice(&image[y * pixels..][..pixels]);
            }
        }
    }

    fn length(&self) -> usize {
        (self.width + 2) * self.inputs
    }

    /// Writes the neighbourhood of each pixel of the row: rows of the kernel, places in them,
    /// channels; then 1 for the bias. It goes to `before` in the order that the products read: for
    /// each group of [`LANES`] values, for each of the `pixels` pixels, the lanes. `first` is the
    /// position of the row's first pixel.
    #[inline(always)]
    pub(crate) fn neighbourhoods(&self, before: &mut [f32], (first, pixels): (usize, usize)) {
        let (length, line) = (self.length(), KERNEL_SIDE * self.inputs);
        let (groups, _) = before.as_chunks_mut::<LANES>();
        let (low, high) = groups.split_at_mut(pixels);
        let mut values = [0.0; NEIGHBOURHOOD + LANES];
        for x in 0..self.width {
            // Whole lanes of each line: surplus values are overwritten by the next line.
            for dy in 0..KERNEL_SIDE {
                let lanes: &[f32; LANES] = self.values[dy * length + x * self.inputs..]
                    .first_chunk()
                    .expect("there are lanes behind the last line");
                values[dy * line..][..LANES].copy_from_slice(lanes);
            }
            values[KERNEL_SIDE * line..].fill(0.0);
            values[KERNEL_SIDE * line] = 1.0;
            low[first + x].copy_from_slice(&values[..LANES]);
            high[first + x].copy_from_slice(&values[LANES..NEIGHBOURHOOD]);
        }
    }
}
