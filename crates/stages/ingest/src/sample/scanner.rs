use super::canvas::{Canvas, Frame};
use super::draws::Draws;
use super::patient::Patient;
use super::shape::{Point, point};

/// How a slice was taken and displayed: the same for every class.
#[derive(Debug, Clone)]
pub(super) struct Scanner {
    /// The position of the picture on the patient.
    pub(super) frame: Frame,
    window: Window,
    /// Standard deviation of the noise, in Hounsfield units.
    noise: f32,
    /// Width of the blur of scanner and reconstruction.
    blur_mm: f32,
    /// Height of the streaks, in Hounsfield units.
    streaks: f32,
}

impl Scanner {
    pub(super) fn draw(draws: &mut Draws, patient: &Patient) -> Self {
        let width = draws.uniform(228.0, 341.0) as usize;
        let across_mm = 2.0 * (patient.cage_x_mm + 24.0) * draws.uniform(1.0, 1.05);
        let down_mm = 2.0 * (patient.cage_y_mm + 26.0) * draws.uniform(1.0, 1.09);
        let pixel_mm = across_mm / width as f32;
        let frame = Frame {
            width,
            height: (down_mm / pixel_mm) as usize,
            pixel_mm,
            centre: point(draws.uniform(-4.0, 4.0), draws.uniform(-1.0, 6.0)),
            axis: Point::direction(draws.uniform(-2.0, 2.0)),
        };
        Self {
            frame,
            window: Window {
                level: draws.uniform(-540.0, -40.0),
                width: draws.uniform(900.0, 1700.0),
            },
            noise: draws.uniform(8.0, 42.0),
            blur_mm: draws.uniform(0.5, 0.9),
            streaks: draws.uniform(2.0, 12.0),
        }
    }

    /// The picture that the scanner makes of a slice: one byte per pixel, row by row.
    pub(super) fn expose(&self, canvas: &Canvas, draws: &mut Draws) -> Vec<u8> {
        let Frame { width, height, pixel_mm, .. } = self.frame;
        let mut slice = canvas.hounsfield.clone();
        blur(&mut slice, width, height, self.blur_mm / pixel_mm);
        let noise = self.noise_field(draws);
        let streaks = Streaks::draw(draws);
        let shade = |(pixel, value): (usize, f32)| {
            let at = point((pixel % width) as f32, (pixel / width) as f32);
            let middle = point(width as f32 * 0.5, height as f32 * 0.62);
            let value = value + noise[pixel] + self.streaks * streaks.at(at - middle);
            self.window.grey(value)
        };
        slice.into_iter().enumerate().map(shade).collect()
    }

    /// Filtered back projection produces noise that is correlated over about two pixels and has
    /// little power at low frequencies: a difference of two blurs of white noise.
    fn noise_field(&self, draws: &mut Draws) -> Vec<f32> {
        let Frame { width, height, pixel_mm, .. } = self.frame;
        let white: Vec<f32> = (0..width * height).map(|_| draws.normal()).collect();
        let mut fine = white.clone();
        let mut wide = white;
        blur(&mut fine, width, height, self.blur_mm / pixel_mm);
        blur(&mut wide, width, height, 2.4 * self.blur_mm / pixel_mm);
        for (fine, wide) in fine.iter_mut().zip(wide) {
            *fine -= 0.7 * wide;
        }
        let power = fine.iter().map(|value| value * value).sum::<f32>() / fine.len() as f32;
        let scale = self.noise / power.sqrt().max(f32::MIN_POSITIVE);
        fine.iter().map(|value| value * scale).collect()
    }
}

/// The range of Hounsfield units displayed, from black to white.
#[derive(Debug, Clone, Copy)]
struct Window {
    /// The middle, in Hounsfield units.
    level: f32,
    /// From black to white, in Hounsfield units.
    width: f32,
}

impl Window {
    /// The least value that a scanner stores.
    const LEAST: f32 = -1024.0;

