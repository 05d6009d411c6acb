//! Whether an image is of the kind that the model was trained on.
//!
//! There are two checks, each with a limit that all but a few held-out images of the right kind
//! meet: whether its greys are distributed as theirs ([`HistogramReference`]), and whether the
//! network's features for it resemble theirs ([`FeatureReference`]).

use std::collections::BTreeMap;
use std::path::Path;

use artifact::Digest;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use crate::tensors::{self, HostTensor, TensorMap};
use crate::{ClassifierError, Result};

/// Mean grey histograms of the training images, one per class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistogramReference {
    /// Shares of the pixels in each of the bins, by class.
    pub classes: BTreeMap<String, Vec<f64>>,
    /// An image whose histogram correlates less than this with all of them is foreign.
    pub correlation_limit: f64,
}

impl HistogramReference {
    /// Averages histograms, each with its class. The limit is left at −1, which accepts all.
    pub fn of<'a>(images: impl IntoIterator<Item = (&'a str, &'a [f64])>) -> Self {
        let mut sums: BTreeMap<String, (Vec<f64>, f64)> = BTreeMap::new();
        for (class, histogram) in images {
            let (sum, count) =
                sums.entry(class.to_owned()).or_insert_with(|| (vec![0.0; histogram.len()], 0.0));
            sum.iter_mut().zip(histogram).for_each(|(sum, share)| *sum += share);
            *count += 1.0;
        }
        let mean = |(sum, count): (Vec<f64>, f64)| sum.iter().map(|it| it / count).collect();
        let classes = sums.into_iter().map(|(class, sums)| (class, mean(sums))).collect();
        Self { classes, correlation_limit: -1.0 }
    }

    /// The highest correlation of a histogram with those of the classes, in [-1, 1]. As OpenCV's
    /// `HISTCMP_CORREL`; 0 where either is flat.
    pub fn correlation(&self, histogram: &[f64]) -> f64 {
        self.classes.values().map(|reference| pearson(histogram, reference)).fold(-1.0, f64::max)
    }

    /// Whether the image is of another kind.
    pub fn is_foreign(&self, histogram: &[f64]) -> bool {
        self.correlation(histogram) < self.correlation_limit
    }
}

/// Pearson's correlation; 0 where either side does not vary.
fn pearson(a: &[f64], b: &[f64]) -> f64 {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len().max(1) as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut covariance, mut variance_a, mut variance_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        covariance += (a - mean_a) * (b - mean_b);
        variance_a += (a - mean_a).powi(2);
        variance_b += (b - mean_b).powi(2);
    }
    let scale = (variance_a * variance_b).sqrt();
    if scale > 0.0 { covariance / scale } else { 0.0 }
}

/// Mean and spread of the network's features for the training images: the means of the last block's
/// 512 channels.
///
/// The distance is Mahalanobis', over the square root of the number of channels, with Ledoit and
/// Wolf's shrunken covariance ("A well-conditioned estimator for large-dimensional covariance
/// matrices", 2004; scikit-learn's `LedoitWolf`), which is regular however few images there are.
/// Usual values are around 1.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureReference {
    /// `[channels]`.
    mean: Vec<f64>,
    /// Inverse of the covariance's lower Cholesky factor, `[channels, channels]`.
    whitening: Vec<f64>,
    /// Share of the covariance that was replaced by a multiple of the identity.
    shrinkage: f64,
}

/// Metadata of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMetadata {
    shrinkage: f64,
}

