use config::Flip;
use fast_image_resize::PixelTrait;
use serde::{Deserialize, Serialize};

use crate::picture::Samples;
use crate::resize::resize_by;
use crate::{Interpolation, Normalisation, Picture};

/// How a picture becomes the model's input. Training, evaluation and serving share it; it is saved
/// beside the model and read from there.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// Height and width of the model's input, in pixels. Proportions are not kept, as in Keras'
    /// `flow_from_directory`.
    pub image_size: u32,
    /// How values in [0, 1] become the model's input.
    pub normalisation: Normalisation,
    /// The filter that resizes it.
    #[serde(default, skip_serializing_if = "Interpolation::is_bilinear")]
    pub interpolation: Interpolation,
    /// How it is flipped, once it is resized.
    #[serde(default, skip_serializing_if = "Flip::is_none")]
    pub flip: Flip,
}

impl Preprocessing {
    /// Resized by the bilinear filter.
    pub const fn bilinear(image_size: u32, normalisation: Normalisation) -> Self {
        Self { image_size, normalisation, interpolation: Interpolation::Bilinear, flip: Flip::None }
    }

    /// The picture as planes: `[3, image_size, image_size]`, red, green and blue, f32 in [0, 1].
    ///
    /// Like Pillow, each of the two passes of [`Interpolation`] rounds to the picture's own 8 or 16
    /// bits; only then are samples divided by 255 or 65535.
    pub fn resize(&self, picture: &Picture) -> Vec<f32> {
        let size = (self.image_size, self.interpolation);
        let mut planes = match picture.samples() {
            Samples::Grey8(pixels) => resize(pixels, picture, size, |p| [p.0; 3].map(unit_of_byte)),
            Samples::Rgb8(pixels) => resize(pixels, picture, size, |p| p.0.map(unit_of_byte)),
            Samples::Grey16(pixels) => {
                resize(pixels, picture, size, |p| [p.0; 3].map(unit_of_word))
            }
            Samples::Rgb16(pixels) => resize(pixels, picture, size, |p| p.0.map(unit_of_word)),
        };
        self.flip.apply(&mut planes, self.image_size as usize);
        planes
    }

    /// Normalises planes of equal length in place.
    pub fn normalise(&self, planes: &mut [f32]) {
        self.normalisation.apply(planes);
    }

    /// [`resize`](Self::resize), then [`normalise`](Self::normalise).
    pub fn apply(&self, picture: &Picture) -> Vec<f32> {
        let mut planes = self.resize(picture);
        self.normalise(&mut planes);
        planes
    }
}

