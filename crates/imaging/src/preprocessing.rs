use config::Normalisation;
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use serde::{Deserialize, Serialize};

use crate::Picture;

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
        let resized = resize_samples(picture, self.image_size);
        match picture.layout() {
            PixelType::U8 => planes_of_bytes::<1>(&resized, [0, 0, 0]),
            PixelType::U8x2 => planes_of_bytes::<2>(&resized, [0, 0, 0]),
            PixelType::U8x3 => planes_of_bytes::<3>(&resized, [0, 1, 2]),
            PixelType::U8x4 => planes_of_bytes::<4>(&resized, [0, 1, 2]),
            PixelType::U16 => planes_of_words::<2>(&resized, [0, 0, 0]),
            PixelType::U16x2 => planes_of_words::<4>(&resized, [0, 0, 0]),
            PixelType::U16x3 => planes_of_words::<6>(&resized, [0, 1, 2]),
            _ => planes_of_words::<8>(&resized, [0, 1, 2]),
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

fn resize_samples(picture: &Picture, size: u32) -> Vec<u8> {
    // Alpha is a channel like any other here, and dropped later: colours are not weighted by it.
    let options = ResizeOptions::new()
        .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
        .use_alpha(false);
    let layout = picture.layout();
    let source = ImageRef::new(picture.width(), picture.height(), picture.sample_bytes(), layout)
        .expect("a picture's samples fill its width and height in the layout they came with");
    let mut resized = Image::new(size, size, layout);
    Resizer::new()
        .resize(&source, &mut resized, &options)
        .expect("source and target have the same layout");
    resized.into_vec()
}

/// Interleaved 8-bit samples, `CHANNELS` a pixel, to the planes of three of them.
fn planes_of_bytes<const CHANNELS: usize>(samples: &[u8], colours: [usize; 3]) -> Vec<f32> {
    let (pixels, _) = samples.as_chunks::<CHANNELS>();
    let planes = colours.iter().flat_map(|&colour| pixels.iter().map(move |pixel| pixel[colour]));
    planes.map(|sample| f32::from(sample) / 255.0).collect()
}

/// Interleaved 16-bit samples, `BYTES` a pixel, to the planes of three of them.
fn planes_of_words<const BYTES: usize>(samples: &[u8], colours: [usize; 3]) -> Vec<f32> {
    let (pixels, _) = samples.as_chunks::<BYTES>();
    let word = |pixel: &[u8; BYTES], colour: usize| {
        u16::from_ne_bytes([pixel[2 * colour], pixel[2 * colour + 1]])
    };
    let planes =
        colours.iter().flat_map(|&colour| pixels.iter().map(move |pixel| word(pixel, colour)));
    planes.map(|sample| f32::from(sample) / 65535.0).collect()
}
