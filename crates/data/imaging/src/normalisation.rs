use std::fmt;

use serde::{Deserialize, Serialize};

/// torchvision's statistics of the ImageNet training images.
const IMAGENET: ChannelStatistics =
    ChannelStatistics { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] };

/// Means of the ImageNet training images' channels (red, green, blue) from 0 to 255, as used by
/// Caffe's VGG16 and Keras' `preprocess_input` of mode `caffe`.
const CAFFE_MEAN: [f64; 3] = [123.68, 116.779, 103.939];

/// [`CAFFE_MEAN`] on values in [0, 1]: `255 v − mean` is `(v − mean / 255) / (1 / 255)`.
const CAFFE: ChannelStatistics = ChannelStatistics {
    mean: [
        (CAFFE_MEAN[0] / 255.0) as f32,
        (CAFFE_MEAN[1] / 255.0) as f32,
        (CAFFE_MEAN[2] / 255.0) as f32,
    ],
    deviation: [(1.0 / 255.0) as f32; 3],
};

/// How values in [0, 1] become the model's input.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalisation {
    /// Unchanged.
    Unit,
    /// Less torchvision's ImageNet mean of each channel, over its standard deviation.
    Imagenet,
    /// From 0 to 255, less Caffe's ImageNet mean of each channel: the input that Keras' VGG16 was
    /// trained on, except for the order of the channels, which is red, green, blue here as
    /// everywhere.
    Caffe,
    /// Less a mean of each channel, over a standard deviation; other statistics than the above.
    Channels(ChannelStatistics),
}

/// A mean and a standard deviation of each channel: red, green, blue, on values in [0, 1].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelStatistics {
    /// The value that is subtracted.
    pub mean: [f32; 3],
    /// The divisor.
    pub deviation: [f32; 3],
}

impl Normalisation {
    /// The normalisation by these statistics, by its name if it has one.
    pub fn of(statistics: ChannelStatistics) -> Self {
        let named = [Self::Unit, Self::Imagenet, Self::Caffe];
        let same = named.into_iter().find(|named| named.statistics() == statistics);
        same.unwrap_or(Self::Channels(statistics))
    }

    /// The mean that it subtracts and the deviation that it divides by.
    pub fn statistics(&self) -> ChannelStatistics {
        match self {
            Self::Unit => ChannelStatistics { mean: [0.0; 3], deviation: [1.0; 3] },
            Self::Imagenet => IMAGENET,
            Self::Caffe => CAFFE,
            Self::Channels(statistics) => *statistics,
        }
    }

    /// Normalises planes of equal length (red, green, blue) in place.
    pub fn apply(&self, planes: &mut [f32]) {
        if *self == Self::Unit {
            return;
        }
        let ChannelStatistics { mean, deviation } = self.statistics();
        let plane_length = (planes.len() / 3).max(1);
        for (plane, (mean, deviation)) in
            planes.chunks_exact_mut(plane_length).zip(mean.into_iter().zip(deviation))
        {
            plane.iter_mut().for_each(|value| *value = (*value - mean) / deviation);
        }
    }
}

/// The word of `params.yaml`, or the statistics.
impl fmt::Display for Normalisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unit => f.write_str("unit"),
            Self::Imagenet => f.write_str("imagenet"),
            Self::Caffe => f.write_str("caffe"),
            Self::Channels(ChannelStatistics { mean, deviation }) => {
                write!(f, "channel means {mean:?} and deviations {deviation:?}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(normalisation: Normalisation, mut planes: [f32; 6]) -> [f32; 6] {
        normalisation.apply(&mut planes);
        planes
    }

    fn assert_close(values: [f32; 6], reference: [f32; 6], tolerance: f32) {
        for (value, reference) in values.into_iter().zip(reference) {
            assert!((value - reference).abs() <= tolerance, "{value} for {reference}");
        }
    }

    #[test]
    fn normalising_is_torchvisions() {
        let black_and_white = [0.0, 1.0, 0.0, 1.0, 0.0, 1.0];
        assert_eq!(normalised(Normalisation::Unit, black_and_white), black_and_white);
        // Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
        let reference = [-2.117904, 2.2489083, -2.0357141, 2.4285715, -1.8044444, 2.64];
        assert_close(normalised(Normalisation::Imagenet, black_and_white), reference, 1e-6);
    }

    #[test]
    fn normalising_for_keras_is_keras_own() {
        // keras.applications.vgg16.preprocess_input of two pixels, 0 0 0 and 255 51 102, with the
        // channels turned back to red, green, blue.
        let pixels = [0.0, 1.0, 0.0, 0.2, 0.0, 0.4];
        let reference = [-123.68, 131.32, -116.779, -65.779, -103.939, -1.939];
        assert_close(normalised(Normalisation::Caffe, pixels), reference, 5e-5);
    }

    #[test]
    fn statistics_that_have_a_name_get_it() {
        for named in [Normalisation::Unit, Normalisation::Imagenet, Normalisation::Caffe] {
            assert_eq!(Normalisation::of(named.statistics()), named);
        }
        let halves = ChannelStatistics { mean: [0.5; 3], deviation: [0.5; 3] };
        assert_eq!(Normalisation::of(halves), Normalisation::Channels(halves));
        let planes = normalised(Normalisation::Channels(halves), [0.0, 1.0, 0.5, 0.5, 1.0, 0.0]);
        assert_eq!(planes, [-1.0, 1.0, 0.0, 0.0, 1.0, -1.0]);
    }

    #[test]
    fn statistics_survive_the_file_to_the_last_bit() {
        let odd = ChannelStatistics { mean: [0.1, 1.0 / 3.0, 0.7], deviation: [1e-3, 0.3, 7.0] };
        let text = serde_json::to_string(&Normalisation::Channels(odd)).unwrap();
        assert_eq!(
            text,
            r#"{"channels":{"mean":[0.1,0.33333334,0.7],"deviation":[0.001,0.3,7.0]}}"#
        );
        assert_eq!(
            serde_json::from_str::<Normalisation>(&text).unwrap(),
            Normalisation::Channels(odd)
        );
        assert_eq!(serde_json::to_string(&Normalisation::Caffe).unwrap(), r#""caffe""#);
    }
}
