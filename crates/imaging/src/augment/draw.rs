use config::{Augmentation, FillMode};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

use super::affine::Affine;
use super::sample;

/// Names one random view of one image.
///
/// It is the only source of randomness: the same view of the same image is the same on every
/// machine, whichever thread draws it and whatever was drawn before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct View {
    /// The run's seed.
    pub seed: u64,
    /// Which view: the epoch, or its number among the views that are used in turn.
    pub number: u64,
    /// SHA-256 of the image's content.
    pub image: [u8; 32],
}

/// What was drawn for one view. Keras' names and units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AffineDraw {
    /// Rotation in degrees.
    pub theta: f64,
    /// Shift along the width in pixels: the picture moves left by it.
    pub tx: f64,
    /// Shift along the height in pixels: the picture moves up by it.
    pub ty: f64,
    /// Shear in degrees.
    pub shear: f64,
    /// Pixels of the image for one pixel of the view, along the width: below 1 magnifies.
    pub zx: f64,
    /// Pixels of the image for one pixel of the view, along the height: below 1 magnifies.
    pub zy: f64,
    /// Whether left and right change places, after everything else.
    pub horizontal_flip: bool,
}

impl View {
    /// A generator of its own: the image's digest, changed by the seed, is the ChaCha key, and the
    /// view's number the stream.
    fn random(&self) -> ChaCha12Rng {
        let mut key = self.image;
        key.iter_mut().zip(self.seed.to_le_bytes()).for_each(|(byte, seed)| *byte ^= seed);
        let mut random = ChaCha12Rng::from_seed(key);
        random.set_stream(self.number);
        random
    }
}

impl AffineDraw {
    /// Nothing changes.
    pub const IDENTITY: Self =
        Self { theta: 0.0, tx: 0.0, ty: 0.0, shear: 0.0, zx: 1.0, zy: 1.0, horizontal_flip: false };

    /// Draws for an image of `size` × `size` pixels.
    ///
    /// All seven values are drawn whether they are switched on or not, so that switching on one
    /// leaves the others as they were.
    pub fn new(augmentation: &Augmentation, size: u32, view: &View) -> Self {
        let mut random = view.random();
        let mut either_way = |most: f64| most * (2.0 * random.random::<f64>() - 1.0);
        let pixels = f64::from(size);
        Self {
            theta: either_way(augmentation.rotation_degrees),
            tx: either_way(augmentation.width_shift) * pixels,
            ty: either_way(augmentation.height_shift) * pixels,
            shear: either_way(augmentation.shear_degrees),
            zx: 1.0 + either_way(augmentation.zoom),
            zy: 1.0 + either_way(augmentation.zoom),
            horizontal_flip: random.random::<f64>() < 0.5 && augmentation.horizontal_flip,
        }
    }

    /// Applies what was drawn to `[3, size, size]` planes: the affine map, then the flip.
    ///
    /// # Panics
    /// When `planes` does not hold `3 × size × size` values.
    pub fn apply(&self, planes: &[f32], size: u32, fill: FillMode, fill_value: f32) -> Vec<f32> {
        let size = size as usize;
        assert_eq!(planes.len(), 3 * size * size, "planes of [3, {size}, {size}]");
        let mut view = if (Self { horizontal_flip: false, ..*self }) == Self::IDENTITY {
            planes.to_vec()
        } else {
            sample::affine(planes, size, &Affine::of(self, size), fill, fill_value)
        };
        if self.horizontal_flip && size > 0 {
            view.chunks_exact_mut(size).for_each(<[f32]>::reverse);
        }
        view
    }
}
