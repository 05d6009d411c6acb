//! The layers of the base that keep their weights, looked up once in the base.

use config::Freeze;
use serde::Serialize;

use crate::Result;
use crate::bases::Base;

/// The lowest layers, from the image up, which keep their weights: the name in
/// `prepare_base.freeze`, and their number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "Freeze")]
pub struct FrozenLayers {
    freeze: Freeze,
    count: usize,
}

impl FrozenLayers {
    /// The whole base; only the head learns.
    pub fn all(base: &Base) -> Self {
        Self { freeze: Freeze::All, count: base.layers().len() }
    }

    /// Those that the parameters name, a layer or a cut point.
    ///
    /// # Errors
    /// When the base has no layer of that name.
    pub fn of(base: &Base, freeze: Freeze) -> Result<Self> {
        let count = match &freeze {
            Freeze::All => base.layers().len(),
            Freeze::None => 0,
            Freeze::Until(layer) => base.layers_until(layer)?,
        };
        Ok(Self { freeze, count })
    }

    /// Their number.
    pub fn count(&self) -> usize {
        self.count
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
    use crate::architecture::Architecture;
    use crate::architecture::tests::architecture;
    use crate::bases;

    #[test]
    fn an_unknown_layer_is_refused_with_those_there_are() {
        let freeze = Freeze::Until("block6_conv1".into());
        let message = FrozenLayers::of(bases::vgg16(), freeze).unwrap_err().to_string();
        assert!(message.contains("block6_conv1") && message.contains("block5_pool"), "{message}");
        let whole = architecture(config::HeadKind::Linear, 0, Freeze::Until("block4_pool".into()));
        let text = serde_json::to_string(&whole).unwrap();
        let wrong = text.replace("block4_pool", "block6_conv1");
        let in_file = serde_json::from_str::<Architecture>(&wrong).unwrap_err().to_string();
        assert!(in_file.contains(&message), "{in_file}");
        assert_eq!(serde_json::from_str::<Architecture>(&text).unwrap(), whole);
    }

    #[test]
    fn a_cut_point_freezes_its_stage() {
        let resnet = bases::named("resnet18").unwrap();
        let frozen = |until: &str| FrozenLayers::of(resnet, Freeze::Until(until.into())).unwrap();
        assert_eq!(frozen("layer3").count(), frozen("layer3.1").count());
        let efficientnet = bases::named("efficientnet_b0").unwrap();
        let until = |name: &str| efficientnet.layers_until(name).unwrap();
        assert_eq!(until("blocks.5"), until("blocks.5.3"));
    }
}
