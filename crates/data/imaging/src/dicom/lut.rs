//! Lookup tables: DICOM PS3.3 C.11.1 (modality) and C.11.2 (values of interest).

use dicom_dictionary_std::tags;

use super::attributes::Attributes;
use super::place::Place;
use super::refusal::{damaged, unsupported};
use crate::DecodeError;

/// A table of values; the first and last also apply to all values beyond them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Lut {
    first: i32,
    entries: Vec<u16>,
    bits: u16,
}

impl Lut {
    /// The table of a sequence, if there is one. `signed` is the sign of the first value mapped if
    /// there is no VR.
    pub(super) fn of(
        attributes: &Attributes<'_>,
        place: Place,
        signed: bool,
    ) -> Result<Option<Self>, DecodeError> {
        /// Entries if the descriptor, of 16 bits, is 0.
        const MOST_ENTRIES: usize = 1 << 16;
        if !attributes.has(place, tags::LUT_DATA) && !attributes.has(place, tags::LUT_DESCRIPTOR) {
            return Ok(None);
        }
        let descriptor: Vec<u16> = attributes.words(place, tags::LUT_DESCRIPTOR).take(3).collect();
        let [count, first, bits] = descriptor[..] else {
            return Err(damaged("a lookup table without its three numbers"));
        };
        let count = if count == 0 { MOST_ENTRIES } else { usize::from(count) };
        let signed = match attributes.value_at(place, tags::LUT_DESCRIPTOR) {
            Some((_, Some([b'S', b'S']))) => true,
            Some((_, Some([b'U', b'S']))) => false,
            _ => signed,
        };
        Ok(Some(Self {
            first: if signed { i32::from(first as i16) } else { i32::from(first) },
            entries: entries(attributes, place, count, bits)?,
            bits,
        }))
    }

    /// The table's entry for a value; fractions of values are cut off.
    pub(super) fn at(&self, value: f64) -> u16 {
        let place = (value - f64::from(self.first)).clamp(0.0, (self.entries.len() - 1) as f64);
        self.entries[place as usize]
    }

    /// The table's entry for a value, from 0, black, to 1, white.
    pub(super) fn brightness(&self, value: f64) -> f64 {
        let white = u16::MAX >> (16 - self.bits);
        (f64::from(self.at(value)) / f64::from(white)).min(1.0)
    }
}

/// As many entries as the descriptor states: bytes, of 8 bits, if there are not two for each;
/// otherwise words.
fn entries(
    attributes: &Attributes<'_>,
    place: Place,
    count: usize,
    bits: u16,
) -> Result<Vec<u16>, DecodeError> {
    let (bytes, vr) = attributes.value_at(place, tags::LUT_DATA).unwrap_or_default();
    let as_words = attributes.words(place, tags::LUT_DATA).take(count);
    let (entries, bytes_each): (Vec<u16>, _) = match bits {
        8 if bytes.len() < 2 * count => {
            let swapped = attributes.big_endian && vr != Some(*b"OB");
            let place = |at: usize| if swapped { at ^ 1 } else { at };
            let byte = |at: usize| bytes.get(place(at)).copied().map(u16::from);
            ((0..count).map_while(byte).collect(), 1)
        }
        8..=16 => (as_words.collect(), 2),
        _ => return Err(unsupported(format!("a lookup table of {bits} bits"))),
    };
    if entries.len() < count {
        return Err(damaged(format!(
            "{} bytes of a lookup table where {} are due",
            bytes.len(),
            bytes_each * count
        )));
    }
    Ok(entries)
}
