//! Random views of training images, with the meaning of Keras' `ImageDataGenerator`.

mod affine;
mod draw;
mod sample;

use config::Augmentation;

pub use draw::{AffineDraw, View};

/// A random view of an image: rotated, shifted, sheared, zoomed and mirrored as `augmentation`
/// allows. Comes after resizing and before normalising.
///
/// `planes` is `[3, size, size]`, f32 in [0, 1], and so is the result. All changes are drawn from
/// `view` alone. Without any change switched on, the result is `planes`.
///
/// # Panics
/// When `planes` does not hold `3 × size × size` values.
pub fn augment(planes: &[f32], size: u32, augmentation: &Augmentation, view: &View) -> Vec<f32> {
    AffineDraw::new(augmentation, size, view).apply(
        planes,
        size,
        augmentation.fill_mode,
        augmentation.fill_value as f32,
    )
}
