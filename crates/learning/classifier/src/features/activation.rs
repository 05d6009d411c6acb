//! One activation in one file.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use artifact::Digest;
use memmap2::Mmap;

/// The start of every file; the digit is the format's version.
const MAGIC: &[u8; 8] = b"HFEATS2\n";
const IDENTITY_BYTES: usize = 32;
const HEADER_BYTES: usize = MAGIC.len() + IDENTITY_BYTES;
const CHECKSUM_BYTES: usize = 4;
const VALUE_BYTES: usize = size_of::<f32>();

/// An activation that was found on disk and checked.
///
/// A file is the magic, the digest of the activation's identity, its values as little-endian f32,
/// and the CRC-32 of all of these. A file with its final name is never changed, so it can be mapped
/// into memory: the pages are the system's, shared by all processes, and released when memory is
/// short. A removed file stays readable to processes that mapped it.
#[derive(Debug)]
pub(super) struct Activation {
    bytes: Bytes,
}

/// The bytes of an activation's file.
#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    /// On file systems that cannot map.
    Read(Vec<u8>),
}

impl Activation {
    /// The activation at `path`, or `None` if it is missing, damaged, or has another identity.
    pub(super) fn open(path: &Path, identity: &Digest, length: usize) -> Option<Self> {
        let file = File::open(path).ok()?;
        // Checked before mapping: a file that was cut must not be read beyond its end.
        if file.metadata().ok()?.len() != file_bytes(length) {
            return None;
        }
        let bytes = match map(&file) {
            Ok(mapped) => Bytes::Mapped(mapped),
            Err(_) => Bytes::Read(fs::read(path).ok()?),
        };
        let activation = Self { bytes };
        activation.is_whole(identity, length).then_some(activation)
    }

    /// Adds the values at the end of `values`.
    pub(super) fn append_to(&self, values: &mut Vec<f32>) {
        let all = self.bytes();
        let own = &all[HEADER_BYTES..all.len() - CHECKSUM_BYTES];
        let value = |bytes: &[u8]| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        values.extend(own.chunks_exact(VALUE_BYTES).map(value));
    }

    fn is_whole(&self, identity: &Digest, length: usize) -> bool {
        let bytes = self.bytes();
        let Some((checked, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
            return false;
        };
        bytes.len() as u64 == file_bytes(length)
            && checked.starts_with(MAGIC)
            && checked[MAGIC.len()..].starts_with(identity.as_bytes())
            && crc32fast::hash(checked) == u32::from_le_bytes(*checksum)
    }

    fn bytes(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(mapped) => mapped,
            Bytes::Read(bytes) => bytes,
        }
    }
}

#[expect(unsafe_code, reason = "mapping a file is unsafe, since others could change the file")]
fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: an activation's file gets its name when it is finished, and no version of this
    // program writes to it again; it is only ever unlinked, or replaced by a rename, and neither
    // changes mapped memory. Another program that writes into the store would break this, as with
    // the code and libraries of a running program, which the system maps in the same way.
    unsafe { Mmap::map(file) }
}

/// Writes an activation's file.
pub(super) fn write(file: &mut impl Write, identity: &Digest, values: &[f32]) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(file_bytes(values.len()) as usize);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(identity.as_bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
    file.write_all(&bytes)
}

/// Bytes of the file of an activation with this many values.
pub(super) fn file_bytes(length: usize) -> u64 {
    (HEADER_BYTES + length * VALUE_BYTES + CHECKSUM_BYTES) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Digest {
        Digest::of(b"an image")
    }

    fn written(values: &[f32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, &identity(), values).unwrap();
        bytes
    }

    fn values(activation: &Activation) -> Vec<f32> {
        let mut values = Vec::new();
        activation.append_to(&mut values);
        values
    }

    #[test]
    fn values_come_back_bit_by_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("activation");
        let numbers = [1.0, -0.0, f32::MIN_POSITIVE / 2.0, f32::INFINITY, f32::NAN];
        fs::write(&path, written(&numbers)).unwrap();
        let activation = Activation::open(&path, &identity(), 5).unwrap();
        assert!(matches!(activation.bytes, Bytes::Mapped(_)));
        let bits = |values: &[f32]| values.iter().map(|it| it.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&values(&activation)), bits(&numbers));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("activation");
        let whole = written(&[1.0, 2.0]);
        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(Activation::open(&path, &identity(), 2).is_none(), "{length} bytes");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &flipped).unwrap();
            assert!(Activation::open(&path, &identity(), 2).is_none(), "bit {bit}");
        }
        fs::write(&path, &whole).unwrap();
        assert!(Activation::open(&path, &identity(), 2).is_some());
    }

    #[test]
    fn a_whole_activation_of_something_else_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("activation");
        fs::write(&path, written(&[1.0, 2.0])).unwrap();
        assert!(Activation::open(&path, &Digest::of(b"another image"), 2).is_none());
        assert!(Activation::open(&path, &identity(), 3).is_none());
    }

    #[test]
    fn a_removed_activation_stays_readable_to_whoever_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("activation");
        fs::write(&path, written(&[1.0, 2.0])).unwrap();
        let activation = Activation::open(&path, &identity(), 2).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, b"something else").unwrap();
        assert_eq!(values(&activation), [1.0, 2.0]);
    }
}
