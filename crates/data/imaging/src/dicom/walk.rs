//! The walk through a data set: from element to element, into the sequences that matter and past
//! all others. It keeps no values and does not recurse, so that no announced size can take memory.

use std::collections::BTreeMap;
use std::ops::Range;

use dicom_core::Tag;
use dicom_dictionary_std::tags;

use super::elements::{Elements, Header, ITEM, ITEM_END, SEQUENCE_END};
use super::place::{Extent, PixelData, Place, Value, leads_on, place_of};
use super::refusal::{damaged, too_costly, truncated, unsupported};
use crate::DecodeError;
use crate::limits::{MOST_FRAGMENTS, MOST_NESTING};

type Values = BTreeMap<(Place, Tag), Value>;

pub(super) struct Walk<'a> {
    elements: Elements<'a>,
    wanted: &'a [Tag],
    at: usize,
    /// The file itself has no VRs.
    implicit: bool,
    path: Vec<Level>,
    values: Values,
}

/// The level that the walk is in; `end` is missing if a delimiter ends it.
#[derive(Debug)]
enum Level {
    Sequence { tag: Tag, items: usize, end: Option<usize>, implicit: bool },
    Item { end: Option<usize>, implicit: bool },
}

impl<'a> Walk<'a> {
    pub(super) fn new(elements: Elements<'a>, wanted: &'a [Tag]) -> Self {
        let implicit = !elements.is_explicit(0);
        Self { elements, wanted, at: 0, implicit, path: Vec::new(), values: Values::new() }
    }

    /// Finds the wanted attributes, and the pixels.
    pub(super) fn through(
        mut self,
        extent: Extent,
    ) -> Result<(Values, Option<PixelData>), DecodeError> {
        loop {
            self.leave_what_ended()?;
            if self.at >= self.elements.bytes.len() {
                // The walk ends at the pixels, or at the end if there are none.
                return if self.path.is_empty() {
                    Ok((self.values, None))
                } else {
                    Err(truncated())
                };
            }
            if matches!(self.path.last(), Some(Level::Sequence { .. })) {
                self.enter_item()?;
                continue;
            }
            let Some(header) = self.elements.header(self.at, self.is_implicit()) else {
                return self.in_filling();
            };
            if header.tag.group() == ITEM.group() {
                self.leave(header)?;
                continue;
            }
            if self.path.is_empty() {
                if is_beyond(header.tag, extent) {
                    return Ok((self.values, None));
                }
                if matches!(header.tag, tags::FLOAT_PIXEL_DATA | tags::DOUBLE_FLOAT_PIXEL_DATA) {
                    return Err(unsupported("floating-point pixels"));
                }
                if header.tag == tags::PIXEL_DATA {
                    let pixels = self.pixels(header)?;
                    return Ok((self.values, Some(pixels)));
                }
            }
            self.pass(header)?;
        }
    }

    /// Fewer bytes than a header has: zeros after the last element are padding.
    fn in_filling(self) -> Result<(Values, Option<PixelData>), DecodeError> {
        let rest = &self.elements.bytes[self.at..];
        if self.path.is_empty() && rest.iter().all(|byte| *byte == 0) {
            return Ok((self.values, None));
        }
        Err(truncated())
    }

    fn is_implicit(&self) -> bool {
        match self.path.last() {
            None => self.implicit,
            Some(Level::Sequence { implicit, .. } | Level::Item { implicit, .. }) => *implicit,
        }
    }

    /// Ends items and sequences of known length.
    fn leave_what_ended(&mut self) -> Result<(), DecodeError> {
        while let Some(
            Level::Sequence { end: Some(end), .. } | Level::Item { end: Some(end), .. },
        ) = self.path.last()
        {
            if self.at > *end {
                return Err(not_nested());
            }
            if self.at < *end {
                break;
            }
            self.path.pop();
        }
        Ok(())
    }

    /// Starts the next item of a sequence, or ends the sequence. A sequence without its delimiter
    /// ends where another element follows.
    fn enter_item(&mut self) -> Result<(), DecodeError> {
        let header = self.elements.header(self.at, true).ok_or_else(truncated)?;
        match header.tag {
            ITEM => {}
            SEQUENCE_END => {
                self.path.pop();
                self.at = header.value_at;
                return Ok(());
            }
            ITEM_END => return Err(not_nested()),
            _ => {
                self.path.pop();
                return Ok(());
            }
        }
        let end = match header.length {
            Some(length) => Some(self.end_of(header.value_at, length)?),
            None => None,
        };
        let is_outer = self.is_implicit();
        if let Some(Level::Sequence { items, .. }) = self.path.last_mut() {
            *items += 1;
        }
        // In explicit files some writers omit VRs inside sequences.
        let implicit = is_outer || !self.elements.is_explicit(header.value_at);
        self.push(Level::Item { end, implicit })?;
        self.at = header.value_at;
        Ok(())
    }

    /// Handles a delimiter in place of an element: it ends an item, or the sequence around an item
    /// without its own delimiter.
    fn leave(&mut self, header: Header) -> Result<(), DecodeError> {
        match (header.tag, self.path.pop()) {
            (ITEM_END | SEQUENCE_END, Some(Level::Item { .. })) => {}
            _ => return Err(not_nested()),
        }
        if header.tag == SEQUENCE_END && self.path.pop().is_none() {
            return Err(not_nested());
        }
        self.at = header.value_at;
        Ok(())
    }

