//! Colours that also differ in brightness, for colour-blind readers (Okabe and Ito 2008).

use std::fmt;

/// Red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Colour(pub(crate) [u8; 3]);

pub(crate) const WHITE: Colour = Colour([255, 255, 255]);
const BLACK: Colour = Colour([0, 0, 0]);
/// Titles and names.
pub(crate) const INK: Colour = Colour([32, 33, 36]);
/// Explanations.
pub(crate) const FAINT: Colour = Colour([95, 99, 104]);
pub(crate) const GRID: Colour = Colour([226, 229, 233]);
pub(crate) const FRAME: Colour = Colour([150, 155, 162]);
/// The area around a scan that does not fill its place.
pub(crate) const MAT: Colour = Colour([233, 236, 239]);
pub(crate) const BLUE: Colour = Colour([0, 114, 178]);
pub(crate) const VERMILION: Colour = Colour([200, 80, 0]);
/// Bars behind text.
pub(crate) const BAR_GROUND: Colour = Colour([243, 245, 247]);
pub(crate) const PALE_BLUE: Colour = Colour([158, 207, 238]);
pub(crate) const PALE_VERMILION: Colour = Colour([249, 190, 147]);
pub(crate) const PALE_GREY: Colour = Colour([201, 206, 212]);

/// From none to all: the ends and the middle of ColorBrewer's "Blues".
const STOPS: [[u8; 3]; 3] = [[247, 251, 255], [107, 174, 214], [8, 48, 107]];

/// The colour of a share, given in thousandths.
pub(crate) fn of_share(thousandths: u32) -> Colour {
    let place = thousandths.min(1000);
    let (below, above, way) =
        if place < 500 { (STOPS[0], STOPS[1], place) } else { (STOPS[1], STOPS[2], place - 500) };
    let mix = |channel: usize| {
        let (from, to) = (u32::from(below[channel]), u32::from(above[channel]));
        ((from * (500 - way) + to * way + 250) / 500) as u8
    };
    Colour([mix(0), mix(1), mix(2)])
}

impl Colour {
    /// Black or white, whichever is easier to read on this colour.
    pub(crate) fn text_on_it(self) -> Self {
        let [red, green, blue] = self.0.map(u32::from);
        // Rec. 601's weights; from this brightness on, black has more contrast by WCAG.
        if 299 * red + 587 * green + 114 * blue >= 110_500 { BLACK } else { WHITE }
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2.2's relative luminance.
    fn luminance(colour: Colour) -> f64 {
        let [red, green, blue] = colour.0.map(|it| {
            let share = f64::from(it) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    }

    fn contrast(a: Colour, b: Colour) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_can_be_read_on_every_share() {
        for share in 0..=1000 {
            let colour = of_share(share);
            let text = colour.text_on_it();
            assert!(contrast(colour, text) >= 4.5, "{share}: {}", contrast(colour, text));
        }
        assert_eq!((of_share(0).0, of_share(1000).0), (STOPS[0], STOPS[2]));
        assert_eq!(of_share(500).0, STOPS[1]);
    }

    #[test]
    fn colours_that_mean_something_stand_out_on_white() {
        for colour in [INK, FAINT, BLUE, VERMILION] {
            assert!(contrast(colour, WHITE) >= 4.5, "{colour}: {}", contrast(colour, WHITE));
        }
        assert!((luminance(BLUE) - luminance(VERMILION)).abs() > 0.02);
    }
}
