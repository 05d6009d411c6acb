//! Text, pen strokes and coloured marks that someone drew into a picture.
//!
//! A drawn mark is thin, and, unlike anatomy seen through a scanner's blur, it goes from ink to
//! background within one pixel. Three simple detectors:
//!
//! | detector | finds | how |
//! |---|---|---|
//! | colour | anything coloured in a picture that is otherwise grey | chroma of 64 levels or more |
//! | pen stroke | long thin lines of black or white ink | constant ink, hard edges |
//! | text | three characters or more in a row | thin pieces of one height on one base line, on an even ground |
//!
//! # How well they work
//!
//! Recall, of 100 phantoms (about 235×174) with one mark each (`tests/marks.rs`):
//!
//! | drawn | found |
//! |---|---|
//! | coloured line, PNG or JPEG | 1.00 |
//! | white line with hard edges, PNG · JPEG of quality 90 | 0.82 · 0.81 |
//! | black line with hard edges | 0.77 · 0.77 |
//! | white or black line with smooth edges | 0 |
//! | text in a corner, 7 pixels high | 0.69 · 0.70 |
//! | text in a corner, 14 pixels high | 0.23 |
//!
//! Missed are: ink over ground of its own brightness, lines with smooth (anti-aliased) edges, which
//! look like vessels, text over the body, grey watermarks, single letters. Of the 66 distinct
//! `normal` pictures of the public chest CT set, 42 have strokes, arrows, boxes or coloured dots
//! when examined by eye; 37 of these are found. Of its other text, a watermark in 7 pictures and a
//! small "IM: 15 SE: 4" are missed.
//!
//! False alarms: 1 of 400 clean phantoms (0 of them as JPEG); 0 of the 24 other `normal` pictures;
//! 0 of the 729 pictures of the three cancers. Of these 3 are marked, correctly when examined by
//! eye: a yellow line, a red warning, the text "A180".

mod colour;
mod component;
mod inked;
mod opening;
mod region;
mod stroke;
mod text;

use imaging::{Grey, Picture};
use serde::Serialize;

use inked::Inked;
pub use region::Region;

/// No marks are looked for in pictures whose shorter side is below this, in pixels.
const SMALLEST_SIDE: u32 = 64;

/// At most this many marks of a picture are recorded, so that facts stay small.
const MOST_MARKS: usize = 16;

/// Something drawn into a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Its appearance.
    pub kind: MarkKind,
    /// Its position.
    pub region: Region,
}

/// The appearance of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkKind {
    /// Coloured, in a grey picture.
    Coloured,
    /// A long thin line of black or white ink.
    PenStroke,
    /// At least three characters in a row.
    Text,
}

impl std::fmt::Display for MarkKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Coloured => "coloured mark",
            Self::PenStroke => "pen stroke",
            Self::Text => "text",
        })
    }
}

/// Finds the marks in a picture whose brightness is `grey`.
pub(crate) fn find(picture: &Picture, grey: &Grey) -> Vec<Mark> {
    if grey.width().min(grey.height()) < SMALLEST_SIDE {
        return Vec::new();
    }
    let mark = |kind| move |region| Mark { kind, region };
    let mut marks: Vec<Mark> =
        colour::find(picture).into_iter().map(mark(MarkKind::Coloured)).collect();
    for inked in [Inked::new(grey, |level| level), Inked::new(grey, |level| 255 - level)] {
        marks.extend(stroke::find(&inked).into_iter().map(mark(MarkKind::PenStroke)));
        marks.extend(text::find(&inked).into_iter().map(mark(MarkKind::Text)));
    }
    marks.truncate(MOST_MARKS);
    marks.shrink_to_fit();
    marks
}
