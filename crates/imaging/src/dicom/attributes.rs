//! What a DICOM file says of itself, found in one walk that reads no pixel.
//!
//! dicom-rs is asked for one token after the other. Its tree of objects is not built: it reserves
//! memory by lengths that a few bytes can announce, and calls itself for every nested sequence.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;

use dicom_core::header::Header;
use dicom_core::{Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_parser::dataset::LazyDataToken;
use dicom_parser::dataset::lazy_read::LazyDataSetReader;
use dicom_parser::stateful::decode::StatefulDecode;
use dicom_transfer_syntax_registry::{TransferSyntaxIndex, TransferSyntaxRegistry};

use super::meta::Meta;
use super::{damaged, truncated, unsupported};
use crate::{DecodeError, PictureFormat};

/// Retired in 2007, but old files stay.
pub(super) const EXPLICIT_VR_BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// The attributes that were asked for, and where the pixels are.
pub(super) struct Attributes<'a> {
    /// UID of the transfer syntax, which tells the byte order and the compression.
    pub(super) transfer_syntax: String,
    pub(super) big_endian: bool,
    pub(super) pixels: Option<PixelData>,
    values: BTreeMap<Tag, Range<usize>>,
    data_set: Cow<'a, [u8]>,
}

/// Where the pixels of all frames are in the data set.
pub(super) enum PixelData {
    Native {
        range: Range<usize>,
        /// Written as words: two bytes each have the file's byte order, be samples bytes or not.
        in_words: bool,
    },
    Encapsulated {
        /// The basic offset table; often empty.
        offsets: Range<usize>,
        fragments: Vec<Range<usize>>,
    },
}

/// How far the walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Up to and with this attribute.
    Until(Tag),
    /// To the pixels.
    Pixels,
}

/// What the walk is inside of.
#[derive(Debug, PartialEq, Eq)]
enum Level {
    Sequence { tag: Tag, items: usize },
    Fragments,
    Item,
}

impl<'a> Attributes<'a> {
    /// Walks through a file. `most_bytes` bounds what a deflated one may become.
    pub(super) fn read(
        bytes: &'a [u8],
        wanted: &[Tag],
        extent: Extent,
        most_bytes: usize,
    ) -> Result<Self, DecodeError> {
        let Meta { transfer_syntax, data_set } = Meta::read(bytes)?;
        let unknown = || unsupported(format!("transfer syntax {transfer_syntax}"));
        // What is deflated is explicit and little endian.
        let deflated = transfer_syntax == uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN;
        let data_set =
            if deflated { inflate(data_set, most_bytes, extent)? } else { data_set.into() };
        let read_as = if deflated { uids::EXPLICIT_VR_LITTLE_ENDIAN } else { transfer_syntax };
        let syntax = TransferSyntaxRegistry.get(read_as).ok_or_else(unknown)?;

        let mut walk =
            Walk { data_set: &data_set, wanted, path: Vec::new(), values: BTreeMap::new() };
        let reader = LazyDataSetReader::new_with_ts(Cursor::new(&*data_set), syntax)
            .map_err(|_| unknown())?;
        let pixels = walk.through(reader, extent)?;
        let values = walk.values;
        Ok(Self {
            transfer_syntax: transfer_syntax.to_owned(),
            big_endian: transfer_syntax == EXPLICIT_VR_BIG_ENDIAN,
            pixels,
            values,
            data_set,
        })
    }

    /// Bytes of the data set.
    pub(super) fn bytes(&self, range: &Range<usize>) -> &[u8] {
        self.data_set.get(range.clone()).unwrap_or_default()
    }

    fn value(&self, tag: Tag) -> Option<&[u8]> {
        self.values.get(&tag).map(|range| self.bytes(range))
    }

    /// Text without what fills it up; of several values the first. None where there is none.
    pub(super) fn text(&self, tag: Tag) -> Option<String> {
        let text = readable(self.value(tag)?);
        let first = text.split('\\').next().unwrap_or_default();
        let first = first.trim_matches(|c: char| c.is_whitespace() || c == '\0');
        (!first.is_empty()).then(|| first.to_owned())
    }