/// `pixels` of `picture` at `size` × `size` by a filter, as planes of the colours that `rgb` returns for each.
fn resize<P: PixelTrait>(
    pixels: &[P],
    picture: &Picture,
    (size, interpolation): (u32, Interpolation),
    rgb: impl Fn(&P) -> [f32; 3],
) -> Vec<f32> {
    let from = [picture.width(), picture.height()];
    let resized = resize_by(interpolation, pixels, from, [size, size]);
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

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageBuffer, Rgb};

    use super::*;
    use crate::PictureFormat;

    const UNIT: Normalisation = Normalisation::Unit;

    fn picture(pixels: impl Into<DynamicImage>) -> Picture {
        Picture::new(PictureFormat::Png, None, &pixels.into()).unwrap()
    }

    /// `[(37x + 11y), (5x² + 3y), (255 − 9x + 7y²)]`, each modulo 256.
    fn pattern8(width: u32, height: u32) -> Picture {
        picture(ImageBuffer::from_fn(width, height, |x, y| {
            Rgb([
                (x * 37 + y * 11) as u8,
                (x * x * 5 + y * 3) as u8,
                (255 + y * y * 7).wrapping_sub(x * 9) as u8,
            ])
        }))
    }

    fn pattern16(width: u32, height: u32) -> Picture {
        picture(ImageBuffer::from_fn(width, height, |x, y| {
            Rgb([
                (x * 9973 + y * 3001) as u16,
                (x * x * 1777 + y * 911) as u16,
                (65535 + y * y * 5003).wrapping_sub(x * 2003) as u16,
            ])
        }))
    }

    fn resize(picture: &Picture, image_size: u32) -> Vec<f32> {
        Preprocessing::bilinear(image_size, UNIT).resize(picture)
    }

    fn assert_close(values: &[f32], reference: &[f32], tolerance: f32) {
        assert_eq!(values.len(), reference.len());
        for (at, (value, reference)) in values.iter().zip(reference).enumerate() {
            assert!((value - reference).abs() <= tolerance, "{at}: {value} for {reference}");
        }
    }

    // y, x = np.mgrid[0:h, 0:w]
    // im = np.stack([(x*37+y*11)%256, (x*x*5+y*3)%256, (255-x*9+y*y*7)%256], -1).astype(np.uint8)
    // np.asarray(Image.fromarray(im).resize((s, s), Image.BILINEAR)).transpose(2, 0, 1).reshape(-1)
    // with Pillow 13.0. Pillow goes along rows first, this along columns first: rounding between
    // the two differs by one level at most.
    const PILLOW_7X5_TO_3: [u8; 27] = [
        37, 116, 195, 54, 133, 212, 71, 150, 177, 7, 51, 136, 12, 56, 141, 17, 61, 146, 211, 231,
        212, 59, 102, 183, 82, 63, 44,
    ];
    const PILLOW_3X2_TO_5: [u8; 75] = [
        0, 15, 37, 59, 74, 1, 16, 38, 60, 75, 6, 21, 43, 65, 80, 10, 25, 47, 69, 84, 11, 26, 48,
        70, 85, 0, 2, 5, 14, 20, 0, 2, 5, 14, 20, 2, 4, 7, 16, 22, 3, 5, 8, 17, 23, 3, 5, 8, 17,
        23, 255, 251, 246, 241, 237, 230, 236, 247, 242, 238, 131, 178, 250, 245, 241, 31, 120,
        252, 247, 243, 6, 105, 253, 248, 244,
    ];
    const PILLOW_13X4_TO_4: [u8; 48] = [
        53, 147, 80, 135, 64, 158, 91, 146, 75, 169, 102, 157, 86, 180, 113, 168, 17, 105, 161,
        164, 20, 108, 164, 167, 23, 111, 167, 170, 26, 114, 170, 173, 242, 215, 187, 160, 191, 222,
        194, 167, 24, 176, 215, 188, 49, 38, 195, 223,
    ];

    #[test]
    fn eight_bits_are_resized_as_pillow_does() {
        for (width, height, size, reference) in [
            (7, 5, 3, PILLOW_7X5_TO_3.as_slice()),
            (3, 2, 5, &PILLOW_3X2_TO_5),
            (13, 4, 4, &PILLOW_13X4_TO_4),
        ] {
            let reference: Vec<f32> =
                reference.iter().map(|sample| f32::from(*sample) / 255.0).collect();
            let values = resize(&pattern8(width, height), size);
            assert_close(&values, &reference, 1.001 / 255.0);
            let equal = values.iter().zip(&reference).filter(|(a, b)| a == b).count();
            assert!(equal * 10 >= reference.len() * 8, "only {equal} of {} equal", values.len());
        }
    }

    // y, x = np.mgrid[0:h, 0:w]
    // im = np.stack([(x*9973+y*3001)%65536, (x*x*1777+y*911)%65536, (65535-x*2003+y*y*5003)%65536])
    // torchvision.transforms.v2.functional.resize(torch.tensor(im / 65535), [s, s], antialias=True)
    // with torchvision 0.26.
    const TORCHVISION_7X5_TO_3: [f32; 27] = [
        0.150064, 0.47616, 0.802256, 0.222023, 0.548119, 0.596434, 0.293982, 0.620079, 0.589027,
        0.04082, 0.275515, 0.73807, 0.062664, 0.29736, 0.482133, 0.084509, 0.319204, 0.424611,
        0.577942, 0.814974, 0.875532, 0.31308, 0.404451, 0.404318, 0.394781, 0.329288, 0.263794,
    ];
    const TORCHVISION_3X2_TO_5: [f32; 75] = [
        0.0, 0.060871, 0.152178, 0.243485, 0.304356, 0.004579, 0.065451, 0.156757, 0.248064,
        0.308936, 0.022896, 0.083767, 0.175074, 0.266381, 0.327253, 0.041213, 0.102084, 0.193391,
        0.284698, 0.34557, 0.045792, 0.106664, 0.197971, 0.289277, 0.350149, 0.0, 0.010846,
        0.027115, 0.075923, 0.108461, 0.00139, 0.012236, 0.028505, 0.077313, 0.109851, 0.00695,
        0.017797, 0.034066, 0.082873, 0.115412, 0.012511, 0.023357, 0.039626, 0.088434, 0.120972,
        0.013901, 0.024747, 0.041016, 0.089824, 0.122362, 1.0, 0.987774, 0.969436, 0.951098,
        0.938872, 0.907633, 0.895407, 0.877069, 0.85873, 0.846505, 0.538163, 0.525937, 0.507599,
        0.489261, 0.477035, 0.168693, 0.156468, 0.138129, 0.119791, 0.107565, 0.076326, 0.0641,
        0.045762, 0.027424, 0.015198,
    ];

    #[test]
    fn sixteen_bits_are_resized_as_torchvision_does_with_antialias() {
        let two_levels = 2.0 / 65535.0;
        assert_close(&resize(&pattern16(7, 5), 3), &TORCHVISION_7X5_TO_3, two_levels);
        assert_close(&resize(&pattern16(3, 2), 5), &TORCHVISION_3X2_TO_5, two_levels);
    }

    #[test]
    fn a_picture_of_the_right_size_is_not_touched() {
        let values = resize(&pattern8(4, 4), 4);
        let (x, y) = (3, 2);
        assert_eq!(values[y * 4 + x], 133.0 / 255.0);
        assert_eq!(values[16 + y * 4 + x], 51.0 / 255.0);
        assert_eq!(values[32 + y * 4 + x], 0.0);
    }

    #[test]
    fn settings_of_a_model_refuse_unknown_keys() {
        let saved = r#"{"image_size":64,"normalisation":"imagenet"}"#;
        let preprocessing: Preprocessing = serde_json::from_str(saved).unwrap();
        assert_eq!(serde_json::to_string(&preprocessing).unwrap(), saved);
        let flipped = saved.replace('}', r#","flip":"horizontal"}"#);
        let read: Preprocessing = serde_json::from_str(&flipped).unwrap();
        assert_eq!(read, Preprocessing { flip: Flip::Horizontal, ..preprocessing });
        let newer = saved.replace('}', r#","crop":1}"#);
        assert!(serde_json::from_str::<Preprocessing>(&newer).is_err());
    }
}
