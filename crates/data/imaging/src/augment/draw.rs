use config::Augmentation;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha12Rng;

/// Identifies one random view of one image.
///
/// It is the only source of randomness: a view of an image is the same on every machine, whatever
/// thread draws it and whatever was drawn before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct View {
    /// The run's seed.
    pub seed: u64,
    /// The view's number: the epoch, or its number among the views that are used in turn.
    pub number: u64,
    /// SHA-256 of the image's content.
    pub image: [u8; 32],
}

/// The values drawn for one view, with Keras' names and units.
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
    /// Whether left and right are exchanged, after everything else.
    pub horizontal_flip: bool,
}

impl View {
    /// Its own generator: the image's digest, changed by the seed, is the ChaCha key, and the
    /// view's number is the stream.
    fn random(&self) -> ChaCha12Rng {
        let mut key = self.image;
        key.iter_mut().zip(self.seed.to_le_bytes()).for_each(|(byte, seed)| *byte ^= seed);
        let mut random = ChaCha12Rng::from_seed(key);
        random.set_stream(self.number);
        random
    }
}

impl AffineDraw {
    /// No change.
    pub const IDENTITY: Self =
        Self { theta: 0.0, tx: 0.0, ty: 0.0, shear: 0.0, zx: 1.0, zy: 1.0, horizontal_flip: false };

    /// Draws for an image of `size` × `size` pixels.
    ///
    /// All seven values are drawn whether they are switched on or not, so that switching one on
    /// does not change the others.
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
}

#[cfg(test)]
mod tests {
    use config::FillMode;

    use super::*;

    const SIDE: u32 = 5;

    /// `((7c + 13y + 29x + 3xy) % 32) / 32`
    fn pattern() -> Vec<f32> {
        let mut planes = Vec::new();
        for (c, y, x) in (0..3).flat_map(|c| (0..25).map(move |at| (c, at / 5, at % 5))) {
            planes.push(((c * 7 + y * 13 + x * 29 + x * y * 3) % 32) as f32 / 32.0);
        }
        planes
    }

    fn draw([theta, tx, ty, shear, zx, zy]: [f64; 6]) -> AffineDraw {
        AffineDraw { theta, tx, ty, shear, zx, zy, horizontal_flip: false }
    }

    /// Parameters, fill mode, the plane of green, and the sum over all three planes.
    type Case = ([f64; 6], FillMode, [f32; 25], f32);

