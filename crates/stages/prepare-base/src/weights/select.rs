//! Reads a few tensors from a safetensors file without reading the rest.

use std::ops::Range;

use classifier::TensorSpec;
use classifier::tensors::{HostTensor, TensorMap};

use super::WeightsError;
use super::card::Metadata;
use super::header::{Header, LENGTH_BYTES, header_range};

/// A file that can be read in ranges.
pub(super) trait Stretches {
    /// The bytes of a range; fewer only at the end of the file.
    fn read(&mut self, bytes: Range<u64>) -> Result<Vec<u8>, WeightsError>;

    /// The size of the file, if it is known after the first read.
    fn file_bytes(&self) -> Option<u64>;

    /// Its name in errors.
    fn origin(&self) -> &str;
}

/// The part read from a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Selection {
    /// The tensors, as the file has them.
    pub(super) tensors: TensorMap,
    /// The file's metadata.
    pub(super) metadata: Metadata,
}

/// Reads the header and the tensors that `specs` name, with adjacent ones in one read.
pub(super) fn select(
    file: &mut impl Stretches,
    specs: &[TensorSpec],
) -> Result<Selection, WeightsError> {
    let start = file.read(0..LENGTH_BYTES)?;
    let json = file.read(header_range(&start, file.origin())?)?;
    let header = Header::parse(&json, file.file_bytes(), file.origin())?;
    let mut located = specs
        .iter()
        .map(|spec| Ok((header.locate(spec)?, spec)))
        .collect::<Result<Vec<_>, WeightsError>>()?;
    located.sort_by_key(|(bytes, _)| bytes.start);

    let mut tensors = TensorMap::new();
    for neighbours in located.chunk_by(|(left, _), (right, _)| left.end == right.start) {
        let stretch = neighbours[0].0.start..neighbours[neighbours.len() - 1].0.end;
        let bytes = file.read(stretch.clone())?;
        if bytes.len() as u64 != stretch.end - stretch.start {
            let reason = format!("truncated; it ends before byte {}", stretch.end);
            return Err(WeightsError::Header { origin: file.origin().to_owned(), reason });
        }
        for (place, spec) in neighbours {
            let place =
                (place.start - stretch.start) as usize..(place.end - stretch.start) as usize;
            tensors.insert(spec.name.clone(), tensor(spec, &bytes[place]));
        }
    }
    Ok(Selection { tensors, metadata: header.said() })
}

/// The values of little-endian f32 bytes, as many as the shape requires.
fn tensor(spec: &TensorSpec, bytes: &[u8]) -> HostTensor {
    let (values, _) = bytes.as_chunks::<4>();
    HostTensor::new(&spec.shape, values.iter().map(|value| f32::from_le_bytes(*value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file in memory that records its reads.
    struct Memory {
        bytes: Vec<u8>,
        read: Vec<Range<u64>>,
    }

    impl Stretches for Memory {
        fn read(&mut self, bytes: Range<u64>) -> Result<Vec<u8>, WeightsError> {
            self.read.push(bytes.clone());
            let end = (bytes.end as usize).min(self.bytes.len());
            Ok(self.bytes[(bytes.start as usize).min(end)..end].to_vec())
        }

        fn file_bytes(&self) -> Option<u64> {
            None
        }

        fn origin(&self) -> &str {
            "x.safetensors"
        }
    }

    /// Tensors a, b, c, d of one value each, 1 to 4.
    fn four() -> Memory {
        let tensor = |at: usize| {
            format!(r#"{{"dtype": "F32", "shape": [1], "data_offsets": [{}, {}]}}"#, at, at + 4)
        };
        let json = format!(
            r#"{{"a": {}, "b": {}, "c": {}, "d": {}}}"#,
            tensor(0),
            tensor(4),
            tensor(8),
            tensor(12)
        );
        let mut bytes = (json.len() as u64).to_le_bytes().to_vec();
        bytes.extend(json.as_bytes());
        bytes.extend([1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|value| value.to_le_bytes()));
        Memory { bytes, read: Vec::new() }
    }

    #[test]
    fn neighbours_are_read_in_one_go_and_the_rest_not_at_all() {
        let mut file = four();
        let data = file.bytes.len() as u64 - 16;
        let specs = ["d", "b", "a"].map(|name| TensorSpec::new(name, &[1]));
        let tensors = select(&mut file, &specs).unwrap().tensors;
        assert_eq!(tensors["a"].values(), [1.0]);
        assert_eq!(tensors["b"].values(), [2.0]);
        assert_eq!(tensors["d"].values(), [4.0]);
        assert_eq!(file.read, [0..8, 8..data, data..data + 8, data + 12..data + 16]);
    }

    #[test]
    fn a_file_that_ends_early_is_called_truncated() {
        let mut file = four();
        file.bytes.truncate(file.bytes.len() - 2);
        let message = select(&mut file, &[TensorSpec::new("d", &[1])]).unwrap_err().to_string();
        assert!(message.contains("x.safetensors: truncated"), "{message}");
    }
}
