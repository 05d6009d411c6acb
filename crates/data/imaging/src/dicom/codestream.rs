//! The sizes that a JPEG 2000 codestream announces (ITU-T T.800 annex A), read before its decoder
//! starts.

use std::borrow::Cow;

use crate::limits::{FEW_CODING_UNITS, FEW_TILES, LEAST_CODING_UNIT_SAMPLES, LEAST_TILE_PIXELS};

/// The size and cost of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Codestream {
    pub(super) components: usize,
    /// Bits of a sample, and whether they have a sign; `None` if components differ.
    pub(super) depth: Option<(u8, bool)>,
    size: [u64; 2],
    tile: [u64; 2],
    tiles: u64,
    coding: Vec<Coding>,
    /// Position of a tile part that goes on to the end: its length is written as 0 there.
    open_part_at: Option<usize>,
}

/// How a tile is divided: from a COD or COC segment. Exponents of two.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Coding {
    layers: u64,
    levels: u8,
    block: [u8; 2],
    /// Both sides for each resolution; missing ones are not divided.
    precincts: Vec<[u8; 2]>,
}

const START: [u8; 4] = [0xff, 0x4f, 0xff, 0x51];
const CODING: u8 = 0x52;
const CODING_OF_COMPONENT: u8 = 0x53;
const START_OF_TILE_PART: u8 = 0x90;
const START_OF_DATA: u8 = 0x93;
const END: [u8; 2] = [0xff, 0xd9];

impl Codestream {
    /// Whether a frame is a codestream, without a container around it.
    pub(super) fn starts(frame: &[u8]) -> bool {
        frame.starts_with(&START)
    }

    /// Walks through all headers. `None` if they end too early or contradict themselves.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let mut found = Self::of_size(bytes.get(4..)?)?;
        let mut at = 4 + word(bytes, 4)?;
        // Each tile part: its start, and its stated number of bytes.
        let mut part: Option<(usize, usize)> = None;
        let mut layers = 1;
        while let Some([0xff, marker]) = bytes.get(at..).and_then(|it| it.first_chunk::<2>()) {
            let segment = bytes.get(at + 2..)?;
            match *marker {
                // These have no content.
                0x30..=0x3f => at += 2,
                START_OF_DATA => {
                    let (start, length) = part?;
                    if length == 0 {
                        found.open_part_at = Some(start);
                        break;
                    }
                    // A damaged length must still move the position forward.
                    at = start.checked_add(length)?.max(at + 2);
                }
                0xd9 => break,
                marker => {
                    match marker {
                        START_OF_TILE_PART => part = Some((at, long(segment, 4)? as usize)),
                        CODING => {
                            let coding = Coding::of_tile(segment)?;
                            layers = layers.max(coding.layers);
                            found.coding.push(coding);
                        }
                        CODING_OF_COMPONENT => {
                            let wide = if found.components < 257 { 1 } else { 2 };
                            found.coding.push(Coding::of_component(segment, wide, layers)?);
                        }
                        _ => {}
                    }
                    at += 2 + word(segment, 0)?;
                }
            }
        }
        Some(found)
    }

    /// From the SIZ segment, A.5.1.
    fn of_size(siz: &[u8]) -> Option<Self> {
        let numbers: Vec<u64> =
            (0..8).map(|number| long(siz, 4 + 4 * number)).collect::<Option<_>>()?;
        let [x1, y1, x0, y0, tile_x, tile_y, tile_x0, tile_y0] = numbers[..] else { return None };
        let components = word(siz, 36)?;
        let depths: Vec<u8> = siz.get(38..)?.iter().step_by(3).take(components).copied().collect();
        let first = *depths.first()?;
        let depth = depths.iter().all(|depth| *depth == first);
        if tile_x == 0 || tile_y == 0 {
            return None;
        }
        let tiles = |end: u64, start: u64, side: u64| end.saturating_sub(start).div_ceil(side);
        Some(Self {
            components,
            depth: depth.then_some(((first & 0x7f) + 1, first & 0x80 != 0)),
            size: [x1.saturating_sub(x0), y1.saturating_sub(y0)],
            tile: [tile_x.min(x1), tile_y.min(y1)],
            tiles: tiles(x1, tile_x0, tile_x).saturating_mul(tiles(y1, tile_y0, tile_y)),
            coding: Vec::new(),
            open_part_at: None,
        })
    }

    /// The reason why decoding would cost more than a picture of its size should, if it would.
    pub(super) fn excess(&self) -> Option<String> {
        let pixels = self.size[0].saturating_mul(self.size[1]);
        let [width, height] = self.size;
        let most = FEW_TILES + pixels / LEAST_TILE_PIXELS;
        if self.tiles > most {
            return Some(format!(
                "a JPEG 2000 of {} tiles; more than {most} are refused for {width}×{height} pixels",
                self.tiles
            ));
        }
        let components = self.components as u64;
        let most = FEW_CODING_UNITS + pixels.saturating_mul(components) / LEAST_CODING_UNIT_SAMPLES;
        let of_tile = self.coding.iter().map(|coding| coding.units(self.tile)).max().unwrap_or(0);
        let units = of_tile.saturating_mul(self.tiles).saturating_mul(components);
        (units > most).then(|| {
            format!(
                "a JPEG 2000 of {units} precincts and layers of code blocks; more than {most} are \
                 refused for {width}×{height} pixels"
            )
        })
    }

    /// The same with the length of each tile part. A length of 0, which is legal in the last part,
    /// means all bytes up to the end mark, but the decoder would include that mark.
    pub(super) fn closed<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        /// Offset of a tile part's length from its marker.
        const LENGTH_AT: usize = 6;
        let end = bytes.windows(END.len()).rposition(|pair| pair == END);
        let Some((start, end)) = self.open_part_at.zip(end) else { return bytes.into() };
        let Ok(length) = u32::try_from(end.saturating_sub(start)) else { return bytes.into() };
        let mut closed = bytes.to_vec();
        closed[start + LENGTH_AT..start + LENGTH_AT + 4].copy_from_slice(&length.to_be_bytes());
        closed.into()
    }
}

