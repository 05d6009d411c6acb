use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

use crate::Picture;

/// `pixels` of `picture` at `[width, height]`, by the bilinear filter with antialiasing.
pub(crate) fn resize_to<P: PixelTrait>(
    pixels: &[P],
    picture: &Picture,
    [width, height]: [u32; 2],
) -> Vec<P> {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let source = TypedImageRef::new(picture.width(), picture.height(), pixels)
        .expect("a decoded picture has width × height pixels");
    let mut resized = TypedImage::<P>::new(width, height);
    Resizer::new()
        .resize_typed(&source, &mut resized, &options)
        .expect("the whole picture is resized, so that no crop can lie outside");
    resized.pixels().to_vec()
}