    fn grey(self, hounsfield: f32) -> u8 {
        let share = (hounsfield.max(Self::LEAST) - self.level) / self.width + 0.5;
        (share * 255.0).round().clamp(0.0, 255.0) as u8
    }
}

/// Faint rays from the densest bone, as if too few photons came through.
struct Streaks(Vec<f32>);

impl Streaks {
    fn draw(draws: &mut Draws) -> Self {
        Self((0..180).map(|_| draws.normal()).collect())
    }

    /// The height at an offset, in pixels, from the spine.
    fn at(&self, from_spine: Point) -> f32 {
        let turn = libm::atan2f(from_spine.y, from_spine.x) / std::f32::consts::PI + 1.0;
        let position = turn * 0.5 * self.0.len() as f32;
        let (left, share) = (position.floor(), position - position.floor());
        let value = |offset: usize| self.0[(left as usize + offset) % self.0.len()];
        let ray = value(0) + (value(1) - value(0)) * share;
        ray * (from_spine.length() / 30.0).min(1.0)
    }
}

/// Gaussian blur in place, `deviation` pixels wide; the border is repeated.
fn blur(values: &mut [f32], width: usize, height: usize, deviation: f32) {
    let reach = (deviation * 3.0).ceil() as usize;
    let weight = |offset: usize| {
        let away = offset as f32 / deviation;
        libm::expf(-0.5 * away * away)
    };
    let mut kernel: Vec<f32> = (0..=2 * reach).map(|tap| weight(tap.abs_diff(reach))).collect();
    let total: f32 = kernel.iter().sum();
    kernel.iter_mut().for_each(|weight| *weight /= total);
    let mut line = Vec::with_capacity(width.max(height) + 2 * reach);
    for row in values.chunks_exact_mut(width) {
        convolve(row.iter().copied(), &kernel, &mut line);
        row.copy_from_slice(&line[..width]);
    }
    for column in 0..width {
        convolve((0..height).map(|row| values[row * width + column]), &kernel, &mut line);
        for (row, value) in line[..height].iter().enumerate() {
            values[row * width + column] = *value;
        }
    }
}

/// Convolves one line with an odd kernel and leaves the result at the front of `out`.
fn convolve(line: impl Iterator<Item = f32>, kernel: &[f32], out: &mut Vec<f32>) {
    let reach = kernel.len() / 2;
    out.clear();
    out.resize(reach, 0.0);
    out.extend(line);
    let (Some(&first), Some(&last)) = (out.get(reach), out.last()) else { return };
    out[..reach].fill(first);
    out.resize(out.len() + reach, last);
    for start in 0..out.len() - 2 * reach {
        let window = &out[start..start + kernel.len()];
        out[start] = window.iter().zip(kernel).map(|(value, weight)| value * weight).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_runs_from_black_to_white() {
        let lung = Window { level: -600.0, width: 1500.0 };
        assert_eq!(lung.grey(-1400.0), lung.grey(-1024.0));
        assert_eq!([-600.0, 150.0, 900.0].map(|value| lung.grey(value)), [128, 255, 255]);
        let mediastinum = Window { level: 40.0, width: 400.0 };
        assert_eq!([-160.0, -60.0, 240.0].map(|value| mediastinum.grey(value)), [0, 64, 255]);
    }

    #[test]
    fn blur_spreads_a_point_as_a_gaussian_and_keeps_its_mass() {
        let (width, height) = (15, 11);
        let mut values = vec![0.0; width * height];
        values[5 * width + 7] = 1.0;
        blur(&mut values, width, height, 1.0);
        assert!((values.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let ratio = values[5 * width + 8] / values[5 * width + 7];
        assert!((ratio - (-0.5f32).exp()).abs() < 1e-5, "{ratio}");
        assert!((values[5 * width + 5] - values[3 * width + 7]).abs() < 1e-6);
    }

    #[test]
    fn blur_leaves_an_even_picture_even() {
        let mut values = vec![-870.0; 9 * 4];
        blur(&mut values, 9, 4, 0.8);
        assert!(values.iter().all(|value| (value + 870.0).abs() < 1e-3));
    }
}