    /// A number that is written in digits; of several the first.
    pub(super) fn decimal(&self, tag: Tag) -> Result<Option<f64>, DecodeError> {
        let Some(text) = self.text(tag) else { return Ok(None) };
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            _ => Err(damaged(format!("{} is {text:?}, which is no number", name_of(tag)))),
        }
    }

    /// A number of 16 bits, signed or not: its bits.
    pub(super) fn word(&self, tag: Tag) -> Option<u16> {
        let bytes = *self.value(tag)?.first_chunk::<2>()?;
        Some(if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    /// A number of 16 bits that must be there.
    pub(super) fn required_word(&self, tag: Tag) -> Result<u16, DecodeError> {
        self.word(tag).ok_or_else(|| damaged(format!("{} is missing", name_of(tag))))
    }
}

struct Walk<'a> {
    data_set: &'a [u8],
    wanted: &'a [Tag],
    path: Vec<Level>,
    values: BTreeMap<Tag, Range<usize>>,
}

impl Walk<'_> {
    fn through<S: StatefulDecode>(
        &mut self,
        mut reader: LazyDataSetReader<S>,
        extent: Extent,
    ) -> Result<Option<PixelData>, DecodeError> {
        let mut fragments: Vec<Range<usize>> = Vec::new();
        while let Some(token) = reader.advance() {
            let token = token.map_err(|error| self.explain(&error))?;
            match token {
                LazyDataToken::SequenceStart { tag, .. } => {
                    self.path.push(Level::Sequence { tag, items: 0 });
                }
                LazyDataToken::PixelSequenceStart => self.path.push(Level::Fragments),
                LazyDataToken::ItemStart { .. } => self.enter_item(&mut fragments)?,
                LazyDataToken::ItemEnd => self.leave(|level| *level == Level::Item)?,
                LazyDataToken::SequenceEnd => {
                    let at_top = matches!(self.path[..], [Level::Fragments]);
                    self.leave(|level| *level != Level::Item)?;
                    if at_top {
                        return Ok(Some(encapsulated(fragments)));
                    }
                }
                LazyDataToken::ElementHeader(header) => {
                    if self.path.is_empty() && is_beyond(header.tag, extent) {
                        return Ok(None);
                    }
                    if self.path.is_empty() && is_floating(header.tag) {
                        return Err(unsupported("floating-point pixels"));
                    }
                }
                LazyDataToken::LazyValue { header, decoder } => {
                    let range = self.range(decoder.position(), header.len.0)?;
                    if self.path.is_empty() && header.tag() == tags::PIXEL_DATA {
                        let in_words = header.vr() == VR::OW;
                        return Ok(Some(PixelData::Native { range, in_words }));
                    }
                    self.keep(header.tag, range);
                    decoder.skip_bytes(header.len.0).map_err(|_| truncated())?;
                }
                LazyDataToken::LazyItemValue { len, decoder } => {
                    let range = self.range(decoder.position(), len)?;
                    if let ([Level::Fragments, ..], Some(last)) =
                        (&self.path[..], fragments.last_mut())
                    {
                        *last = range;
                    }
                    decoder.skip_bytes(len).map_err(|_| truncated())?;
                }
                _ => return Err(damaged("it holds what this program does not know")),
            }
        }
        // The walk ends only at the pixels, or where there are none.
        if self.path.is_empty() { Ok(None) } else { Err(truncated()) }
    }

    fn enter_item(&mut self, fragments: &mut Vec<Range<usize>>) -> Result<(), DecodeError> {
        match self.path.last_mut() {
            Some(Level::Sequence { items, .. }) => *items += 1,
            // An empty fragment has no value that follows.
            Some(Level::Fragments) => fragments.push(0..0),
            Some(Level::Item) | None => return Err(not_nested()),
        }
        self.path.push(Level::Item);
        Ok(())
    }

    /// Ends an item or a sequence. dicom-rs panics on some that end and never began.
    fn leave(&mut self, is_right: impl Fn(&Level) -> bool) -> Result<(), DecodeError> {
        match self.path.pop() {
            Some(level) if is_right(&level) => Ok(()),
            _ => Err(not_nested()),
        }
    }

    fn range(&self, position: u64, length: u32) -> Result<Range<usize>, DecodeError> {
        let start = usize::try_from(position).map_err(|_| truncated())?;
        let end = start.saturating_add(length as usize);
        if end > self.data_set.len() { Err(truncated()) } else { Ok(start..end) }
    }

    /// Remembers an attribute of the file itself, or of the first frame, as multi-frame objects
    /// have them in the first items of their functional groups.
    fn keep(&mut self, tag: Tag, range: Range<usize>) {
        if !self.wanted.contains(&tag) {
            return;
        }
        let is_first = |level: &Level| match level {
            Level::Sequence { items, .. } => *items == 1,
            Level::Item => true,
            Level::Fragments => false,
        };
        match self.path.first() {
            None => {
                self.values.insert(tag, range);
            }
            Some(Level::Sequence {
                tag:
                    tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE | tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
                ..
            }) if is_of_frame(tag) && self.path.iter().all(is_first) => {
                self.values.entry(tag).or_insert(range);
            }
            Some(_) => {}
        }
    }

    fn explain(&self, error: &dicom_parser::dataset::lazy_read::Error) -> DecodeError {
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(error) = cause {
            if let Some(io) = error.downcast_ref::<std::io::Error>()
                && io.kind() == std::io::ErrorKind::UnexpectedEof
            {
                return truncated();
            }
            cause = error.source();
        }
        damaged(format!("{error}").to_lowercase())
    }
}