impl Coding {
    /// From a COD segment, A.6.1.
    fn of_tile(segment: &[u8]) -> Option<Self> {
        let layers = word(segment, 4)? as u64;
        Self::of(segment.get(7..)?, *segment.get(2)?, layers)
    }

    /// From a COC segment, A.6.2, whose component number has `wide` bytes.
    fn of_component(segment: &[u8], wide: usize, layers: u64) -> Option<Self> {
        Self::of(segment.get(3 + wide..)?, *segment.get(2 + wide)?, layers)
    }

    /// Levels, sides of code blocks, their style, the transform, and sides of precincts.
    fn of(rest: &[u8], style: u8, layers: u64) -> Option<Self> {
        const HAS_PRECINCTS: u8 = 1;
        let [levels, width, height, _, _, precincts @ ..] = rest else { return None };
        let levels = (*levels).min(32);
        let sides = |byte: &u8| [byte & 0x0f, byte >> 4];
        let precincts = if style & HAS_PRECINCTS == 0 { &[] } else { precincts };
        Some(Self {
            layers: layers.max(1),
            levels,
            block: [(width & 0x0f) + 2, (height & 0x0f) + 2],
            precincts: precincts.iter().take(usize::from(levels) + 1).map(sides).collect(),
        })
    }

    /// Precincts, and code blocks once for each layer, of a tile of one component.
    fn units(&self, tile: [u64; 2]) -> u64 {
        const NOT_CUT: [u8; 2] = [15, 15];
        let parts = |side: u64, exponent: u8| side.div_ceil(1 << exponent).max(1);
        let mut units = 0_u64;
        for resolution in 0..=self.levels {
            let halvings = self.levels - resolution;
            let sides = tile.map(|side| parts(side, halvings));
            let precinct = self.precincts.get(usize::from(resolution)).copied().unwrap_or(NOT_CUT);
            // All resolutions except the lowest have three bands of half their sides.
            let (bands, half) = if resolution == 0 { (1, 0) } else { (3, 1) };
            let (mut precincts, mut blocks) = (1_u64, 1_u64);
            for axis in 0..2 {
                let block = self.block[axis].min(precinct[axis].saturating_sub(half));
                precincts = precincts.saturating_mul(parts(sides[axis], precinct[axis]));
                blocks = blocks.saturating_mul(parts(parts(sides[axis], half), block));
            }
            let all = blocks.saturating_mul(self.layers).saturating_add(precincts);
            units = units.saturating_add(all.saturating_mul(bands));
        }
        units
    }
}

fn word(bytes: &[u8], at: usize) -> Option<usize> {
    Some(usize::from(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?)))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &[u8] = include_bytes!("../../tests/pictures/signed.j2k");

    #[test]
    fn a_real_codestream_is_within_the_limits() {
        let found = Codestream::of(SIGNED).unwrap();
        assert_eq!((found.components, found.depth, found.tiles), (1, Some((12, true)), 1));
        assert_eq!(found.excess(), None);
        assert_eq!(found.closed(SIGNED), SIGNED);
    }

    #[test]
    fn tiles_precincts_and_layers_without_number_are_excess() {
        let real = Codestream::of(SIGNED).unwrap();
        let tiles = Codestream { tiles: 66, ..real.clone() };
        assert!(tiles.excess().unwrap().contains("66 tiles"), "{tiles:?}");
        let cut = |layers, block, precinct| Codestream {
            size: [4096; 2],
            tile: [4096; 2],
            coding: vec![Coding {
                layers,
                levels: 5,
                block: [block; 2],
                precincts: vec![[precinct; 2]; 6],
            }],
            ..real.clone()
        };
        assert_eq!(cut(12, 6, 15).excess(), None);
        assert_eq!(cut(12, 5, 8).excess(), None);
        assert!(cut(32, 2, 15).excess().unwrap().contains("code blocks"));
        assert!(cut(1, 6, 0).excess().unwrap().contains("precincts"));
        // Tiles may be divided differently from each other.
        let mut two = cut(1, 6, 15);
        two.coding.extend(cut(1, 6, 0).coding);
        assert!(two.excess().is_some());
    }

    #[test]
    fn headers_cut_anywhere_end_without_a_panic() {
        for cut in 0..SIGNED.len() {
            let _ = Codestream::of(&SIGNED[..cut]);
        }
    }
}
