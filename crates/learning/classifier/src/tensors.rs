//! Tensors in ordinary memory, and the safetensors files that hold them.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use artifact::{Digest, WithPath};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::tensor_spec::TensorSpec;
use crate::{ClassifierError, Result};

/// A dense f32 tensor in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct HostTensor {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl HostTensor {
    /// Puts a shape on values.
    ///
    /// # Panics
    /// When the shape does not match the number of values.
    pub fn new(shape: &[usize], values: Vec<f32>) -> Self {
        assert_eq!(shape.iter().product::<usize>(), values.len(), "shape {shape:?}");
        Self { shape: shape.to_vec(), values }
    }

    /// Its shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Its values, last axis fastest.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

/// Tensors by name, in name order.
pub type TensorMap = BTreeMap<String, HostTensor>;

/// The one metadata key our files use. One key only: the format's metadata is an unordered map,
/// and two keys would make the file's bytes depend on chance.
const METADATA_KEY: &str = "hounsfield";

/// Writes tensors and a metadata value as a safetensors file. The same input gives the same bytes.
///
/// # Errors
/// When the file cannot be written.
pub fn write(path: &Path, tensors: &TensorMap, metadata: &impl Serialize) -> Result<Digest> {
    let bytes = to_bytes(tensors, metadata);
    artifact::write_file(path, &bytes)?;
    Ok(Digest::of(&bytes))
}

fn to_bytes(tensors: &TensorMap, metadata: &impl Serialize) -> Vec<u8> {
    let metadata = serde_json::to_string(metadata).expect("metadata are plain structs");
    let buffers: BTreeMap<&str, (&[usize], Vec<u8>)> = tensors
        .iter()
        .map(|(name, tensor)| {
            let bytes = tensor.values.iter().flat_map(|value| value.to_le_bytes()).collect();
            (name.as_str(), (tensor.shape.as_slice(), bytes))
        })
        .collect();
    let views = buffers.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes)
            .expect("a host tensor has as many values as its shape says");
        (*name, view)
    });
    let metadata = HashMap::from([(METADATA_KEY.to_owned(), metadata)]);
    safetensors::serialize(views, Some(metadata)).expect("f32 tensors in memory serialise")
}

/// A safetensors file that was read: its tensors, metadata and digest.
#[derive(Debug, Clone)]
pub struct TensorFile<M> {
    /// The tensors.
    pub tensors: TensorMap,
    /// The metadata given to [`write()`].
    pub metadata: M,
    /// The digest of the file.
    pub sha256: Digest,
}

/// Reads a file that [`write()`] wrote.
///
/// # Errors
/// When it is missing, truncated, holds other than f32 tensors, or its metadata does not fit `M`.
pub fn read<M: DeserializeOwned>(path: &Path) -> Result<TensorFile<M>> {
    let bytes = artifact::read_bytes(path)?;
    let metadata = read_metadata(path, &bytes)?;
    Ok(TensorFile { tensors: from_bytes(path, &bytes)?, metadata, sha256: Digest::of(&bytes) })
}

/// Reads the metadata of a file that [`write()`] wrote, and not its tensors.
///
/// # Errors
/// When it is missing, its header is damaged, or its metadata does not fit `M`.
pub fn read_header<M: DeserializeOwned>(path: &Path) -> Result<M> {
    let mut file = File::open(path).with_path("open", path)?;
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|error| not_safetensors(path, error))?;
    let mut header = Vec::new();
    file.take(u64::from_le_bytes(length)).read_to_end(&mut header).with_path("read", path)?;
    let header: Header =
        serde_json::from_slice(&header).map_err(|error| not_safetensors(path, error))?;
    parse_metadata(path, header.metadata.get(METADATA_KEY))
}

/// The part of a safetensors header that does not describe tensors.
#[derive(Deserialize)]
struct Header {
    #[serde(rename = "__metadata__", default)]
    metadata: HashMap<String, String>,
}

/// Reads any safetensors file's f32 tensors, such as one exported from torchvision.
///
/// # Errors
/// When it is missing, truncated, or holds other than f32 tensors.
pub fn read_foreign(path: &Path) -> Result<TensorMap> {
    from_bytes(path, &artifact::read_bytes(path)?)
}

fn not_safetensors(path: &Path, reason: impl std::fmt::Display) -> ClassifierError {
    ClassifierError::NotSafetensors { path: path.to_path_buf(), reason: reason.to_string() }
}

fn read_metadata<M: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<M> {
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| not_safetensors(path, error))?;
    parse_metadata(path, header.metadata().as_ref().and_then(|all| all.get(METADATA_KEY)))
}