fn encapsulated(mut fragments: Vec<Range<usize>>) -> PixelData {
    let offsets = if fragments.is_empty() { 0..0 } else { fragments.remove(0) };
    PixelData::Encapsulated { offsets, fragments }
}

/// Attributes that may differ from frame to frame.
fn is_of_frame(tag: Tag) -> bool {
    matches!(
        tag,
        tags::RESCALE_SLOPE
            | tags::RESCALE_INTERCEPT
            | tags::WINDOW_CENTER
            | tags::WINDOW_WIDTH
            | tags::VOILUT_FUNCTION
    )
}

/// Attributes of a data set stand in the order of their numbers.
fn is_beyond(tag: Tag, extent: Extent) -> bool {
    match extent {
        Extent::Until(last) => tag > last,
        Extent::Pixels => tag > tags::PIXEL_DATA,
    }
}

/// Pixels of another kind, in place of the usual ones.
fn is_floating(tag: Tag) -> bool {
    matches!(tag, tags::FLOAT_PIXEL_DATA | tags::DOUBLE_FLOAT_PIXEL_DATA)
}

fn not_nested() -> DecodeError {
    damaged("its sequences do not nest")
}

/// UTF-8 where it is that, else one character a byte. Which letters are meant does not matter
/// here, only that different bytes stay different.
fn readable(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => bytes.iter().copied().map(char::from).collect::<String>().into(),
    }
}

/// Undoes the compression of a data set, in at most `most_bytes`; what is beyond them is left out
/// where the walk does not go to the pixels.
fn inflate(
    deflated: &[u8],
    most_bytes: usize,
    extent: Extent,
) -> Result<Cow<'static, [u8]>, DecodeError> {
    use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};
    match decompress_to_vec_with_limit(deflated, most_bytes) {
        Ok(inflated) => Ok(inflated.into()),
        Err(error) => match error.status {
            TINFLStatus::HasMoreOutput if extent != Extent::Pixels => Ok(error.output.into()),
            TINFLStatus::HasMoreOutput => Err(DecodeError::TooMuchMemory(PictureFormat::Dicom)),
            TINFLStatus::FailedCannotMakeProgress | TINFLStatus::NeedsMoreInput => Err(truncated()),
            _ => Err(damaged("its deflated data cannot be inflated")),
        },
    }
}

/// An attribute's name with its number: `Rows (0028,0010)`.
pub(super) fn name_of(tag: Tag) -> String {
    use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
    match dicom_dictionary_std::StandardDataDictionary.by_tag(tag) {
        Some(entry) => format!("{} {tag}", entry.alias()),
        None => tag.to_string(),
    }
}
