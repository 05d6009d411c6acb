//! The metadata of a file about its weights, and its use: every base reads red, green, blue from 0
//! to 1, less a mean, over a deviation.
//!
//! A file that was trained with another order of the channels, or on another scale, is converted
//! exactly: the first convolution's channels are reordered, and the mean and deviation are
//! rescaled. Nothing is folded into weights, which would be wrong at the border of a picture,
//! because the padding is zero after the mean is subtracted, not before.

use std::collections::BTreeMap;

use classifier::bases::{Base, INPUT_CHANNELS};
use classifier::tensors::{HostTensor, TensorMap};
use classifier::{BaseInput, BaseWeights};
use imaging::{ChannelStatistics, Interpolation, Normalisation};

use super::WeightsError;
use super::loaded::Weights;

/// A safetensors file's metadata.
pub(super) type Metadata = BTreeMap<String, String>;

/// The key of the JSON in our own files.
const OWN: &str = "hounsfield";
const MEAN: &str = "mean";
const STD: &str = "std";
const CHANNEL_ORDER: &str = "channel_order";
const VALUE_RANGE: &str = "value_range";
const INPUT_SIZE: &str = "input_size";
const INTERPOLATION: &str = "interpolation";
const LICENCE: [&str; 2] = ["license", "licence"];
const SOURCE: [&str; 2] = ["source", "origin"];

/// Keys that only have a meaning together with a mean and a deviation.
const DEPENDENT: [&str; 4] = [MEAN, STD, CHANNEL_ORDER, VALUE_RANGE];

/// Keras' and Caffe's means: blue, green, red, from 0 to 255.
const KERAS_MEAN: [f64; 3] = [103.939, 116.779, 123.68];

/// The description of a file's weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Card {
    order: ChannelOrder,
    /// On values in [0, 1]; none if our own file states that its weights are random.
    input: Option<BaseInput>,
    source: Option<String>,
    licence: Option<String>,
}

/// The order of the first convolution's input channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChannelOrder {
    Rgb,
    Bgr,
}

impl Card {
    /// For Keras' own files, which do not state it: blue, green, red, from 0 to 255, less the mean.
    pub(super) fn keras(base: &Base) -> Self {
        let normalisation = normalisation(KERAS_MEAN, [1.0; 3], [0.0, 255.0], ChannelOrder::Bgr);
        let input = BaseInput { normalisation, ..base.published.input };
        let source = format!("Keras {} (HDF5)", base.title);
        Self { order: ChannelOrder::Bgr, input: Some(input), source: Some(source), licence: None }
    }

    /// Reads the metadata of the safetensors file `origin`. A file without a description of its
    /// training counts as the base's published one.
    pub(super) fn of(metadata: &Metadata, origin: &str, base: &Base) -> Result<Self, WeightsError> {
        if let Some(own) = metadata.get(OWN).and_then(|text| serde_json::from_str(text).ok()) {
            let BaseWeights { source, licence, input, .. } = own;
            return Ok(Self { order: ChannelOrder::Rgb, input, source, licence });
        }
        let keys = Keys { metadata, origin };
        let usual = base.published.input;
        let order = keys.channel_order()?;
        let normalisation = if DEPENDENT.iter().any(|key| metadata.contains_key(*key)) {
            let (mean, std) = (keys.three(MEAN)?, keys.three(STD)?);
            if let Some(wrong) = std.iter().find(|std| **std <= 0.0) {
                return Err(keys.refuse(STD, format!("{wrong}; expected numbers above 0")));
            }
            normalisation(mean, std, keys.value_range()?, order)
        } else {
            tracing::info!(
                "{origin} does not say what its weights were trained on: they count as those of {} \
                 (weights/README.md)",
                base.published.repository
            );
            usual.normalisation
        };
        let image_size = keys.image_size()?.or(usual.image_size);
        let interpolation = keys.interpolation(usual.interpolation);
        Ok(Self {
            order,
            input: Some(BaseInput { normalisation, image_size, interpolation }),
            source: keys.text(&SOURCE),
            licence: keys.text(&LICENCE),
        })
    }

