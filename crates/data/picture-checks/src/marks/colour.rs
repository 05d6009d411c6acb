//! Coloured marks in grey pictures.

use imaging::Picture;

use super::component::Component;
use super::region::Region;

/// From this chroma on a pixel is coloured: a quarter of the range. JPEG tints grey by much less.
const COLOURED: u8 = 64;

/// Half of the pixels of a grey picture have less chroma than this.
const GREY: u8 = 16;

/// A coloured piece has at least this many pixels.
const FEWEST_PIXELS: usize = 8;

/// If more than this share of the pixels is coloured, the picture itself is in colour.
const LARGEST_SHARE: f64 = 0.05;

/// The coloured pieces of a grey picture, largest first.
pub(super) fn find(picture: &Picture) -> Vec<Region> {
    let Some(chroma) = picture.chroma() else { return Vec::new() };
    let coloured = chroma.iter().filter(|chroma| **chroma >= COLOURED).count();
    let grey = chroma.iter().filter(|chroma| **chroma < GREY).count();
    if coloured < FEWEST_PIXELS
        || coloured as f64 > LARGEST_SHARE * chroma.len() as f64
        || 2 * grey < chroma.len()
    {
        return Vec::new();
    }
    let mask = chroma.iter().map(|chroma| *chroma >= COLOURED).collect();
    let mut pieces = Component::all(mask, picture.width() as usize);
    pieces.retain(|piece| piece.pixels.len() >= FEWEST_PIXELS);
    pieces.sort_by_key(|piece| (std::cmp::Reverse(piece.pixels.len()), piece.pixels[0]));
    pieces.iter().map(Component::region).collect()
}
