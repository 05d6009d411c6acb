use imaging::Grey;

use super::component::Component;
use super::opening::open;

/// The thickest ink, as a share of the shorter side: strokes of 1/30 of it still count as thin.
const RADII_PER_SIDE: f64 = 60.0;

/// A picture's brightness and its thin parts, for one colour of ink.
pub(super) struct Inked {
    pub(super) width: usize,
    pub(super) height: usize,
    /// The strength of the ink at each pixel: grey for white ink, 255 − grey for black.
    pub(super) strength: Vec<u8>,
    /// How much stronger each pixel is than it would be without everything thin.
    pub(super) thinness: Vec<u8>,
}

impl Inked {
    pub(super) fn new(grey: &Grey, ink: impl Fn(u8) -> u8) -> Self {
        let (width, height) = (grey.width() as usize, grey.height() as usize);
        let strength: Vec<u8> = grey.levels().iter().map(|level| ink(*level)).collect();
        let radius = (width.min(height) as f64 / RADII_PER_SIDE).round().max(2.0) as usize;
        let opened = open(&strength, width, radius);
        let thinness = strength.iter().zip(&opened).map(|(a, b)| a.saturating_sub(*b)).collect();
        Self { width, height, strength, thinness }
    }

    pub(super) fn shorter_side(&self) -> f64 {
        self.width.min(self.height) as f64
    }

    /// 8-connected pieces of the pixels, numbered row by row, that `is_part` accepts.
    pub(super) fn components(&self, is_part: impl Fn(usize) -> bool) -> Vec<Component> {
        let mask: Vec<bool> = (0..self.strength.len()).map(is_part).collect();
        Component::all(mask, self.width)
    }
}
