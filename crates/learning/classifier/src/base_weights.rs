//! The origin of a base's weights, and the input they need.

use config::NormalisationChoice;
use imaging::{Interpolation, Normalisation};
use serde::{Deserialize, Serialize};

use crate::{ClassifierError, Result};

/// The base's weights: where they come from, and what they were trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseWeights {
    /// Their origin, in words.
    pub origin: String,
    /// Who trained them on what, according to their file.
    pub source: Option<String>,
    /// Their licence, according to their file.
    pub licence: Option<String>,
    /// The input they were trained on. None for random weights, which need no particular input.
    pub input: Option<BaseInput>,
}

/// The input that weights were trained on, as numbers in the order red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseInput {
    /// How values in [0, 1] became numbers.
    pub normalisation: Normalisation,
    /// Height and width of the images, in pixels, if their file states it. Convolutions accept any.
    pub image_size: Option<u32>,
    /// The filter that resized them.
    #[serde(default, skip_serializing_if = "Interpolation::is_bilinear")]
    pub interpolation: Interpolation,
}

impl BaseWeights {
    /// Random weights that were never trained.
    pub fn drawn(origin: impl Into<String>) -> Self {
        Self { origin: origin.into(), source: None, licence: None, input: None }
    }

    /// The filter that resizes images for these weights: that of their training; the bilinear one
    /// for weights that were not trained.
    pub fn interpolation(&self) -> Interpolation {
        self.input.map_or(Interpolation::Bilinear, |input| input.interpolation)
    }

    /// How values in [0, 1] become the input of these weights: the normalisation they were trained
    /// with or, if they were not trained, the requested one.
    ///
    /// # Errors
    /// When another normalisation is requested than they were trained with.
    pub fn normalisation(&self, choice: NormalisationChoice) -> Result<Normalisation> {
        let wanted = self.input.map(|input| input.normalisation);
        let asked = match choice {
            NormalisationChoice::Auto => return Ok(wanted.unwrap_or(Normalisation::Imagenet)),
            NormalisationChoice::Unit => Normalisation::Unit,
            NormalisationChoice::Imagenet => Normalisation::Imagenet,
            NormalisationChoice::Caffe => Normalisation::Caffe,
        };
        match wanted {
            Some(wanted) if wanted != asked => {
                Err(ClassifierError::Normalisation { asked, wanted, origin: self.origin.clone() })
            }
            _ => Ok(asked),
        }
    }
}

#[cfg(test)]
mod tests {
    use imaging::ChannelStatistics;

    use super::*;

    fn trained_on(normalisation: Normalisation) -> BaseWeights {
        let interpolation = Interpolation::Bilinear;
        let input = BaseInput { normalisation, image_size: Some(224), interpolation };
        BaseWeights { input: Some(input), ..BaseWeights::drawn("file x") }
    }

    #[test]
    fn auto_takes_what_the_weights_were_trained_on() {
        let halves = ChannelStatistics { mean: [0.5; 3], deviation: [0.5; 3] };
        for wanted in [Normalisation::Caffe, Normalisation::Unit, Normalisation::Channels(halves)] {
            let chosen = trained_on(wanted).normalisation(NormalisationChoice::Auto).unwrap();
            assert_eq!(chosen, wanted);
        }
        let drawn = BaseWeights::drawn("seed 1");
        let auto = drawn.normalisation(NormalisationChoice::Auto).unwrap();
        assert_eq!(auto, Normalisation::Imagenet);
    }

    #[test]
    fn what_contradicts_the_weights_is_refused_in_one_sentence() {
        let weights = trained_on(Normalisation::Caffe);
        let same = weights.normalisation(NormalisationChoice::Caffe).unwrap();
        assert_eq!(same, Normalisation::Caffe);
        let message = weights.normalisation(NormalisationChoice::Unit).unwrap_err().to_string();
        assert!(message.contains("train.normalisation: unit"), "{message}");
        assert!(message.contains("trained with caffe"), "{message}");
        assert!(message.contains("set it to auto"), "{message}");
    }

    #[test]
    fn drawn_weights_take_anything() {
        let drawn = BaseWeights::drawn("seed 1");
        let unit = drawn.normalisation(NormalisationChoice::Unit).unwrap();
        assert_eq!(unit, Normalisation::Unit);
    }
}