    // y, x, c as in `pattern`; `matrix` by the lines of Keras' `apply_affine_transform`, then
    // np.stack([scipy.ndimage.affine_transform(plane, matrix[:2, :2], matrix[:2, 2], order=1,
    //           mode=mode, cval=0.5) for plane in planes]), with SciPy 1.17.
    const SCIPY: [Case; 7] = [
        (
            [30.0, 0.0, 0.0, 0.0, 1.0, 1.0],
            FillMode::Nearest,
            [
                0.09988, 0.15266, 0.85377, 0.67868, 0.56639, 0.21083, 0.42023, 0.57685, 0.44864,
                0.37694, 0.625, 0.38128, 0.21875, 0.2044, 0.13726, 0.1108, 0.26114, 0.64548,
                0.51294, 0.65774, 0.32865, 0.52872, 0.25897, 0.36857, 0.61214,
            ],
            36.3034,
        ),
        (
            [0.0, 1.25, -0.5, 0.0, 1.0, 1.0],
            FillMode::Constant,
            [
                0.5, 0.5, 0.5, 0.5, 0.5, 0.36328, 0.44141, 0.76953, 0.5, 0.5, 0.38672, 0.43359,
                0.48047, 0.5, 0.5, 0.41016, 0.42578, 0.19141, 0.5, 0.5, 0.43359, 0.54297, 0.40234,
                0.5, 0.5,
            ],
            36.8438,
        ),
        (
            [0.0, 0.01, 0.02, 20.0, 1.0, 1.0],
            FillMode::Reflect,
            [
                0.21996, 0.13939, 0.65527, 0.83764, 0.81299, 0.57997, 0.5875, 0.59503, 0.60255,
                0.60743, 0.04033, 0.13596, 0.23138, 0.30721, 0.40187, 0.42113, 0.54385, 0.72757,
                0.27023, 0.13532, 0.80288, 0.59831, 0.26391, 0.50293, 0.70693,
            ],
            36.5573,
        ),
        (
            [0.0, 0.0, 0.0, 0.0, 0.7, 1.6],
            FillMode::Nearest,
            [
                0.1625, 0.09687, 0.03125, 0.66562, 0.9, 0.3475, 0.30812, 0.26875, 0.64938, 0.79,
                0.0875, 0.15313, 0.21875, 0.28438, 0.35, 0.4675, 0.39812, 0.56875, 0.45937, 0.51,
                0.4125, 0.20937, 0.40625, 0.60312, 0.8,
            ],
            34.9062,
        ),
        (
            [-75.0, 0.6, -0.9, -15.0, 1.3, 2.2],
            FillMode::Nearest,
            [
                0.72143, 0.2113, 0.51367, 0.21875, 0.21875, 0.72143, 0.2113, 0.51367, 0.21875,
                0.21875, 0.44809, 0.33977, 0.53627, 0.06665, 0.0351, 0.48949, 0.19422, 0.57495,
                0.8604, 0.84375, 0.73353, 0.3093, 0.58398, 0.84375, 0.84375,
            ],
            34.029,
        ),
        (
            [-75.0, 0.6, -0.9, -15.0, 1.3, 2.2],
            FillMode::Constant,
            [
                0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.44809, 0.33977, 0.53627, 0.5,
                0.5, 0.48949, 0.19422, 0.57495, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5,
            ],
            37.7288,
        ),
        (
            [-75.0, 0.6, -0.9, -15.0, 1.3, 2.2],
            FillMode::Reflect,
            [
                0.49074, 0.34319, 0.55083, 0.0521, 0.25899, 0.45971, 0.2452, 0.51367, 0.21875,
                0.35033, 0.44809, 0.33977, 0.53627, 0.06665, 0.22617, 0.48949, 0.19422, 0.57495,
                0.8604, 0.7729, 0.73023, 0.26201, 0.57192, 0.91718, 0.61639,
            ],
            36.3303,
        ),
    ];

    #[test]
    fn every_change_is_the_one_of_keras_on_scipy() {
        for (parameters, fill, green, sum) in SCIPY {
            let view = draw(parameters).apply(&pattern(), SIDE, fill, 0.5);
            for (at, (value, reference)) in view[25..50].iter().zip(green).enumerate() {
                assert!(
                    (value - reference).abs() < 1.1e-5,
                    "{parameters:?} {fill:?}, pixel {at}: {value} for {reference}"
                );
            }
            assert!((view.iter().sum::<f32>() - sum).abs() < 2e-4, "{parameters:?} {fill:?}");
        }
    }

    #[test]
    fn shifts_go_along_the_axis_they_are_named_after() {
        let mut planes = vec![0.0; 27];
        planes[4] = 1.0;
        let moved = |tx, ty| {
            let view =
                draw([0.0, tx, ty, 0.0, 1.0, 1.0]).apply(&planes, 3, FillMode::Constant, 0.0);
            view.iter().position(|value| *value == 1.0)
        };
        assert_eq!(moved(1.0, 0.0), Some(3), "left");
        assert_eq!(moved(0.0, 1.0), Some(1), "up");
    }

    #[test]
    fn the_flip_comes_last_and_mirrors_each_row() {
        let parameters = [30.0, 0.5, 0.0, 5.0, 1.1, 0.9];
        let plain = draw(parameters).apply(&pattern(), SIDE, FillMode::Reflect, 0.0);
        let flipped = AffineDraw { horizontal_flip: true, ..draw(parameters) };
        let flipped = flipped.apply(&pattern(), SIDE, FillMode::Reflect, 0.0);
        for (row, mirrored) in plain.chunks(5).zip(flipped.chunks(5)) {
            assert!(row.iter().eq(mirrored.iter().rev()));
        }
    }

