//! Pen strokes: long thin lines of constant ink with hard edges.

use super::component::Component;
use super::inked::Inked;
use super::region::Region;

/// Ink is at least this strong: nearly white, or nearly black.
const INK: u8 = 240;

/// A thin part is this much stronger than the picture without it.
const THIN: u8 = 60;

/// A stroke is at least this long, as a share of the picture's shorter side.
const SHORTEST: f64 = 0.1;

/// A stroke has at least this many pixels for each pixel of its length.
const SPARSEST: f64 = 0.6;

/// A stroke is this much stronger than the ground two pixels away.
const CONTRAST: f64 = 80.0;

/// A pixel this close to the border belongs to a frame.
const FRAME: usize = 3;

/// A line counts as drawn by how even its ink is (standard deviation, in levels) and by how much of
/// its contrast is reached one pixel away. Anatomy is blurred by the scanner: of 700 slices, thin
/// bright parts reach 0.3 to 0.8. The second pair allows for JPEG.
const DRAWN: [(f64, f64); 2] = [(1.0, 0.8), (5.0, 0.9)];

/// The strokes of one colour of ink.
pub(super) fn find(inked: &Inked) -> Vec<Region> {
    let is_thin_ink = |at: usize| inked.strength[at] >= INK && inked.thinness[at] >= THIN;
    inked
        .components(is_thin_ink)
        .iter()
        .filter(|line| is_long(inked, line) && !is_frame(inked, line) && is_drawn(inked, line))
        .map(Component::region)
        .collect()
}

fn is_long(inked: &Inked, line: &Component) -> bool {
    let length = line.diagonal();
    length >= SHORTEST * inked.shorter_side() && line.pixels.len() as f64 >= SPARSEST * length
}

/// Whether most of a line runs along the border.
fn is_frame(inked: &Inked, line: &Component) -> bool {
    let at_border = |pixel: &&usize| {
        let (x, y) = (*pixel % inked.width, *pixel / inked.width);
        let from_border = x.min(y).min(inked.width - 1 - x).min(inked.height - 1 - y);
        from_border < FRAME
    };
    2 * line.pixels.iter().filter(at_border).count() > line.pixels.len()
}

fn is_drawn(inked: &Inked, line: &Component) -> bool {
    let ink = line.pixels.iter().map(|pixel| f64::from(inked.strength[*pixel]));
    let (mean, deviation) = mean_and_deviation(ink);
    let Some([beside, beyond]) = rings(inked, line) else { return false };
    let contrast = mean - beyond;
    contrast >= CONTRAST
        && DRAWN.iter().any(|(evenness, hardness)| {
            deviation <= *evenness && mean - beside >= hardness * contrast
        })
}

/// The mean strength outside the ink, one and two pixels beside a line. `None` if there is none.
fn rings(inked: &Inked, line: &Component) -> Option<[f64; 2]> {
    const REACH: usize = 2;
    let (left, top) = (line.left.saturating_sub(REACH), line.top.saturating_sub(REACH));
    let right = (line.right + REACH).min(inked.width);
    let bottom = (line.bottom + REACH).min(inked.height);
    let width = right - left;
    let mut distances = vec![u8::MAX; width * (bottom - top)];
    for pixel in &line.pixels {
        let (x, y) = (pixel % inked.width, pixel / inked.width);
        distances[(y - top) * width + x - left] = 0;
    }
    let mut current: Vec<usize> = (0..distances.len()).filter(|at| distances[*at] == 0).collect();
    let mut means = [0.0; REACH];
    for (mean, distance) in means.iter_mut().zip(1..) {
        current = grow(&mut distances, width, &current, distance);
        let ground = current.iter().filter_map(|at| {
            let strength = inked.strength[(at / width + top) * inked.width + at % width + left];
            (strength < INK).then_some(f64::from(strength))
        });
        let (sum, count) = ground.fold((0.0, 0.0), |(sum, count), it| (sum + it, count + 1.0));
        if count == 0.0 {
            return None;
        }
        *mean = sum / count;
    }
    Some(means)
}

/// Gives the free neighbours of `current` a distance, and returns them.
fn grow(distances: &mut [u8], width: usize, current: &[usize], distance: u8) -> Vec<usize> {
    let height = distances.len() / width;
    let mut grown = Vec::new();
    for at in current {
        let (x, y) = (at % width, at / width);
        for row in y.saturating_sub(1)..=(y + 1).min(height - 1) {
            for column in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                let neighbour = row * width + column;
                if distances[neighbour] == u8::MAX {
                    distances[neighbour] = distance;
                    grown.push(neighbour);
                }
            }
        }
    }
    grown
}

fn mean_and_deviation(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count().max(1) as f64;
    let mean = values.clone().sum::<f64>() / count;
    let variance = values.map(|value| (value - mean).powi(2)).sum::<f64>() / count;
    (mean, variance.sqrt())
}
