use config::Normalisation;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use crate::Picture;
use crate::picture::Samples;

/// Means of the ImageNet training images' channels (red, green, blue), as torchvision gives them.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// Standard deviations of the ImageNet training images' channels, as torchvision gives them.
pub const IMAGENET_STANDARD_DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// How a picture becomes what the model sees. Training, evaluation and serving use this one; it is
/// saved beside the model and read back from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Height and width the model sees, in pixels. Proportions are not kept, as in Keras'
    /// `flow_from_directory`.
    pub image_size: u32,
    /// How values in [0, 1] become the model's.
    pub normalisation: Normalisation,
}

impl Preprocessing {
    /// The picture as planes: `[3, image_size, image_size]`, red, green and blue, f32 in [0, 1].
    ///
    /// Resized by the bilinear (triangle) filter, widened by the scale where the picture shrinks,
    /// which keeps fine structures from turning into moiré: Pillow's `BILINEAR` and torchvision's
    /// `antialias=True`. Like Pillow, each of the two passes rounds to the picture's own 8 or 16
    /// bits; only then are samples divided by 255 or 65535.
    pub fn resize(&self, picture: &Picture) -> Vec<f32> {
        let size = self.image_size;
        match picture.samples() {
            Samples::Grey8(pixels) => resize(pixels, picture, size, |p| [p.0; 3].map(unit_of_byte)),
            Samples::Rgb8(pixels) => resize(pixels, picture, size, |p| p.0.map(unit_of_byte)),
            Samples::Grey16(pixels) => {
                resize(pixels, picture, size, |p| [p.0; 3].map(unit_of_word))
            }
            Samples::Rgb16(pixels) => resize(pixels, picture, size, |p| p.0.map(unit_of_word)),
        }
    }

    /// Normalises planes of equal length in place: nothing for `unit`; for `imagenet` subtracts
    /// each channel's mean and divides by its standard deviation.
    pub fn normalise(&self, planes: &mut [f32]) {
        match self.normalisation {
            Normalisation::Unit => {}
            Normalisation::Imagenet => {
                let plane_length = (planes.len() / 3).max(1);
                let statistics = IMAGENET_MEAN.iter().zip(&IMAGENET_STANDARD_DEVIATION);
                for (plane, (mean, deviation)) in
                    planes.chunks_exact_mut(plane_length).zip(statistics)
                {
                    plane.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
                }
            }
        }
    }

    /// [`resize`](Self::resize), then [`normalise`](Self::normalise).
    pub fn apply(&self, picture: &Picture) -> Vec<f32> {
        let mut planes = self.resize(picture);
        self.normalise(&mut planes);
        planes
    }
}

/// `pixels` of `picture` at `size` × `size`, as planes of what `rgb` makes of each.
fn resize<P: PixelTrait>(
    pixels: &[P],
    picture: &Picture,
    size: u32,
    rgb: impl Fn(&P) -> [f32; 3],
) -> Vec<f32> {
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let source = TypedImageRef::new(picture.width(), picture.height(), pixels)
        .expect("a decoded picture has width × height pixels");
    let mut resized = TypedImage::<P>::new(size, size);
    Resizer::new()
        .resize_typed(&source, &mut resized, &options)
        .expect("the whole picture is resized, so that no crop can lie outside");

    let resized = resized.pixels();
    let mut planes = vec![0.0; 3 * resized.len()];
    let (red, rest) = planes.split_at_mut(resized.len());
    let (green, blue) = rest.split_at_mut(resized.len());
    for (at, pixel) in resized.iter().enumerate() {
        [red[at], green[at], blue[at]] = rgb(pixel);
    }
    planes
}

fn unit_of_byte(sample: u8) -> f32 {
    f32::from(sample) / f32::from(u8::MAX)
}

fn unit_of_word(sample: u16) -> f32 {
    f32::from(sample) / f32::from(u16::MAX)
}
