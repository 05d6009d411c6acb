//! The coarse appearance of pictures: the low frequencies of their thumbnails.

use std::f32::consts::PI;

use crate::plane::{InterpolationWeights, Plane};
use crate::signature::THUMBNAIL_SIDE;
use crate::{Frame, Symmetry};

/// Numbers in a descriptor.
pub(crate) const COEFFICIENTS: usize = 120;

/// Side of the transformed picture in pixels.
const SIDE: usize = 32;

/// Frequencies along one axis, from 0; of both axes together those within a quarter circle.
const FREQUENCIES: usize = 12;

/// What half of the crops of up to 5 % cut off a side, on average, and what the other half cuts
/// off.
const MARGINS: [f32; 2] = [0.0125, 0.0375];

/// A picture's low frequencies, of length 1.
pub(crate) type Descriptor = [f32; COEFFICIENTS];

/// Computes descriptors.
///
/// The discrete cosine transform of a picture at 32 × 32 pixels, without its mean, as in perceptual
/// hashes (Zauner 2010). Pixels count less towards the border, by the root of a sine, since a crop
/// changes what is there.
pub(crate) struct Describer {
    axes: Vec<Axis>,
    /// Horizontal and vertical frequency of each coefficient.
    frequencies: Vec<[usize; 2]>,
    /// The place of each coefficient's mirror image at the diagonal.
    transposed: Vec<usize>,
    framings: Vec<Framing>,
}

/// A part of a picture, and its two axes.
struct Framing {
    frame: Frame,
    across: usize,
    down: usize,
}

/// From pixels along one axis of a thumbnail to frequencies.
struct Axis {
    /// One for each frequency; the last is the weighted mean.
    rows: Vec<[f32; THUMBNAIL_SIDE]>,
    /// The response of each frequency to a picture of ones.
    of_ones: Vec<f32>,
}

impl Axis {
    fn new(start: f32, end: f32) -> Self {
        let place = |at: usize| PI * (at as f32 + 0.5) / SIDE as f32;
        let weight = |at: usize| place(at).sin().sqrt();
        let taps: Vec<InterpolationWeights> = (0..SIDE)
            .map(|at| InterpolationWeights::triangle(THUMBNAIL_SIDE, [start, end], SIDE, at))
            .collect();
        let row = |value: &dyn Fn(usize) -> f32| {
            let mut row = [0.0; THUMBNAIL_SIDE];
            for (at, taps) in taps.iter().enumerate() {
                taps.iter().for_each(|(pixel, share)| row[pixel] += share * value(at));
            }
            row
        };
        let total: f32 = (0..SIDE).map(weight).sum();
        let wave = |frequency: usize, at: usize| {
            let scale = if frequency == 0 { 1.0 } else { 2.0_f32 } / SIDE as f32;
            scale.sqrt() * (frequency as f32 * place(at)).cos() * weight(at)
        };
        let frequencies = 0..FREQUENCIES;
        let mut rows: Vec<_> =
            frequencies.clone().map(|frequency| row(&|at| wave(frequency, at))).collect();
        rows.push(row(&|at| weight(at) / total));
        let of_ones = frequencies.map(|f| (0..SIDE).map(|at| wave(f, at)).sum()).collect();
        Self { rows, of_ones }
    }
}

impl Describer {
    pub(crate) fn new() -> Self {
        let frequencies: Vec<[usize; 2]> = (0..FREQUENCIES * FREQUENCIES)
            .map(|cell| [cell % FREQUENCIES, cell / FREQUENCIES])
            .filter(|[u, v]| (1..FREQUENCIES * FREQUENCIES).contains(&(u * u + v * v)))
            .collect();
        let place = |wanted: [usize; 2]| {
            frequencies
                .iter()
                .position(|frequency| *frequency == wanted)
                .expect("the frequencies are symmetric")
        };
        let transposed = frequencies.iter().map(|[u, v]| place([*v, *u])).collect();

        let cuts: Vec<[f32; 2]> =
            MARGINS.iter().flat_map(|start| MARGINS.map(|end| [*start, 1.0 - end])).collect();
        let mut axes = vec![Axis::new(0.0, 1.0)];
        axes.extend(cuts.iter().map(|[start, end]| Axis::new(*start, *end)));
        let mut framings = vec![Framing { frame: Frame::WHOLE, across: 0, down: 0 }];
        for (down, [top, bottom]) in cuts.iter().copied().enumerate() {
            for (across, [left, right]) in cuts.iter().copied().enumerate() {
                let frame = Frame { left, top, right, bottom };
                framings.push(Framing { frame, across: across + 1, down: down + 1 });
            }
        }
        Self { axes, frequencies, transposed, framings }
    }

    /// How many parts of a picture are described: all of it, and sixteen crops that lie so densely
    /// that each crop of up to 5 % a side is near one of them.
    pub(crate) fn framings(&self) -> usize {
        self.framings.len()
    }

    /// A part of a picture that is described.
    pub(crate) fn frame(&self, framing: usize) -> Frame {
        self.framings[framing].frame
    }

    /// Describes all of a picture.
    pub(crate) fn whole(&self, plane: &Plane) -> Descriptor {
        self.describe(&self.transform_across(plane, 0), &self.framings[0])
    }

    /// Describes all of a picture and its crops, in the order of framings.
    pub(crate) fn framed(&self, plane: &Plane) -> Vec<Descriptor> {
        let across: Vec<_> =
            (0..self.axes.len()).map(|axis| self.transform_across(plane, axis)).collect();
        self.framings
            .iter()
            .map(|framing| self.describe(&across[framing.across], framing))
            .collect()
    }