    /// The base's weights from a file's tensors.
    pub(super) fn weights(self, mut tensors: TensorMap, origin: String, base: &Base) -> Weights {
        if self.order == ChannelOrder::Bgr {
            reverse_input_channels(&mut tensors, base);
        }
        let Self { input, source, licence, .. } = self;
        Weights { tensors, description: BaseWeights { origin, source, licence, input } }
    }
}

/// Converts the statistics of a file, in its order and on its range, to ours: with `v = low + (high
/// − low) p` for a value `p` in [0, 1], `(v − mean) / std` is `(p − (mean − low) / (high − low)) /
/// (std / (high − low))`.
fn normalisation(
    mean: [f64; 3],
    std: [f64; 3],
    [low, high]: [f64; 2],
    order: ChannelOrder,
) -> Normalisation {
    let mut mean = mean.map(|mean| ((mean - low) / (high - low)) as f32);
    let mut deviation = std.map(|std| (std / (high - low)) as f32);
    if order == ChannelOrder::Bgr {
        mean.reverse();
        deviation.reverse();
    }
    Normalisation::of(ChannelStatistics { mean, deviation })
}

/// Reorders the first convolution's weights from blue, green, red to red, green, blue, or back.
fn reverse_input_channels(tensors: &mut TensorMap, base: &Base) {
    let spec = base.first_convolution();
    let Some(tensor) = tensors.get_mut(&spec.name) else { return };
    let plane = spec.shape[2..].iter().product::<usize>();
    let values = tensor
        .values()
        .chunks_exact(INPUT_CHANNELS * plane)
        .flat_map(|output| output.chunks_exact(plane).rev().flatten().copied())
        .collect();
    *tensor = HostTensor::new(&spec.shape, values);
}

/// A file's metadata, with the file's name for errors.
struct Keys<'a> {
    metadata: &'a Metadata,
    origin: &'a str,
}

impl Keys<'_> {
    fn refuse(&self, key: &str, found: String) -> WeightsError {
        WeightsError::Metadata { origin: self.origin.to_owned(), key: key.to_owned(), found }
    }

    /// The filter that the file names; one that is not known here is reported and replaced by the
    /// `usual` one.
    fn interpolation(&self, usual: Interpolation) -> Interpolation {
        match self.text(&[INTERPOLATION]).as_deref() {
            None => usual,
            Some("bilinear") => Interpolation::Bilinear,
            Some("bicubic") => Interpolation::Bicubic,
            Some(other) => {
                tracing::warn!(
                    "{}: its weights were trained on pictures made smaller by {other} \
                     interpolation, which is not known here; they are resized by the {usual} one",
                    self.origin
                );
                usual
            }
        }
    }

    /// The value of the first of `keys` that exists.
    fn text(&self, keys: &[&str]) -> Option<String> {
        keys.iter().find_map(|key| self.metadata.get(*key)).cloned()
    }

    /// The numbers of a key, such as `0.485, 0.456, 0.406`, with or without brackets.
    fn numbers(&self, key: &str) -> Result<Option<Vec<f64>>, WeightsError> {
        let Some(text) = self.metadata.get(key) else { return Ok(None) };
        let bare = text.trim().trim_start_matches(['[', '(']).trim_end_matches([']', ')']);
        let numbers = bare.split(',').map(|number| number.trim().parse::<f64>().ok());
        let finite = numbers.map(|number| number.filter(|it| it.is_finite()));
        match finite.collect() {
            Some(numbers) => Ok(Some(numbers)),
            None => Err(self.refuse(key, format!("{text:?}; expected numbers"))),
        }
    }

    /// Three numbers, one a channel.
    fn three(&self, key: &str) -> Result<[f64; 3], WeightsError> {
        let expected = "expected three numbers, one a channel";
        let numbers = self.numbers(key)?.ok_or_else(|| {
            self.refuse(key, format!("missing, while others are there; {expected}"))
        })?;
        let count = numbers.len();
        numbers.try_into().map_err(|_| self.refuse(key, format!("{count} numbers; {expected}")))
    }

    fn channel_order(&self) -> Result<ChannelOrder, WeightsError> {
        match self.metadata.get(CHANNEL_ORDER).map(|order| order.to_ascii_lowercase()).as_deref() {
            None | Some("rgb") => Ok(ChannelOrder::Rgb),
            Some("bgr") => Ok(ChannelOrder::Bgr),
            Some(other) => {
                Err(self.refuse(CHANNEL_ORDER, format!("{other:?}; expected rgb or bgr")))
            }
        }
    }

    /// From black to white, 0 to 1 if the file does not state it.
    fn value_range(&self) -> Result<[f64; 2], WeightsError> {
        match self.numbers(VALUE_RANGE)?.as_deref() {
            None => Ok([0.0, 1.0]),
            Some([low, high]) if low < high => Ok([*low, *high]),
            Some(other) => Err(self.refuse(
                VALUE_RANGE,
                format!("{other:?}; expected the values of black and white, such as 0, 255"),
            )),
        }
    }

    /// The side of the images: `224`, or `3, 224, 224` as timm writes it.
    fn image_size(&self) -> Result<Option<u32>, WeightsError> {
        let side = match self.numbers(INPUT_SIZE)?.as_deref() {
            None => return Ok(None),
            Some([side]) => *side,
            Some([_, height, width]) if height == width => *height,
            Some(_) => f64::NAN,
        };
        if side >= 1.0 && side <= f64::from(u32::MAX) && side.fract() == 0.0 {
            return Ok(Some(side as u32));
        }
        let text = self.text(&[INPUT_SIZE]).unwrap_or_default();
        Err(self
            .refuse(INPUT_SIZE, format!("{text:?}; expected pixels, such as 224 or 3, 224, 224")))
    }
}

