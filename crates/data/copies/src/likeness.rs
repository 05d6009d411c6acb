//! Measures how similar descriptors are within one set of pictures.

use rayon::prelude::*;

use crate::Symmetry;
use crate::descriptor::{COEFFICIENTS, Describer, Descriptor, dot};

/// Rounds in which pictures are turned towards their mean, and the mean is computed again.
const ROUNDS: usize = 3;

/// An orientation is plausible if it fits the mean nearly as well as the best one, within this
/// margin.
const ORIENTATION_MARGIN: f32 = 0.1;

/// The general statistics of pictures weigh as much as this many pictures of the set.
const PRIOR_PICTURES: f32 = 32.0;

/// The least variance, as a share of the usual one: if all pictures are copies of one another, they
/// differ by noise only, which stays small.
const LEAST_VARIANCE: f32 = 0.02;

/// How pictures of a set differ: their mean, and the variance of each coefficient about it.
///
/// Scans of one organ all look similar. They are distinguished by their deviations from the mean,
/// each frequency in units of its own deviation. Pictures that are turned are turned back first;
/// otherwise all turned pictures would look similar, whatever they show.
pub(crate) struct Likeness {
    mean: Descriptor,
    inverse_deviation: Descriptor,
    /// The direction of the mean.
    towards_mean: Descriptor,
}

/// A descriptor in units of the deviations, about the mean.
#[derive(Debug, Clone)]
pub(crate) struct Deviation {
    /// Of length 1.
    pub(crate) direction: Descriptor,
    pub(crate) length: f32,
}

impl Likeness {
    /// Learns from descriptors of all pictures. Also returns the orientation in which each is most
    /// similar to the others.
    pub(crate) fn learn(
        describer: &Describer,
        descriptors: &[Descriptor],
    ) -> (Self, Vec<Symmetry>) {
        let mut orientations = vec![Symmetry::Identity; descriptors.len()];
        let mut mean = mean(descriptors.iter().copied());
        for _ in 0..ROUNDS {
            let orient = |descriptor: &Descriptor| best_orientation(describer, descriptor, &mean);
            orientations = descriptors.par_iter().map(orient).collect();
            mean = self::mean(upright(describer, descriptors, &orientations));
        }
        let count = descriptors.len() as f32;
        let mut sums = [0.0_f64; COEFFICIENTS];
        for descriptor in upright(describer, descriptors, &orientations) {
            for ((sum, value), mean) in sums.iter_mut().zip(descriptor).zip(mean) {
                *sum += f64::from((value - mean) * (value - mean));
            }
        }
        let length = dot(&mean, &mean).sqrt().max(f32::EPSILON);
        let towards_mean = mean.map(|value| value / length);
        // few pictures say little about their kind
        mean.iter_mut().for_each(|value| *value *= count / (count + PRIOR_PICTURES));
        let mut inverse_deviation = describer.natural_power();
        for (power, sum) in inverse_deviation.iter_mut().zip(sums) {
            let variance = (sum as f32 + PRIOR_PICTURES * *power) / (count + PRIOR_PICTURES);
            *power = 1.0 / variance.max(LEAST_VARIANCE * *power).sqrt();
        }
        (Self { mean, inverse_deviation, towards_mean }, orientations)
    }

    /// The orientations in which a picture may have to be compared. If a copy's best orientation
    /// differs because two are almost equal, it is among these.
    pub(crate) fn plausible_orientations(
        &self,
        describer: &Describer,
        descriptor: &Descriptor,
    ) -> Vec<Symmetry> {
        let fits = fits(describer, descriptor, &self.towards_mean);
        let best = fits.into_iter().fold(f32::MIN, f32::max);
        let orientations = Symmetry::ALL.into_iter().zip(fits);
        orientations
            .filter(|(_, fit)| *fit >= best - ORIENTATION_MARGIN)
            .map(|(symmetry, _)| symmetry)
            .collect()
    }

    /// The deviation of a descriptor from the mean.
    pub(crate) fn deviation(&self, descriptor: &Descriptor) -> Deviation {
        let mut direction = *descriptor;
        let scales = self.mean.iter().zip(&self.inverse_deviation);
        for (value, (mean, inverse_deviation)) in direction.iter_mut().zip(scales) {
            *value = (*value - mean) * inverse_deviation;
        }
        let length = dot(&direction, &direction).sqrt().max(f32::EPSILON);
        direction.iter_mut().for_each(|value| *value /= length);
        Deviation { direction, length }
    }
}