impl FeatureReference {
    /// Fits on rows of equal length.
    ///
    /// # Errors
    /// When there are fewer than two rows, they do not vary, or libtorch fails.
    pub fn fit(rows: &[&[f32]]) -> Result<Self> {
        let _no_grad = tch::no_grad_guard();
        let channels = rows.first().map_or(0, |row| row.len());
        if rows.len() < 2 || channels == 0 {
            return Err(ClassifierError::FewFeatures { images: rows.len() });
        }
        let count = rows.len() as f64;
        let x = Tensor::f_from_slice(&rows.concat())?
            .f_reshape([rows.len() as i64, channels as i64])?
            .f_to_kind(Kind::Double)?;
        let mean = x.f_mean_dim(&[0_i64][..], false, Kind::Double)?;
        let centred = x.f_sub(&mean)?;
        let covariance = centred.f_tr()?.f_matmul(&centred)?.f_div_scalar(count)?;
        let shrinkage = ledoit_wolf(&centred, &covariance)?;
        let scale = number(&covariance.f_trace()?)? / channels as f64;
        if scale <= 0.0 {
            return Err(ClassifierError::FewFeatures { images: rows.len() });
        }
        let identity = Tensor::f_eye(channels as i64, (Kind::Double, tch::Device::Cpu))?;
        let shrunken =
            (covariance * (1.0 - shrinkage)).f_add(&(&identity * (shrinkage * scale)))?;
        // Only for features that hardly vary, where hardly any shrinking is not enough.
        let too_few = |_| ClassifierError::FewFeatures { images: rows.len() };
        let factor = shrunken.f_linalg_cholesky(false).map_err(too_few)?;
        let whitening = factor.f_linalg_solve_triangular(&identity, false, true, false)?;
        Ok(Self { mean: numbers(&mean)?, whitening: numbers(&whitening)?, shrinkage })
    }

    /// The distance of an image's features from those of the training images.
    ///
    /// # Panics
    /// When there are not as many features as in the reference.
    pub fn distance(&self, features: &[f32]) -> f64 {
        let channels = self.mean.len();
        assert_eq!(features.len(), channels, "features of another network");
        let centred: Vec<f64> =
            features.iter().zip(&self.mean).map(|(it, mean)| f64::from(*it) - mean).collect();
        let squares = self.whitening.chunks(channels).enumerate().map(|(row, weights)| {
            // Lower triangular: entries beyond the diagonal are zero.
            let pairs = weights[..=row].iter().zip(&centred);
            pairs.map(|(weight, value)| weight * value).sum::<f64>().powi(2)
        });
        (squares.sum::<f64>() / channels as f64).sqrt()
    }

    /// How many features it compares.
    pub fn channels(&self) -> usize {
        self.mean.len()
    }

    /// Share of the covariance that was replaced by a multiple of the identity.
    pub fn shrinkage(&self) -> f64 {
        self.shrinkage
    }

    /// Writes the reference as a safetensors file, in f32.
    pub(crate) fn write(&self, path: &Path) -> Result<Digest> {
        let channels = self.mean.len();
        let single = |values: &[f64]| values.iter().map(|value| *value as f32).collect();
        let tensors = TensorMap::from([
            ("mean".to_owned(), HostTensor::new(&[channels], single(&self.mean))),
            (
                "whitening".to_owned(),
                HostTensor::new(&[channels, channels], single(&self.whitening)),
            ),
        ]);
        tensors::write(path, &tensors, &FileMetadata { shrinkage: self.shrinkage })
    }

    /// Reads what [`write`](Self::write) wrote.
    pub(crate) fn read(path: &Path, recorded: Digest) -> Result<Self> {
        let file = tensors::read::<FileMetadata>(path)?;
        if file.sha256 != recorded {
            let path = path.to_owned();
            return Err(ClassifierError::Changed { path, recorded, found: file.sha256 });
        }
        let double = |name: &str| -> Vec<f64> {
            let tensor = file.tensors.get(name);
            tensor.map_or(Vec::new(), |it| it.values().iter().map(|it| f64::from(*it)).collect())
        };
        let (mean, whitening) = (double("mean"), double("whitening"));
        if mean.is_empty() || whitening.len() != mean.len() * mean.len() {
            return Err(ClassifierError::Tensor {
                origin: path.display().to_string(),
                name: "whitening".into(),
                expected: format!("f32 [{0}, {0}]", mean.len()),
                found: format!("{} values", whitening.len()),
            });
        }
        Ok(Self { mean, whitening, shrinkage: file.metadata.shrinkage })
    }
}