    /// Each row of pixels times each row of an axis: one list for each frequency, as long as the
    /// picture is high.
    fn transform_across(&self, plane: &Plane, axis: usize) -> Vec<[f32; THUMBNAIL_SIDE]> {
        let rows = &self.axes[axis].rows;
        let mut transformed = vec![[0.0; THUMBNAIL_SIDE]; rows.len()];
        for (y, pixels) in plane.values().chunks_exact(THUMBNAIL_SIDE).enumerate() {
            for (out, row) in transformed.iter_mut().zip(rows) {
                out[y] = dot(pixels, row);
            }
        }
        transformed
    }

    fn describe(&self, across: &[[f32; THUMBNAIL_SIDE]], framing: &Framing) -> Descriptor {
        let (x, y) = (&self.axes[framing.across], &self.axes[framing.down]);
        let mean = dot(&across[FREQUENCIES], &y.rows[FREQUENCIES]);
        let mut descriptor = [0.0; COEFFICIENTS];
        for (coefficient, [u, v]) in descriptor.iter_mut().zip(&self.frequencies) {
            *coefficient = dot(&across[*u], &y.rows[*v]) - mean * x.of_ones[*u] * y.of_ones[*v];
        }
        let length = dot(&descriptor, &descriptor).sqrt();
        if length > f32::EPSILON {
            descriptor.iter_mut().for_each(|coefficient| *coefficient /= length);
        }
        descriptor
    }

    /// The descriptor of the turned picture. The waves are even or odd about the middle, so that
    /// mirroring only changes signs.
    pub(crate) fn turned(&self, descriptor: &Descriptor, symmetry: Symmetry) -> Descriptor {
        let [sign_x, sign_y] = symmetry.signs().map(f32::from);
        let mut turned = [0.0; COEFFICIENTS];
        for (place, (out, [u, v])) in turned.iter_mut().zip(&self.frequencies).enumerate() {
            let from = if symmetry.swaps_sides() { self.transposed[place] } else { place };
            let sign_u = if u % 2 == 1 { sign_x } else { 1.0 };
            let sign_v = if v % 2 == 1 { sign_y } else { 1.0 };
            *out = sign_u * sign_v * descriptor[from];
        }
        turned
    }

    /// The distribution of a descriptor's power in pictures of any kind: it falls with the square
    /// of the frequency (Field 1987). Adds up to 1.
    pub(crate) fn natural_power(&self) -> Descriptor {
        let mut power = [0.0; COEFFICIENTS];
        for (power, [u, v]) in power.iter_mut().zip(&self.frequencies) {
            *power = 1.0 / (u * u + v * v) as f32;
        }
        let total: f32 = power.iter().sum();
        power.map(|share| share / total)
    }
}

/// The sum of products, in eight lanes that are added at the end: the order is fixed, however the
/// compiler translates it.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += a * b;
        }
    }
    lanes.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texture(seed: f32) -> Plane {
        let value = |cell: usize| {
            let (x, y) = ((cell % THUMBNAIL_SIDE) as f32, (cell / THUMBNAIL_SIDE) as f32);
            (x * 0.11 + seed).sin() + (y * 0.07 - seed).cos() * (x * 0.031).sin() + x * y * 1e-4
        };
        Plane::new(THUMBNAIL_SIDE, (0..THUMBNAIL_SIDE * THUMBNAIL_SIDE).map(value).collect())
    }

    fn assert_close(a: &Descriptor, b: &Descriptor, tolerance: f32) {
        for (a, b) in a.iter().zip(b) {
            assert!((a - b).abs() < tolerance, "{a} for {b}");
        }
    }

    #[test]
    fn a_cosine_wave_is_one_coefficient_but_for_the_border() {
        let describer = Describer::new();
        let wave = |cell: usize| {
            let x = (cell % THUMBNAIL_SIDE) as f32 + 0.5;
            5.0 + (6.0 * PI * x / THUMBNAIL_SIDE as f32).cos()
        };
        let cells = 0..THUMBNAIL_SIDE * THUMBNAIL_SIDE;
        let descriptor = describer.whole(&Plane::new(THUMBNAIL_SIDE, cells.map(wave).collect()));
        let largest = (0..COEFFICIENTS).max_by(|a, b| descriptor[*a].total_cmp(&descriptor[*b]));
        assert_eq!(describer.frequencies[largest.unwrap()], [6, 0]);
        assert!(descriptor[largest.unwrap()] > 0.9);
    }

    #[test]
    fn turning_a_descriptor_is_describing_the_turned_picture() {
        let describer = Describer::new();
        let plane = texture(0.4);
        let descriptor = describer.whole(&plane);
        for symmetry in Symmetry::ALL {
            let turned = describer.whole(&plane.turned(symmetry));
            assert_close(&describer.turned(&descriptor, symmetry), &turned, 1e-4);
        }
    }

    #[test]
    fn brightness_and_contrast_leave_a_descriptor_as_it_is() {
        let describer = Describer::new();
        let plane = texture(1.3);
        let brighter = plane.values().iter().map(|value| 0.7 * value + 20.0).collect();
        let brighter = describer.whole(&Plane::new(THUMBNAIL_SIDE, brighter));
        assert_close(&brighter, &describer.whole(&plane), 1e-4);
    }

    #[test]
    fn each_framing_describes_what_its_frame_shows() {
        let describer = Describer::new();
        let plane = texture(0.9);
        let framed = describer.framed(&plane);
        assert_eq!(framed.len(), 17);
        assert_eq!(framed[0], describer.whole(&plane));
        for (framing, descriptor) in framed.iter().enumerate() {
            let shown = describer.whole(&plane.framed(describer.frame(framing)));
            assert!(dot(&shown, descriptor) > 0.999, "{framing}");
        }
    }
}