/// Descriptors, each turned by its own symmetry.
fn upright<'a>(
    describer: &'a Describer,
    descriptors: &'a [Descriptor],
    orientations: &'a [Symmetry],
) -> impl Iterator<Item = Descriptor> + 'a {
    let pairs = descriptors.iter().zip(orientations);
    pairs.map(|(descriptor, symmetry)| describer.turned(descriptor, *symmetry))
}

fn mean(descriptors: impl Iterator<Item = Descriptor>) -> Descriptor {
    let mut sums = [0.0_f64; COEFFICIENTS];
    let mut count = 0_u32;
    for descriptor in descriptors {
        sums.iter_mut().zip(descriptor).for_each(|(sum, value)| *sum += f64::from(value));
        count += 1;
    }
    sums.map(|sum| (sum / f64::from(count.max(1))) as f32)
}

/// The similarity of the turned picture and the mean, for each symmetry.
fn fits(describer: &Describer, descriptor: &Descriptor, mean: &Descriptor) -> [f32; 8] {
    Symmetry::ALL.map(|symmetry| dot(&describer.turned(descriptor, symmetry), mean))
}

/// The symmetry that makes a picture most similar to the mean; the first of equals.
fn best_orientation(describer: &Describer, descriptor: &Descriptor, mean: &Descriptor) -> Symmetry {
    let fits = fits(describer, descriptor, mean);
    let best = (0..8).rev().max_by(|a, b| fits[*a].total_cmp(&fits[*b])).unwrap_or(0);
    Symmetry::ALL[best]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;
    use crate::textures::Texture;

    /// Descriptors of pictures that share half of their content.
    fn alike(describer: &Describer, count: u64) -> Vec<Descriptor> {
        let shared = describer.whole(&Texture::new(1_000).plane(Frame::WHOLE));
        let describe = |seed| {
            let own = describer.whole(&Texture::new(seed).plane(Frame::WHOLE));
            let sum: Descriptor = std::array::from_fn(|at| shared[at] + own[at]);
            let length = dot(&sum, &sum).sqrt();
            sum.map(|value| value / length)
        };
        (0..count).map(describe).collect()
    }

    #[test]
    fn turned_pictures_are_turned_back_to_lie_as_the_others_do() {
        let describer = Describer::new();
        let mut descriptors = alike(&describer, 40);
        for (at, descriptor) in descriptors.iter_mut().enumerate().skip(30) {
            *descriptor = describer.turned(descriptor, Symmetry::ALL[at % 8]);
        }
        let (likeness, orientations) = Likeness::learn(&describer, &descriptors);
        assert!(orientations[..30].iter().all(|symmetry| *symmetry == Symmetry::Identity));
        for at in 30..40 {
            assert_eq!(orientations[at], Symmetry::ALL[at % 8].inverse(), "{at}");
            let plausible = likeness.plausible_orientations(&describer, &descriptors[at]);
            assert!(plausible.contains(&orientations[at]), "{at}");
            assert!(plausible.len() < 8, "{at}");
        }
    }

    #[test]
    fn what_all_pictures_share_does_not_make_them_alike() {
        let describer = Describer::new();
        let descriptors = alike(&describer, 200);
        let (likeness, _) = Likeness::learn(&describer, &descriptors);
        let before = dot(&descriptors[0], &descriptors[1]);
        let [a, b] = [0, 1].map(|at| likeness.deviation(&descriptors[at]));
        let after = dot(&a.direction, &b.direction);
        assert!(before > 0.3 && after.abs() < 0.2, "{before} and {after}");
    }

    #[test]
    fn a_single_picture_and_equal_ones_have_finite_deviations() {
        let describer = Describer::new();
        for count in [1, 50] {
            let descriptors = vec![describer.whole(&Texture::new(5).plane(Frame::WHOLE)); count];
            let (likeness, _) = Likeness::learn(&describer, &descriptors);
            let deviation = likeness.deviation(&descriptors[0]);
            assert!(deviation.length.is_finite() && deviation.length > 0.0);
            assert!((dot(&deviation.direction, &deviation.direction) - 1.0).abs() < 1e-4);
        }
    }
}