    /// Stores an element that is wanted and goes on after it, or inside it.
    fn pass(&mut self, header: Header) -> Result<(), DecodeError> {
        let Header { tag, vr, length, value_at } = header;
        let Some(length) = length else { return self.pass_undefined(header) };
        let end = self.end_of(value_at, length)?;
        let mut path = self.sequences();
        let place = if self.is_first() { place_of(&path) } else { None };
        path.push(tag);
        let may_be_sequence = matches!(vr, None | Some([b'S', b'Q'] | [b'U', b'N']));
        if self.is_first() && may_be_sequence && leads_on(&path) {
            let implicit = self.is_implicit() || vr == Some(*b"UN");
            self.push(Level::Sequence { tag, items: 0, end: Some(end), implicit })?;
            self.at = value_at;
            return Ok(());
        }
        if let Some(place) = place.filter(|place| counts(*place, tag) && self.wanted.contains(&tag))
        {
            let value = Value { range: value_at..end, vr };
            if place == Place::File {
                self.values.insert((place, tag), value);
            } else {
                self.values.entry((place, tag)).or_insert(value);
            }
        }
        self.at = end;
        Ok(())
    }

    /// An element without a length is a sequence, or fragments of pixels inside another object.
    fn pass_undefined(&mut self, header: Header) -> Result<(), DecodeError> {
        let Header { tag, vr, value_at, .. } = header;
        if matches!(vr, Some([b'O', _])) || tag == tags::PIXEL_DATA {
            let (_, end) = self.fragments(value_at)?;
            self.at = end.ok_or_else(truncated)?;
            return Ok(());
        }
        // PS3.5 section 6.2.2: an unknown VR without a length is implicit inside.
        let implicit = self.is_implicit() || vr == Some(*b"UN");
        self.push(Level::Sequence { tag, items: 0, end: None, implicit })?;
        self.at = value_at;
        Ok(())
    }

    fn push(&mut self, level: Level) -> Result<(), DecodeError> {
        if self.path.len() >= MOST_NESTING {
            return Err(too_costly(format!(
                "sequences inside each other, more than {MOST_NESTING} deep"
            )));
        }
        self.path.push(level);
        Ok(())
    }

    /// The enclosing sequences, from the outermost.
    fn sequences(&self) -> Vec<Tag> {
        let tag = |level: &Level| match level {
            Level::Sequence { tag, .. } => Some(*tag),
            Level::Item { .. } => None,
        };
        self.path.iter().filter_map(tag).collect()
    }

    /// Whether this is the first item of each enclosing sequence.
    fn is_first(&self) -> bool {
        let is_first = |level: &Level| match level {
            Level::Sequence { items, .. } => *items == 1,
            Level::Item { .. } => true,
        };
        self.path.iter().all(is_first)
    }

    fn pixels(&self, header: Header) -> Result<PixelData, DecodeError> {
        let Header { vr, length, value_at, .. } = header;
        if let Some(length) = length {
            let range = value_at..self.end_of(value_at, length)?;
            return Ok(PixelData::Native { range, in_words: vr.is_none() || vr == Some(*b"OW") });
        }
        let (mut fragments, end) = self.fragments(value_at)?;
        let offsets = if fragments.is_empty() { 0..0 } else { fragments.remove(0) };
        Ok(PixelData::Encapsulated { offsets, fragments, ended: end.is_some() })
    }

    /// Items with coded bytes, PS3.5 A.4, and their end. The delimiter may be missing if the file
    /// ends with a complete fragment.
    fn fragments(&self, mut at: usize) -> Result<(Vec<Range<usize>>, Option<usize>), DecodeError> {
        let mut fragments = Vec::new();
        while at < self.elements.bytes.len() {
            let header = self.elements.header(at, true).ok_or_else(truncated)?;
            match (header.tag, header.length) {
                (ITEM, Some(length)) => {
                    at = self.end_of(header.value_at, length)?;
                    fragments.push(header.value_at..at);
                }
                (SEQUENCE_END, _) => return Ok((fragments, Some(header.value_at))),
                _ => return Err(damaged("its compressed pixels are not in fragments")),
            }
            if fragments.len() > MOST_FRAGMENTS {
                return Err(too_costly(format!(
                    "more than {MOST_FRAGMENTS} fragments of compressed pixels"
                )));
            }
        }
        Ok((fragments, None))
    }

    fn end_of(&self, start: usize, length: usize) -> Result<usize, DecodeError> {
        let end = start.saturating_add(length);
        if end > self.elements.bytes.len() { Err(truncated()) } else { Ok(end) }
    }
}

/// Whether the walk has passed its end: attributes of a data set are in the order of their numbers.
fn is_beyond(tag: Tag, extent: Extent) -> bool {
    match extent {
        Extent::Until(last) => tag > last,
        Extent::Pixels => tag > tags::PIXEL_DATA,
    }
}

/// Whether an attribute has a meaning in a place.
fn counts(place: Place, tag: Tag) -> bool {
    let is_of_lut = matches!(tag, tags::LUT_DESCRIPTOR | tags::LUT_DATA | tags::MODALITY_LUT_TYPE);
    match place {
        Place::File => !is_of_lut,
        Place::Transformation => {
            matches!(tag, tags::RESCALE_SLOPE | tags::RESCALE_INTERCEPT | tags::RESCALE_TYPE)
        }
        Place::FrameVoi => {
            matches!(tag, tags::WINDOW_CENTER | tags::WINDOW_WIDTH | tags::VOILUT_FUNCTION)
        }
        Place::ModalityLut | Place::VoiLut => is_of_lut,
    }
}

fn not_nested() -> DecodeError {
    damaged("its sequences do not nest")
}