    #[test]
    fn a_single_pixel_stays_itself() {
        for fill in [FillMode::Nearest, FillMode::Reflect] {
            let view = draw([70.0, 3.0, -9.0, 8.0, 2.0, 0.1]).apply(&[0.1, 0.2, 0.3], 1, fill, 0.0);
            for (value, reference) in view.iter().zip([0.1, 0.2, 0.3]) {
                assert!((value - reference).abs() < 1e-6);
            }
        }
    }

    fn everything() -> Augmentation {
        Augmentation {
            rotation_degrees: 20.0,
            width_shift: 0.1,
            height_shift: 0.2,
            shear_degrees: 10.0,
            zoom: 0.3,
            horizontal_flip: true,
            fill_mode: FillMode::Nearest,
            fill_value: 0.0,
            views: 0,
        }
    }

    const VIEW: View = View { seed: 17, number: 3, image: [7; 32] };

    #[test]
    fn a_view_is_the_same_on_every_machine() {
        let draw = AffineDraw::new(&everything(), 100, &VIEW);
        assert_eq!(draw, AffineDraw::new(&everything(), 100, &VIEW));
        assert_eq!(
            format!("{draw:.6?}"),
            "AffineDraw { theta: -0.784318, tx: 4.935257, ty: 16.948704, shear: -7.271661, \
             zx: 1.189891, zy: 1.021617, horizontal_flip: false }"
        );
    }

    #[test]
    fn seed_number_and_image_each_change_the_view() {
        let drawn = |view| AffineDraw::new(&everything(), 100, &view);
        let original = drawn(VIEW);
        assert_ne!(original, drawn(View { seed: 18, ..VIEW }));
        assert_ne!(original, drawn(View { number: 4, ..VIEW }));
        assert_ne!(original, drawn(View { image: [8; 32], ..VIEW }));
    }

    #[test]
    fn switching_one_change_on_leaves_the_others_as_they_were() {
        let only_zoom = Augmentation {
            rotation_degrees: 0.0,
            width_shift: 0.0,
            horizontal_flip: false,
            ..everything()
        };
        let (all, some) =
            (AffineDraw::new(&everything(), 64, &VIEW), AffineDraw::new(&only_zoom, 64, &VIEW));
        assert_eq!((some.zx, some.zy, some.shear, some.ty), (all.zx, all.zy, all.shear, all.ty));
        assert_eq!((some.theta, some.tx), (0.0, 0.0));
    }

    #[test]
    fn draws_fill_their_ranges_and_flip_half() {
        let draws: Vec<AffineDraw> = (0..2000)
            .map(|number| AffineDraw::new(&everything(), 100, &View { number, ..VIEW }))
            .collect();
        type Value = fn(&AffineDraw) -> f64;
        let ranges: [(&str, Value, f64, f64); 6] = [
            ("theta", |draw| draw.theta, -20.0, 20.0),
            ("tx", |draw| draw.tx, -10.0, 10.0),
            ("ty", |draw| draw.ty, -20.0, 20.0),
            ("shear", |draw| draw.shear, -10.0, 10.0),
            ("zx", |draw| draw.zx, 0.7, 1.3),
            ("zy", |draw| draw.zy, 0.7, 1.3),
        ];
        for (name, value, least, most) in ranges {
            let (low, high) = draws
                .iter()
                .map(value)
                .fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
            let margin = (most - least) * 0.01;
            assert!(least <= low && low < least + margin, "{name} starts at {low}");
            assert!(most - margin < high && high <= most, "{name} ends at {high}");
        }
        let flipped = draws.iter().filter(|draw| draw.horizontal_flip).count();
        assert!((900..1100).contains(&flipped), "{flipped} of 2000");
    }

    #[test]
    fn nothing_switched_on_changes_nothing() {
        let off = Augmentation {
            rotation_degrees: 0.0,
            width_shift: 0.0,
            height_shift: 0.0,
            shear_degrees: 0.0,
            zoom: 0.0,
            horizontal_flip: false,
            ..everything()
        };
        assert!((0..20).all(|number| {
            crate::augment(&pattern(), SIDE, &off, &View { number, ..VIEW }) == pattern()
        }));
    }
}
