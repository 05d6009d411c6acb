//! What a base's weights are, and what they want to see.

use config::NormalisationChoice;
use imaging::Normalisation;
use serde::{Deserialize, Serialize};

use crate::{ClassifierError, Result};

/// The base's weights: where they come from, and what they were trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseWeights {
    /// Where they were taken from, in words.
    pub origin: String,
    /// Who trained them on what, as their file says.
    pub source: Option<String>,
    /// Under which licence they are given, as their file says.
    pub licence: Option<String>,
    /// What they were trained on. None for weights that were drawn, which want nothing.
    pub input: Option<BaseInput>,
}

/// What weights were trained on, as numbers in the order red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseInput {
    /// How values in [0, 1] became numbers.
    pub normalisation: Normalisation,
    /// Height and width of the images, in pixels, where their file says it. Convolutions take any.
    pub image_size: Option<u32>,
}

impl BaseWeights {
    /// Weights that were drawn and never trained.
    pub fn drawn(origin: impl Into<String>) -> Self {
        Self { origin: origin.into(), source: None, licence: None, input: None }
    }

    /// How values in [0, 1] become what these weights see: what they were trained on or, where
    /// they were not, what is asked for.
    ///
    /// # Errors
    /// When something else is asked for than they were trained on.
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
        let input = BaseInput { normalisation, image_size: Some(224) };
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
