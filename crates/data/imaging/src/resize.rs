use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::{PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::Interpolation;

/// Resizes `pixels` from `from` to `to` by the bilinear filter with antialiasing. Sizes are
/// `[width, height]`.
pub(crate) fn resize_to<P: PixelTrait>(pixels: &[P], from: [u32; 2], to: [u32; 2]) -> Vec<P> {
    resize_by(Interpolation::Bilinear, pixels, from, to)
}

/// The same by another filter.
pub(crate) fn resize_by<P: PixelTrait>(
    interpolation: Interpolation,
    pixels: &[P],
    from: [u32; 2],
    to: [u32; 2],
) -> Vec<P> {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(interpolation.filter()));
    let source = TypedImageRef::new(from[0], from[1], pixels)
        .expect("a decoded picture has width × height pixels");
    let mut resized = TypedImage::<P>::new(to[0], to[1]);
    Resizer::new()
        .resize_typed(&source, &mut resized, &options)
        .expect("the whole picture is resized, so that no crop can lie outside");
    resized.pixels().to_vec()
}
