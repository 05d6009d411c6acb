//! The head of a safetensors file: eight bytes with the length of a JSON object, and that object,
//! which describes every tensor and its position.

use std::ops::Range;

use safetensors::Dtype;
use safetensors::tensor::{Metadata as TensorInfos, TensorInfo};

use classifier::{ClassifierError, TensorSpec};

use super::WeightsError;
use super::card::Metadata;

/// Bytes of the length that the file starts with.
pub(super) const LENGTH_BYTES: u64 = 8;

/// The longest header that is accepted. VGG16's takes 4 kB.
const LONGEST_HEADER_BYTES: u64 = 4 << 20;

/// The range of the JSON header, from the eight bytes before it.
pub(super) fn header_range(start: &[u8], origin: &str) -> Result<Range<u64>, WeightsError> {
    let refuse = |reason: String| WeightsError::Header { origin: origin.into(), reason };
    let bytes: [u8; 8] = start
        .try_into()
        .map_err(|_| refuse(format!("truncated; the file has {} bytes", start.len())))?;
    let length = u64::from_le_bytes(bytes);
    if !(2..=LONGEST_HEADER_BYTES).contains(&length) {
        let start = start.escape_ascii();
        return Err(refuse(format!("not a safetensors file; it starts with \"{start}\"")));
    }
    Ok(LENGTH_BYTES..LENGTH_BYTES + length)
}

/// A header that was read and checked: no gap, no overlap, each tensor as long as its shape and
/// type require, all of it inside the file.
#[derive(Debug)]
pub(super) struct Header {
    tensors: TensorInfos,
    /// The position of the tensors' bytes in the file.
    data_start: u64,
    origin: String,
}

impl Header {
    /// Reads the JSON; `file_bytes` is the size of the file, if it is known.
    pub(super) fn parse(
        json: &[u8],
        file_bytes: Option<u64>,
        origin: &str,
    ) -> Result<Self, WeightsError> {
        let refuse = |reason: String| WeightsError::Header { origin: origin.into(), reason };
        // Deserialising checks the offsets against each other, the shapes and the types.
        let tensors: TensorInfos = serde_json::from_slice(json)
            .map_err(|error| refuse(format!("not a safetensors file: {error}")))?;
        let data_start = LENGTH_BYTES + json.len() as u64;
        let end = data_start + tensors.data_len() as u64;
        match file_bytes {
            Some(size) if size != end => Err(refuse(format!(
                "truncated or overlong; by its header it has {end} bytes, but there are {size}"
            ))),
            _ => Ok(Self { tensors, data_start, origin: origin.to_owned() }),
        }
    }

    /// The file's metadata.
    pub(super) fn said(&self) -> Metadata {
        self.tensors.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect()
    }

    /// The range of a tensor in the file, if it is an f32 tensor of the expected shape.
    pub(super) fn locate(&self, spec: &TensorSpec) -> Result<Range<u64>, WeightsError> {
        let expected = format!("F32 {:?}", spec.shape);
        let mismatch = |found: String| ClassifierError::Tensor {
            origin: self.origin.clone(),
            name: spec.name.clone(),
            expected: expected.clone(),
            found,
        };
        match self.tensors.info(&spec.name) {
            None => Err(mismatch("nothing".into()).into()),
            Some(TensorInfo { dtype, shape, data_offsets: (start, end) })
                if *dtype == Dtype::F32 && *shape == spec.shape =>
            {
                Ok(self.data_start + *start as u64..self.data_start + *end as u64)
            }
            Some(TensorInfo { dtype, shape, .. }) => {
                Err(mismatch(format!("{dtype:?} {shape:?}")).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(json: &str, file_bytes: Option<u64>) -> Result<Header, WeightsError> {
        Header::parse(json.as_bytes(), file_bytes, "x.safetensors")
    }

    const TWO: &str = r#"{"a": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
                          "b": {"dtype": "F16", "shape": [2], "data_offsets": [8, 12]}}"#;

    #[test]
    fn a_tensor_is_located_behind_the_header() {
        let start = LENGTH_BYTES + TWO.len() as u64;
        let header = header(TWO, Some(start + 12)).unwrap();
        assert_eq!(header.locate(&TensorSpec::new("a", &[2, 1])).unwrap(), start..start + 8);
    }

    #[test]
    fn a_mismatch_names_the_tensor_what_was_expected_and_what_is_there() {
        let header = header(TWO, None).unwrap();
        for (spec, expected) in [
            (TensorSpec::new("a", &[1, 2]), "tensor a: expected F32 [1, 2], found F32 [2, 1]"),
            (TensorSpec::new("b", &[2]), "tensor b: expected F32 [2], found F16 [2]"),
            (TensorSpec::new("c", &[2]), "tensor c: expected F32 [2], found nothing"),
        ] {
            let message = header.locate(&spec).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("x.safetensors"), "{message}");
        }
    }

    #[test]
    fn offsets_that_overlap_or_leave_the_file_are_refused() {
        let overlap = TWO.replace("[8, 12]", "[4, 8]");
        assert!(header(&overlap, None).is_err());
        let too_short = header(TWO, Some(100)).unwrap_err().to_string();
        assert!(too_short.contains("truncated or overlong"), "{too_short}");
        let wrong_size = TWO.replace("[2, 1]", "[3, 1]");
        assert!(header(&wrong_size, None).is_err());
    }

    #[test]
    fn another_kind_of_file_is_described_by_its_start() {
        let page = header_range(b"<!DOCTYP", "x").unwrap_err().to_string();
        assert!(page.contains("not a safetensors file; it starts with \"<!DOCTYP\""), "{page}");
        assert!(header_range(&[1, 2], "x").unwrap_err().to_string().contains("2 bytes"));
        assert_eq!(header_range(&[16, 0, 0, 0, 0, 0, 0, 0], "x").unwrap(), 8..24);
    }
}
