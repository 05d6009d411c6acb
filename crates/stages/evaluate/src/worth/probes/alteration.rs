//! Removes something from a picture.

use anyhow::Result;
use classifier::ModelInput;
use imaging::{GreyLevels, Picture};
use scoring::Mask;
use serde::Serialize;

/// The quality at which all pictures are encoded.
const JPEG_QUALITY: u8 = 90;

/// The border is an eighth of the picture on each side, as for the baseline that only sees the
/// frame.
const BORDER: usize = 8;

/// A change to a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Alteration {
    /// Every picture gets the grey levels of the mean training image.
    LevelsMatched,
    /// The middle is covered.
    BorderOnly,
    /// The border is covered.
    CentreOnly,
    /// Every picture is encoded as the same kind of file.
    EncodedAlike,
    /// Every picture is resized to one size first.
    FromOneSize,
}

impl Alteration {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [
        Self::LevelsMatched,
        Self::BorderOnly,
        Self::CentreOnly,
        Self::EncodedAlike,
        Self::FromOneSize,
    ];

    /// For tables and progress bars.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::LevelsMatched => "grey levels matched",
            Self::BorderOnly => "border only",
            Self::CentreOnly => "centre only",
            Self::EncodedAlike => "encoded alike",
            Self::FromOneSize => "from one size",
        }
    }
}

/// The facts about the training images that the changes need.
pub(crate) struct Alterations {
    /// The levels that all pictures get.
    pub(crate) levels: GreyLevels,
    /// The cover: the training images' mean grey.
    pub(crate) mask: Mask,
    /// Width and height, in pixels, that all pictures are resized to.
    pub(crate) side: u32,
}

impl Alterations {
    /// The model's input for the changed picture.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub(crate) fn seen(
        &self,
        alteration: Alteration,
        picture: &Picture,
        input: &ModelInput,
    ) -> Result<Vec<f32>> {
        Ok(match alteration {
            Alteration::LevelsMatched => {
                let table = GreyLevels::of(picture).matched_to(&self.levels);
                input.apply(&picture.through(&table))
            }
            Alteration::BorderOnly => {
                let mut planes = input.apply(picture);
                self.mask.cover_middle(&mut planes, BORDER);
                planes
            }
            Alteration::CentreOnly => {
                let mut planes = input.apply(picture);
                self.mask.cover_border(&mut planes, BORDER);
                planes
            }
            Alteration::EncodedAlike => input.apply(&picture.reencoded(JPEG_QUALITY)?),
            Alteration::FromOneSize => input.apply(&picture.resized(self.side, self.side)),
        })
    }

    /// Describes the change, after "scored again, …".
    pub(crate) fn in_words(&self, alteration: Alteration) -> String {
        match alteration {
            Alteration::LevelsMatched => {
                "each with the grey levels of the mean training image".into()
            }
            Alteration::BorderOnly => "the middle covered, an eighth left on each side".into(),
            Alteration::CentreOnly => "an eighth covered on each side".into(),
            Alteration::EncodedAlike => {
                format!("all encoded as RGB JPEG of quality {JPEG_QUALITY}")
            }
            Alteration::FromOneSize => format!("all brought to {0}×{0} pixels first", self.side),
        }
    }
}