#[cfg(test)]
mod tests {
    use classifier::bases;

    use super::*;

    fn card(metadata: &[(&str, &str)]) -> Result<Card, WeightsError> {
        let metadata =
            metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Card::of(&metadata, "x.safetensors", bases::vgg16())
    }

    fn normalisation(metadata: &[(&str, &str)]) -> Normalisation {
        card(metadata).unwrap().input.unwrap().normalisation
    }

    #[test]
    fn a_file_that_says_nothing_is_torchvisions() {
        for metadata in [&[][..], &[("format", "pt"), ("source", "somebody")]] {
            let input = card(metadata).unwrap().input.unwrap();
            assert_eq!(input.normalisation, Normalisation::Imagenet);
            assert_eq!(input.image_size, Some(224));
        }
    }

    #[test]
    fn torchvisions_and_kerass_statistics_are_known_by_name() {
        let torchvision = [("mean", "[0.485, 0.456, 0.406]"), ("std", "(0.229, 0.224, 0.225)")];
        assert_eq!(normalisation(&torchvision), Normalisation::Imagenet);
        let keras = [
            ("mean", "103.939,116.779,123.68"),
            ("std", "1,1,1"),
            ("channel_order", "BGR"),
            ("value_range", "[0, 255]"),
        ];
        assert_eq!(normalisation(&keras), Normalisation::Caffe);
        assert_eq!(card(&keras).unwrap().order, ChannelOrder::Bgr);
        assert_eq!(Card::keras(bases::vgg16()).input.unwrap().normalisation, Normalisation::Caffe);
        assert_eq!(normalisation(&[("mean", "0,0,0"), ("std", "1,1,1")]), Normalisation::Unit);
    }

    #[test]
    fn other_statistics_are_taken_as_they_are() {
        // From -1 to 1, less nothing, over one: (p − 0.5) / 0.5.
        let symmetric = [("mean", "0,0,0"), ("std", "1,1,1"), ("value_range", "-1,1")];
        let halves = ChannelStatistics { mean: [0.5; 3], deviation: [0.5; 3] };
        assert_eq!(normalisation(&symmetric), Normalisation::Channels(halves));
        // Blue, green, red in the file; red, green, blue here.
        let blue_first = [("mean", "0.1,0.2,0.3"), ("std", "1,2,4"), ("channel_order", "bgr")];
        let turned = ChannelStatistics { mean: [0.3, 0.2, 0.1], deviation: [4.0, 2.0, 1.0] };
        assert_eq!(normalisation(&blue_first), Normalisation::Channels(turned));
    }

