//! The parts of a GIF up to its first frame: no other frame is decoded.

use std::borrow::Cow;

const SIGNATURE_LENGTH: usize = 6;
const EXTENSION: u8 = 0x21;
const FRAME: u8 = 0x2c;

/// The bytes after the first frame, if the file has all of it.
pub(crate) fn after_first_frame(bytes: &[u8]) -> Option<&[u8]> {
    let mut rest = after_description(bytes.get(SIGNATURE_LENGTH..)?, 7, 4)?;
    loop {
        let (kind, content) = rest.split_first()?;
        rest = match *kind {
            EXTENSION => after_blocks(content.get(1..)?)?,
            FRAME => return after_blocks(after_description(content, 9, 8)?.get(1..)?),
            _ => return None,
        };
    }
}

/// The same without transparency: its decoder would leave transparent pixels black, but in every
/// other format the colour behind alpha is used.
pub(crate) fn opaque(bytes: &[u8]) -> Cow<'_, [u8]> {
    let places = transparent_at(bytes);
    if places.is_empty() {
        return bytes.into();
    }
    let mut opaque = bytes.to_vec();
    places.iter().for_each(|at| opaque[*at] &= !TRANSPARENT);
    opaque.into()
}

/// The flag of a graphic control extension that announces a transparent colour.
const TRANSPARENT: u8 = 1;

/// Positions of the flags of graphic control extensions that announce a transparent colour for the
/// first frame.
fn transparent_at(bytes: &[u8]) -> Vec<usize> {
    const GRAPHIC_CONTROL: u8 = 0xf9;
    let mut places = Vec::new();
    let described = bytes.get(SIGNATURE_LENGTH..).and_then(|rest| after_description(rest, 7, 4));
    let mut rest = described.unwrap_or_default();
    // Label, length of the block, flags.
    while let [EXTENSION, label, _, flags, ..] = rest {
        if *label == GRAPHIC_CONTROL && flags & TRANSPARENT != 0 {
            places.push(bytes.len() - rest.len() + 3);
        }
        rest = rest.get(2..).and_then(after_blocks).unwrap_or_default();
    }
    places
}

/// The bytes after a description of `length` bytes and the colour table that its flags announce.
fn after_description(bytes: &[u8], length: usize, flags_at: usize) -> Option<&[u8]> {
    let flags = *bytes.get(flags_at)?;
    let colours = if flags & 0x80 == 0 { 0 } else { 2 << (flags & 0x07) };
    bytes.get(length + 3 * colours..)
}

/// The bytes after a series of blocks, each preceded by its length in one byte; the last is empty.
fn after_blocks(mut bytes: &[u8]) -> Option<&[u8]> {
    loop {
        let (length, rest) = bytes.split_first()?;
        bytes = rest.get(usize::from(*length)..)?;
        if *length == 0 {
            return Some(bytes);
        }
    }
}
