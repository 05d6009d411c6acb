//! Limits beyond which an image counts as foreign, found on images that are held out in turn.

use anyhow::{Context, Result, bail};
use artifact::Digest;
use classifier::calibration::ForeignChecks;
use classifier::foreign::{FeatureReference, HistogramReference};
use config::CalibrateParams;
use solvers::folds;

use crate::images::{Images, PredictedImage};

/// Share of the held-out images that each check accepts.
const ACCEPTANCE: f64 = 0.99;

/// With fewer images a limit would be meaningless.
const FEWEST: usize = 10;

/// The references, fitted on all images, with limits found on held-out ones.
#[derive(Debug)]
pub(crate) struct Foreign {
    pub(crate) checks: ForeignChecks,
    pub(crate) features: FeatureReference,
    /// Of the held-out images: 1 less the correlation of greys, and the distances of features.
    pub(crate) grey_distances: Vec<f64>,
    pub(crate) feature_distances: Vec<f64>,
}

/// Fits both references on the training and validation images.
pub(crate) fn fit(images: &Images, params: &CalibrateParams) -> Result<Foreign> {
    let all: Vec<&PredictedImage> = images.seen.iter().collect();
    if all.len() < FEWEST {
        bail!(
            "find limits for out-of-distribution images: {} training and validation images are too \
             few, at least {FEWEST} are needed",
            all.len()
        );
    }
    let classes: Vec<usize> = all.iter().map(|image| image.class.0).collect();
    let groups: Vec<_> = all.iter().map(|image| image.group()).collect();
    // Not every part needs every class here, so one class in one group alone is not a problem.
    let deal =
        |classes: &[usize]| folds::assign(classes, &groups, params.folds as usize, params.seed);
    let folds = deal(&classes)
        .or_else(|_| deal(&vec![0; all.len()]))
        .context("hold out a part of the images, to find the limits for foreign images")?;
    let (mut correlations, mut distances) = (Vec::new(), Vec::new());
    for fold in 0..folds.count() {
        let (held_out, rest) = part(&all, |index| folds.of_images()[index] == fold);
        let (histograms, features) = (histogram_reference(&rest), feature_reference(&rest)?);
        for image in held_out {
            correlations.push(histograms.correlation(&image.histogram));
            distances.push(features.distance(&image.output.pooled));
        }
    }
    let grey_distances = correlations.iter().map(|correlation| 1.0 - correlation).collect();
    let mut histogram = histogram_reference(&all);
    histogram.correlation_limit = lower_limit(&mut correlations);
    // Distances up to the limit are accepted: the same rule with the sign changed.
    let mut nearness: Vec<f64> = distances.iter().map(|distance| -distance).collect();
    let feature_distance_limit = -lower_limit(&mut nearness);
    let features = feature_reference(&all)?;
    tracing::debug!("shrinkage of the feature covariance: {:.4}", features.shrinkage());
    let checks = ForeignChecks {
        histogram,
        feature_distance_limit,
        acceptance: ACCEPTANCE,
        held_out: all.len(),
        features: Digest::of(b""),
    };
    Ok(Foreign { checks, features, grey_distances, feature_distances: distances })
}

/// The images that `belongs` accepts, and the others.
fn part<'a>(
    images: &[&'a PredictedImage],
    belongs: impl Fn(usize) -> bool,
) -> (Vec<&'a PredictedImage>, Vec<&'a PredictedImage>) {
    let (held_out, rest): (Vec<_>, Vec<_>) =
        images.iter().enumerate().partition(|(index, _)| belongs(*index));
    let images =
        |part: Vec<(usize, &&'a PredictedImage)>| part.into_iter().map(|(_, it)| *it).collect();
    (images(held_out), images(rest))
}

fn histogram_reference(images: &[&PredictedImage]) -> HistogramReference {
    HistogramReference::of(
        images.iter().map(|it| (it.record.image.class.as_str(), &it.histogram[..])),
    )
}

fn feature_reference(images: &[&PredictedImage]) -> classifier::Result<FeatureReference> {
    let rows: Vec<&[f32]> = images.iter().map(|image| image.output.pooled.as_slice()).collect();
    FeatureReference::fit(&rows)
}

/// The value that [`ACCEPTANCE`] of the held-out ones reach or exceed.
fn lower_limit(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let refused = ((1.0 - ACCEPTANCE) * values.len() as f64 + 1e-9).floor() as usize;
    values.get(refused).copied().unwrap_or(f64::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_a_hundred_lies_beyond_the_limit() {
        let mut values: Vec<f64> = (0..1000).rev().map(f64::from).collect();
        let limit = lower_limit(&mut values);
        assert_eq!(values.iter().filter(|value| **value < limit).count(), 10);
    }

    #[test]
    fn of_few_images_none_is_refused() {
        assert_eq!(lower_limit(&mut [3.0, 1.0, 2.0]), 1.0);
    }
}