    #[test]
    fn size_source_and_licence_are_kept() {
        let said = card(&[
            ("mean", "0.5,0.5,0.5"),
            ("std", "0.5,0.5,0.5"),
            ("input_size", "(3, 96, 96)"),
            ("license", "CC BY 4.0"),
            ("source", "RadImageNet"),
            ("interpolation", "bicubic"),
        ])
        .unwrap();
        assert_eq!(said.input.unwrap().image_size, Some(96));
        assert_eq!(said.input.unwrap().interpolation, Interpolation::Bicubic);
        assert_eq!(said.licence.as_deref(), Some("CC BY 4.0"));
        assert_eq!(said.source.as_deref(), Some("RadImageNet"));
        assert_eq!(card(&[("input_size", "96")]).unwrap().input.unwrap().image_size, Some(96));
    }

    #[test]
    fn what_cannot_be_understood_names_the_file_and_the_key() {
        let right = ("std", "1,1,1");
        for (metadata, key, expected) in [
            (vec![("mean", "0.5,0.5")], "mean", "2 numbers; expected three"),
            (vec![("mean", "grey"), right], "mean", "\"grey\"; expected numbers"),
            (vec![("mean", "nan,0,0"), right], "mean", "expected numbers"),
            (vec![("mean", "0,0,0")], "std", "missing, while others are there; expected three"),
            (vec![("channel_order", "bgr")], "mean", "missing, while others are there"),
            (vec![("mean", "0,0,0"), ("std", "1,0,1")], "std", "above 0"),
            (vec![("channel_order", "gbr")], "channel_order", "expected rgb or bgr"),
            (vec![("mean", "0,0,0"), right, ("value_range", "255")], "value_range", "0, 255"),
            (vec![("input_size", "3,224,192")], "input_size", "expected pixels"),
            (vec![("input_size", "big")], "input_size", "expected numbers"),
        ] {
            let message = card(&metadata).unwrap_err().to_string();
            let start = format!("understand what x.safetensors says of its weights: {key} is ");
            assert!(message.starts_with(&start) && message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_base_of_ours_says_it_itself() {
        let base = BaseWeights { licence: Some("MIT".into()), ..BaseWeights::drawn("seed 1") };
        let text = serde_json::to_string(&base).unwrap();
        let said = card(&[("hounsfield", &text)]).unwrap();
        assert_eq!((said.input, said.licence.as_deref()), (None, Some("MIT")));
        // Other files of ours, such as a trained model, have other content there.
        assert_eq!(normalisation(&[("hounsfield", "\"3f0c\"")]), Normalisation::Imagenet);
    }

    #[test]
    fn blue_green_red_is_turned_in_the_first_convolution_alone() {
        let specs = bases::vgg16().tensor_specs();
        let (first, second) = (&specs[0], &specs[2]);
        let counted = |length: usize| (0..length).map(|value| value as f32).collect::<Vec<_>>();
        let mut tensors = TensorMap::from([
            (first.name.clone(), HostTensor::new(&first.shape, counted(first.len()))),
            (second.name.clone(), HostTensor::new(&second.shape, counted(second.len()))),
        ]);
        let before = tensors.clone();
        reverse_input_channels(&mut tensors, bases::vgg16());
        let values = tensors[&first.name].values();
        // Output 1: its planes of nine values were 27.., 36.., 45...
        assert_eq!(values[27..36], counted(54)[45..54]);
        assert_eq!(values[36..45], counted(54)[36..45]);
        assert_eq!(values[45..54], counted(54)[27..36]);
        assert_eq!(tensors[&second.name], before[&second.name]);
        reverse_input_channels(&mut tensors, bases::vgg16());
        assert_eq!(tensors, before);
    }
}
