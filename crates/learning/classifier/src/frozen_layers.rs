//! The layers of the base that keep their weights, looked up once in the table of layers.

use config::Freeze;
use serde::{Deserialize, Serialize};

use crate::ClassifierError;
use crate::vgg16::{self, LAYERS};

/// The lowest layers, from the image up, which keep their weights: the name in
/// `prepare_base.freeze`, and their number. In files it has the form of the parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Freeze", into = "Freeze")]
pub struct FrozenLayers {
    freeze: Freeze,
    count: usize,
}

impl FrozenLayers {
    /// The whole base; only the head learns.
    pub const ALL: Self = Self { freeze: Freeze::All, count: LAYERS.len() };

    /// Their number.
    pub fn count(&self) -> usize {
        self.count
    }
}

impl TryFrom<Freeze> for FrozenLayers {
    type Error = ClassifierError;

    /// Refuses the name of a layer that VGG16 does not have.
    fn try_from(freeze: Freeze) -> Result<Self, Self::Error> {
        let count = match &freeze {
            Freeze::All => LAYERS.len(),
            Freeze::None => 0,
            Freeze::Until(layer) => {
                let index = vgg16::layer_index(layer);
                index.ok_or_else(|| ClassifierError::UnknownLayer {
                    layer: layer.clone(),
                    known: LAYERS.map(|layer| layer.name).join(", "),
                })? + 1
            }
        };
        Ok(Self { freeze, count })
    }
}

impl From<FrozenLayers> for Freeze {
    fn from(frozen: FrozenLayers) -> Self {
        frozen.freeze
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_layer_is_refused_with_those_there_are() {
        let freeze = Freeze::Until("block6_conv1".into());
        let message = FrozenLayers::try_from(freeze.clone()).unwrap_err().to_string();
        assert!(message.contains("block6_conv1") && message.contains("block5_pool"), "{message}");
        let text = serde_json::to_string(&freeze).unwrap();
        let in_file = serde_json::from_str::<FrozenLayers>(&text).unwrap_err().to_string();
        assert!(in_file.contains(&message), "{in_file}");
    }

    #[test]
    fn files_say_what_the_parameters_say() {
        for freeze in [Freeze::All, Freeze::None, Freeze::Until("block4_pool".into())] {
            let text = serde_json::to_string(&freeze).unwrap();
            let frozen: FrozenLayers = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&frozen).unwrap(), text);
        }
    }
}
