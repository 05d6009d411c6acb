//! The similarity of two pictures.

use imaging::{Grey, Picture};

/// Width and height of a thumbnail, in pixels.
const SIDE: u32 = 32;

/// A picture's grey at 32×32, with mean 0 and length 1: brightness and contrast have no effect.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Thumbnail(Vec<f32>);

impl Thumbnail {
    /// The thumbnail of a picture. A picture of a single grey is all zeros, and similar to none.
    pub(crate) fn of(picture: &Picture) -> Self {
        let small = Grey::of(picture).resized(SIDE, SIDE);
        let levels: Vec<f64> = small.levels().iter().map(|level| f64::from(*level)).collect();
        let mean = levels.iter().sum::<f64>() / levels.len() as f64;
        let squares: f64 = levels.iter().map(|level| (level - mean).powi(2)).sum();
        let scale = if squares > 0.0 { squares.sqrt().recip() } else { 0.0 };
        Self(levels.into_iter().map(|level| ((level - mean) * scale) as f32).collect())
    }

    /// The correlation of the two pictures' greys, pixel by pixel: 1 for equal pictures, 0 for
    /// unrelated ones.
    pub(crate) fn similarity(&self, other: &Self) -> f64 {
        // Eight sums, so that they can be computed in parallel; in a fixed order.
        let mut sums = [0.0_f32; 8];
        for (a, b) in self.0.chunks_exact(8).zip(other.0.chunks_exact(8)) {
            let products = a.iter().zip(b).map(|(a, b)| a * b);
            sums.iter_mut().zip(products).for_each(|(sum, product)| *sum += product);
        }
        f64::from(sums.iter().sum::<f32>()).clamp(-1.0, 1.0)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A grey picture of 32×32 pixels.
    pub(crate) fn picture(grey: impl Fn(u8, u8) -> u8) -> Picture {
        imaging::decode(&bitmap(grey)).unwrap()
    }

    /// The same as a BMP, written out: 14 bytes of file header, 40 of picture header, rows from the
    /// bottom up.
    pub(crate) fn bitmap(grey: impl Fn(u8, u8) -> u8) -> Vec<u8> {
        let mut bytes = b"BM".to_vec();
        for value in [54 + 32 * 32 * 3_u32, 0, 54, 40, 32, 32] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend([1, 0, 24, 0]);
        bytes.extend([0; 24]);
        for y in (0..32).rev() {
            bytes.extend((0..32).flat_map(|x| [grey(x, y); 3]));
        }
        bytes
    }

    #[test]
    fn neither_brightness_nor_contrast_counts() {
        let pattern = |x: u8, y: u8| (x * 3) ^ (y * 2);
        let (one, dim) = (picture(pattern), picture(|x, y| 100 + pattern(x, y) / 2));
        let similarity = Thumbnail::of(&one).similarity(&Thumbnail::of(&dim));
        assert!(similarity > 0.999, "{similarity}");
        let inverse = Thumbnail::of(&picture(|x, y| 255 - pattern(x, y)));
        assert!((Thumbnail::of(&one).similarity(&inverse) + 1.0).abs() < 1e-6);
    }

    #[test]
    fn halves_that_cross_have_nothing_in_common() {
        let upper = Thumbnail::of(&picture(|_, y| if y < 16 { 200 } else { 0 }));
        let left = Thumbnail::of(&picture(|x, _| if x < 16 { 200 } else { 0 }));
        assert!(upper.similarity(&left).abs() < 1e-6);
        assert!((upper.similarity(&upper) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_single_grey_is_like_no_other() {
        let flat = Thumbnail::of(&picture(|_, _| 80));
        assert_eq!(flat.similarity(&flat), 0.0);
    }
}
