//! Burnt-in text: thin pieces of one height, in a row on one base line, on an even ground.

use super::component::Component;
use super::inked::Inked;
use super::region::Region;

/// A thin part is this much stronger than the picture without it.
const THIN: u8 = 80;

/// A character is this much stronger than its ground.
const CONTRAST: f64 = 80.0;

/// The ground around a character varies by no more than this standard deviation, in levels. Text
/// over anatomy is not found.
const GROUND_DEVIATION: f64 = 14.0;

/// Heights of characters, as shares of the picture's shorter side, and at least in pixels.
const HEIGHTS: [(f64, usize); 2] = [(0.012, 5), (0.10, 14)];

/// A character is at most this wide, in heights.
const WIDEST: f64 = 1.8;

/// A character fills at least this share of the rectangle around it.
const EMPTIEST: f64 = 0.12;

/// This many characters in a row are text.
const FEWEST_CHARACTERS: usize = 3;

/// The widest gap between characters, in heights: a space.
const WIDEST_GAP: f64 = 1.3;

/// How far base lines (the first number) and heights differ within a row, in heights.
const BASE_TOLERANCE: f64 = 0.15;
const HEIGHT_TOLERANCE: f64 = 0.35;

/// How far the strongest ink of two characters differs, in levels.
const STRENGTH_TOLERANCE: u8 = 30;

/// A piece that could be a character.
struct Character {
    piece: Component,
    strongest: u8,
}

/// The rows of text of one colour of ink, each once, from left to right.
pub(super) fn find(inked: &Inked) -> Vec<Region> {
    let mut characters = characters(inked);
    characters.sort_by_key(|it| (it.piece.left, it.piece.top));
    let mut is_told = vec![false; characters.len()];
    let mut rows = Vec::new();
    for first in 0..characters.len() {
        if is_told[first] {
            continue;
        }
        let row = row_from(&characters, first);
        if row.len() >= FEWEST_CHARACTERS {
            row.iter().for_each(|at| is_told[*at] = true);
            let pieces: Vec<&Component> = row.iter().map(|at| &characters[*at].piece).collect();
            rows.extend(Component::united(&pieces));
        }
    }
    rows
}

/// The character at `first` and those that follow it on its line.
fn row_from(characters: &[Character], first: usize) -> Vec<usize> {
    let start = &characters[first];
    let height = start.piece.height() as f64;
    let mut row = vec![first];
    let mut end = start.piece.right;
    for (at, next) in characters.iter().enumerate().skip(first + 1) {
        if next.piece.left as f64 > end as f64 + WIDEST_GAP * height {
            break;
        }
        // A column may be shared: slanted characters overlap.
        if next.piece.left + 1 >= end && are_of_one_line(start, next) {
            row.push(at);
            end = next.piece.right;
        }
    }
    row
}

fn are_of_one_line(start: &Character, next: &Character) -> bool {
    let height = start.piece.height() as f64;
    let close =
        |a: usize, b: usize, tolerance: f64| a.abs_diff(b) as f64 <= (tolerance * height).max(1.0);
    close(start.piece.bottom, next.piece.bottom, BASE_TOLERANCE)
        && close(start.piece.height(), next.piece.height(), HEIGHT_TOLERANCE)
        && start.strongest.abs_diff(next.strongest) <= STRENGTH_TOLERANCE
}

fn characters(inked: &Inked) -> Vec<Character> {
    let [lowest, highest] =
        HEIGHTS.map(|(share, least)| (share * inked.shorter_side()).max(least as f64));
    let is_thin = |at: usize| inked.thinness[at] >= THIN;
    let mut pieces = inked.components(is_thin);
    pieces.retain(|piece| {
        let (width, height) = (piece.width() as f64, piece.height() as f64);
        (lowest..=highest).contains(&height)
            && width <= WIDEST * height
            && piece.pixels.len() as f64 >= EMPTIEST * width * height
            && stands_on_even_ground(inked, piece)
    });
    let strongest = |piece: &Component| piece.pixels.iter().map(|at| inked.strength[*at]).max();
    let character =
        |piece: Component| Character { strongest: strongest(&piece).unwrap_or(0), piece };
    pieces.into_iter().map(character).collect()
}

/// Whether the surroundings of a piece, further than a pixel from anything thin, are of one
/// strength, and far from the piece's.
fn stands_on_even_ground(inked: &Inked, piece: &Component) -> bool {
    const MARGIN: usize = 2;
    const FEWEST_PIXELS: f64 = 4.0;
    let is_near_ink = |x: usize, y: usize| {
        let rows = y.saturating_sub(1)..=(y + 1).min(inked.height - 1);
        rows.into_iter().any(|row| {
            let columns = x.saturating_sub(1)..=(x + 1).min(inked.width - 1);
            columns.into_iter().any(|column| inked.thinness[row * inked.width + column] >= THIN)
        })
    };
    let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
    for y in piece.top.saturating_sub(MARGIN)..(piece.bottom + MARGIN).min(inked.height) {
        for x in piece.left.saturating_sub(MARGIN)..(piece.right + MARGIN).min(inked.width) {
            if !is_near_ink(x, y) {
                let strength = f64::from(inked.strength[y * inked.width + x]);
                count += 1.0;
                sum += strength;
                squares += strength * strength;
            }
        }
    }
    if count < FEWEST_PIXELS {
        return false;
    }
    let ground = sum / count;
    let deviation = (squares / count - ground * ground).max(0.0).sqrt();
    let ink: f64 = piece.pixels.iter().map(|at| f64::from(inked.strength[*at])).sum();
    deviation <= GROUND_DEVIATION && ink / piece.pixels.len() as f64 - ground >= CONTRAST
}