fn parse_metadata<M: DeserializeOwned>(path: &Path, text: Option<&String>) -> Result<M> {
    let text = text.ok_or_else(|| not_safetensors(path, "it was not written by Hounsfield"))?;
    serde_json::from_str(text)
        .map_err(|error| not_safetensors(path, format!("its metadata: {error}")))
}

fn from_bytes(path: &Path, bytes: &[u8]) -> Result<TensorMap> {
    let file = SafeTensors::deserialize(bytes).map_err(|error| not_safetensors(path, error))?;
    file.iter()
        .map(|(name, view)| {
            if view.dtype() != Dtype::F32 {
                return Err(ClassifierError::Tensor {
                    origin: path.display().to_string(),
                    name: name.to_owned(),
                    expected: "type F32".into(),
                    found: format!("type {:?}", view.dtype()),
                });
            }
            let values = view
                .data()
                .chunks_exact(4)
                .map(|value| f32::from_le_bytes([value[0], value[1], value[2], value[3]]))
                .collect();
            Ok((name.to_owned(), HostTensor { shape: view.shape().to_vec(), values }))
        })
        .collect()
}

/// Checks that exactly the expected tensors exist, each with its shape.
///
/// # Errors
/// Names the first tensor that is missing, superfluous or of another shape; `origin` names the
/// source of the tensors.
pub fn check(tensors: &TensorMap, expected: &[TensorSpec], origin: &str) -> Result<()> {
    let refuse = |name: &str, expected: String, found: String| {
        Err(ClassifierError::Tensor { origin: origin.into(), name: name.into(), expected, found })
    };
    for spec in expected {
        let wanted = format!("shape {}", spec.shape_in_words());
        match tensors.get(&spec.name) {
            None => return refuse(&spec.name, wanted, "nothing".into()),
            Some(tensor) if !spec.fits(&tensor.shape) => {
                return refuse(&spec.name, wanted, format!("shape {:?}", tensor.shape));
            }
            Some(_) => {}
        }
    }
    match tensors.iter().find(|(name, _)| expected.iter().all(|spec| spec.name != **name)) {
        Some((name, tensor)) => refuse(name, "nothing".into(), format!("shape {:?}", tensor.shape)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> TensorMap {
        TensorMap::from([
            ("b".into(), HostTensor::new(&[2, 1], vec![1.5, -2.0])),
            ("a".into(), HostTensor::new(&[3], vec![0.0, f32::MIN_POSITIVE, 3.0])),
        ])
    }

    #[test]
    fn tensors_and_metadata_survive_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let digest = write(&path, &example(), &("epoch", 3)).unwrap();
        let file = read::<(String, u32)>(&path).unwrap();
        assert_eq!(file.tensors, example());
        assert_eq!(file.metadata, ("epoch".to_owned(), 3));
        assert_eq!(file.sha256, digest);
    }

    #[test]
    fn a_truncated_file_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        write(&path, &example(), &()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 4, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let message = read::<()>(&path).unwrap_err().to_string();
            assert!(message.contains("x.safetensors: not a whole"), "{message}");
        }
    }

    #[test]
    fn the_header_alone_tells_the_metadata() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        write(&path, &example(), &("epoch", 3)).unwrap();
        assert_eq!(read_header::<(String, u32)>(&path).unwrap(), ("epoch".to_owned(), 3));
        for start in [&b""[..], b"short", b"\xff\xff\xff\xff\xff\xff\xff\xff{}"] {
            std::fs::write(&path, start).unwrap();
            let message = read_header::<()>(&path).unwrap_err().to_string();
            assert!(message.contains("x.safetensors: not a whole"), "{message}");
        }
    }

    #[test]
    fn a_wrong_shape_names_the_tensor() {
        let specs = [TensorSpec::new("a", &[3]), TensorSpec::new("b", &[1, 2])];
        let message = check(&example(), &specs, "x").unwrap_err().to_string();
        assert!(message.contains("tensor b: expected shape [1, 2], found shape [2, 1]"));
    }

    #[test]
    fn a_missing_and_a_superfluous_tensor_are_named() {
        let missing = check(&example(), &[TensorSpec::new("c", &[1])], "x").unwrap_err();
        assert!(missing.to_string().contains("tensor c: expected shape [1], found nothing"));
        let surplus = check(&example(), &[TensorSpec::new("a", &[3])], "x").unwrap_err();
        assert!(surplus.to_string().contains("tensor b: expected nothing"));
    }
}
