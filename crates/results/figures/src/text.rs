//! The width of text, and how to make it fit.

use std::sync::LazyLock;

use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

/// The family by which the drawing asks for the font.
pub(crate) const FAMILY: &str = "DejaVu Sans";

/// Replaces a character that the font lacks.
const LACKING: char = '□';

const ELLIPSIS: char = '…';

/// Characters of a line, at most: no picture has room for more.
const LONGEST: usize = 200;

/// A name may continue on the next line after these.
const SEPARATORS: [char; 5] = [' ', '_', '-', '.', '/'];

static REGULAR: LazyLock<FontRef<'static>> = LazyLock::new(|| font(dejavu::sans::regular()));
static BOLD: LazyLock<FontRef<'static>> = LazyLock::new(|| font(dejavu::sans::bold()));

fn font(bytes: &'static [u8]) -> FontRef<'static> {
    FontRef::new(bytes).expect("the font that is compiled in can be read")
}

/// The weight of the strokes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// A size, in pixels, and a weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Style {
    pub(crate) size: f64,
    pub(crate) weight: Weight,
}

impl Style {
    pub(crate) const fn regular(size: f64) -> Self {
        Self { size, weight: Weight::Regular }
    }

    pub(crate) const fn bold(size: f64) -> Self {
        Self { size, weight: Weight::Bold }
    }

    /// The same style, at the largest size up to its own at which the text fits.
    pub(crate) fn that_fits(self, text: &str, room: f64) -> Self {
        let width = self.width(text);
        if width <= room { self } else { Self { size: self.size * room / width, ..self } }
    }

    /// The width of a line, in pixels, without kerning.
    pub(crate) fn width(self, text: &str) -> f64 {
        let font = match self.weight {
            Weight::Regular => &*REGULAR,
            Weight::Bold => &*BOLD,
        };
        let metrics = font.glyph_metrics(Size::new(self.size as f32), LocationRef::default());
        let characters = font.charmap();
        let advance = |character| {
            let glyph = characters.map(character).unwrap_or_default();
            f64::from(metrics.advance_width(glyph).unwrap_or_default())
        };
        text.chars().map(advance).sum()
    }

    /// The line, with its end cut off if it does not fit.
    pub(crate) fn shorten_end(self, text: &str, room: f64) -> String {
        self.shorten(text, room, |kept, text| {
            let beginning: String = text.chars().take(kept).collect();
            format!("{}{ELLIPSIS}", beginning.trim_end())
        })
    }

    /// The line, with its beginning cut off if it does not fit: for paths.
    pub(crate) fn shorten_start(self, text: &str, room: f64) -> String {
        self.shorten(text, room, |kept, text| {
            let cut = text.chars().count() - kept;
            let end: String = text.chars().skip(cut).collect();
            format!("{ELLIPSIS}{end}")
        })
    }

    fn shorten(self, text: &str, room: f64, cut: impl Fn(usize, &str) -> String) -> String {
        if self.width(text) <= room {
            return text.to_owned();
        }
        let most = text.chars().count().min(LONGEST);
        let mut shortened = (1..most).rev().map(|kept| cut(kept, text));
        shortened.find(|it| self.width(it) <= room).unwrap_or_else(|| ELLIPSIS.to_string())
    }

    /// The text in at most `lines` lines, broken after separators if possible; the rest is cut off
    /// if it does not fit.
    pub(crate) fn wrap(self, text: &str, room: f64, lines: usize) -> Vec<String> {
        let mut wrapped: Vec<String> = vec![String::new()];
        for part in text.split_inclusive(SEPARATORS) {
            let is_last = wrapped.len() >= lines;
            let line = wrapped.last_mut().expect("there is a line from the beginning");
            let longer = format!("{line}{part}");
            if line.is_empty() || is_last || self.width(longer.trim_end()) <= room {
                *line = longer;
            } else {
                wrapped.push(part.to_owned());
            }
        }
        wrapped.iter().map(|line| self.shorten_end(line.trim(), room)).collect()
    }
}

/// The text with `□` for each character that the font lacks.
pub(crate) fn shown(text: &str) -> String {
    text.chars().map(|it| if can_be_shown(it) { it } else { LACKING }).collect()
}

/// Whether the font has every character.
pub(crate) fn is_shown_whole(text: &str) -> bool {
    text.chars().all(can_be_shown)
}

fn can_be_shown(character: char) -> bool {
    !character.is_control() && REGULAR.charmap().map(character).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style::regular(10.0);

    /// In DejaVu Sans, an `n` is 1298 units of 2048 wide, a space 651.
    #[test]
    fn widths_are_those_of_the_font() {
        assert!((STYLE.width("nn ") - 10.0 * (2.0 * 1298.0 + 651.0) / 2048.0).abs() < 0.01);
        assert!(Style::bold(10.0).width("n") > STYLE.width("n"));
        assert_eq!(STYLE.width(""), 0.0);
    }

    #[test]
    fn what_has_no_room_ends_or_begins_with_an_ellipsis() {
        let room = STYLE.width("squamous…");
        assert_eq!(STYLE.shorten_end("squamous_cell", room), "squamous…");
        assert_eq!(STYLE.shorten_end("squamous", room), "squamous");
        let room = STYLE.width("…/12.png");
        assert_eq!(STYLE.shorten_start("test/normal/12.png", room), "…/12.png");
        assert_eq!(STYLE.shorten_end("squamous", 0.0), "…");
        assert_eq!(STYLE.shorten_end("", 0.0), "");
        let endless = STYLE.shorten_end(&"n".repeat(100_000), 300.0);
        assert!(endless.ends_with("n…") && STYLE.width(&endless) <= 300.0, "{endless}");
    }

    #[test]
    fn names_are_broken_after_separators() {
        let room = STYLE.width("carcinoma_");
        let lines = STYLE.wrap("large_cell_carcinoma", room, 3);
        assert_eq!(lines, ["large_cell_", "carcinoma"]);
        assert_eq!(STYLE.wrap("large_cell_carcinoma", STYLE.width("large_…"), 1), ["large_…"]);
        assert_eq!(STYLE.wrap("", room, 2), [""]);
    }

    #[test]
    fn a_line_is_made_smaller_until_it_fits_and_never_larger() {
        let fitting = STYLE.that_fits("12345678", 20.0);
        assert!((fitting.width("12345678") - 20.0).abs() < 0.2, "{fitting:?}");
        assert_eq!(STYLE.that_fits("1", 20.0), STYLE);
    }

    #[test]
    fn accents_are_shown_and_chinese_is_not() {
        let word = "Übergröße é Ελλ Жщ ✓✗…";
        assert_eq!(shown(word), word);
        assert_eq!(shown("肺 a\tb"), "□ a□b");
        assert!(is_shown_whole(word) && !is_shown_whole("肺"));
    }
}
