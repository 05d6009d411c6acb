use std::fmt;

use serde::{Deserialize, Serialize};

/// How a picture is flipped before a model sees it. Each undoes itself.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Flip {
    /// Not at all.
    #[default]
    None,
    /// Left and right change places.
    Horizontal,
    /// Top and bottom change places.
    Vertical,
    /// Both: half a turn.
    Both,
}

impl Flip {
    /// Whether the picture stays as it is.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Flips planes of `side` × `side` values, one after the other, in place.
    ///
    /// # Panics
    /// When `side` is 0.
    pub fn apply(self, planes: &mut [f32], side: usize) {
        for plane in planes.chunks_exact_mut(side * side) {
            match self {
                Self::None => {}
                Self::Horizontal => plane.chunks_exact_mut(side).for_each(<[f32]>::reverse),
                Self::Vertical => {
                    plane.reverse();
                    plane.chunks_exact_mut(side).for_each(<[f32]>::reverse);
                }
                Self::Both => plane.reverse(),
            }
        }
    }
}

impl fmt::Display for Flip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Horizontal => "horizontal",
            Self::Vertical => "vertical",
            Self::Both => "both",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_flip_is_the_textbook_one_and_undoes_itself() {
        let planes = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        for (flip, expected) in [
            (Flip::None, planes),
            (Flip::Horizontal, [2.0, 1.0, 4.0, 3.0, 6.0, 5.0, 8.0, 7.0]),
            (Flip::Vertical, [3.0, 4.0, 1.0, 2.0, 7.0, 8.0, 5.0, 6.0]),
            (Flip::Both, [4.0, 3.0, 2.0, 1.0, 8.0, 7.0, 6.0, 5.0]),
        ] {
            let mut flipped = planes;
            flip.apply(&mut flipped, 2);
            assert_eq!(flipped, expected, "{flip}");
            flip.apply(&mut flipped, 2);
            assert_eq!(flipped, planes, "{flip}");
        }
    }
}