/// The share that scikit-learn's `ledoit_wolf_shrinkage` gives, for centred rows and their
/// covariance.
fn ledoit_wolf(centred: &Tensor, covariance: &Tensor) -> Result<f64> {
    let (count, channels) = (centred.size()[0] as f64, centred.size()[1] as f64);
    let scale = number(&covariance.f_trace()?)? / channels;
    let squares = centred.f_mul(centred)?;
    // Σ over images of ‖x xᵀ‖², without computing each x xᵀ.
    let row_norms = squares.f_sum_dim_intlist(&[1_i64][..], false, Kind::Double)?;
    let fourth = number(&row_norms.f_mul(&row_norms)?.f_sum(Kind::Double)?)?;
    let norm = number(&covariance.f_mul(covariance)?.f_sum(Kind::Double)?)?;
    let beta = (fourth / count - norm) / (channels * count);
    let delta = (norm - channels * scale * scale) / channels;
    Ok(if delta <= 0.0 { 0.0 } else { (beta.min(delta) / delta).clamp(0.0, 1.0) })
}

fn number(tensor: &Tensor) -> Result<f64> {
    Ok(f64::try_from(tensor)?)
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>> {
    Ok(Vec::<f64>::try_from(&tensor.f_contiguous()?.f_flatten(0, -1)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows that vary ten times as much along the first axis as along the second.
    fn rows() -> Vec<Vec<f32>> {
        let wave = |i: u32, step: f32| (i as f32 * step).sin();
        (0..400).map(|i| vec![10.0 * wave(i, 0.7) + 3.0, wave(i, 1.9) - 1.0]).collect()
    }

    fn fit(rows: &[Vec<f32>]) -> FeatureReference {
        FeatureReference::fit(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn distance_counts_in_spreads_along_each_axis() {
        let reference = fit(&rows());
        assert!(reference.shrinkage() < 0.05, "{}", reference.shrinkage());
        let centre = reference.distance(&[3.0, -1.0]);
        assert!(centre < 0.1, "{centre}");
        let along = reference.distance(&[3.0 + 10.0, -1.0]);
        let across = reference.distance(&[3.0, -1.0 + 10.0]);
        assert!((along - 1.0).abs() < 0.1, "{along}");
        assert!(across > 5.0 * along, "{across} against {along}");
    }

    #[test]
    fn the_mean_squared_distance_of_the_images_themselves_is_about_one() {
        let rows = rows();
        let reference = fit(&rows);
        let mean = rows.iter().map(|row| reference.distance(row).powi(2)).sum::<f64>() / 400.0;
        assert!((mean - 1.0).abs() < 0.1, "{mean}");
    }

    #[test]
    fn fewer_images_than_channels_are_enough() {
        let rows: Vec<Vec<f32>> =
            (0..5).map(|i| (0..20).map(|j| ((i * 20 + j) as f32 * 0.7).sin()).collect()).collect();
        let reference = fit(&rows);
        assert!(reference.shrinkage() > 0.1);
        assert!(reference.distance(&rows[0]).is_finite());
    }

    #[test]
    fn images_that_are_all_alike_are_refused() {
        let same = vec![1.0_f32; 4];
        let error = FeatureReference::fit(&[&same, &same, &same]).unwrap_err().to_string();
        assert!(error.contains("3 images"), "{error}");
    }

    #[test]
    fn a_reference_reads_back_and_another_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("foreign.safetensors");
        let reference = fit(&rows());
        let digest = reference.write(&path).unwrap();
        let read = FeatureReference::read(&path, digest).unwrap();
        let (one, other) = (reference.distance(&[5.0, 5.0]), read.distance(&[5.0, 5.0]));
        assert!((one / other - 1.0).abs() < 1e-5, "{one} {other}");
        let error = FeatureReference::read(&path, Digest::of(b"other")).unwrap_err();
        assert!(error.to_string().contains("foreign.safetensors"), "{error}");
    }

    #[test]
    fn a_histogram_is_compared_with_the_class_it_is_most_like() {
        let (dark, bright) = ([0.7, 0.2, 0.1], [0.1, 0.2, 0.7]);
        let mut reference = HistogramReference::of([("a", &dark[..]), ("b", &bright[..])]);
        reference.correlation_limit = 0.9;
        assert!((reference.correlation(&[0.1, 0.2, 0.7]) - 1.0).abs() < 1e-12);
        assert!(!reference.is_foreign(&[0.12, 0.2, 0.68]));
        assert!(reference.is_foreign(&[0.2, 0.7, 0.1]));
        assert_eq!(reference.correlation(&[0.3, 0.3, 0.3]), 0.0);
    }
}
