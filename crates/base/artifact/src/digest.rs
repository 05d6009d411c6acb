use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{Result, WithPath};

/// A SHA-256 digest. Shown, parsed and stored as 64 lowercase hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Digest([u8; 32]);

/// Text that is not 64 hexadecimal digits.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a SHA-256 digest (64 hexadecimal digits)")]
pub struct InvalidDigest(String);

impl Digest {
    /// The digest of bytes in memory.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The digest of a file's content, read in one pass.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of_file(path: &Path) -> Result<Self> {
        let mut file = File::open(path).with_path("open", path)?;
        let mut writer = Sha256Writer::new(io::sink());
        io::copy(&mut file, &mut writer).with_path("read", path)?;
        Ok(writer.finish().0)
    }

    /// The digest of a list of fields. Each is preceded by its length, so that
    /// `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of_fields<I>(fields: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<[u8]>,
    {
        let mut hasher = Sha256::new();
        for field in fields {
            let bytes = field.as_ref();
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
        Self(hasher.finalize().into())
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 hexadecimal digits: enough to distinguish things in a folder name or a log.
    pub fn short(&self) -> String {
        self.to_string()[..12].to_owned()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let invalid = || InvalidDigest(text.to_owned());
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> std::result::Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

/// Passes bytes on to `inner` and computes their digest on the way.
pub struct Sha256Writer<W> {
    inner: W,
    hasher: Sha256,
}

impl<W: Write> Sha256Writer<W> {
    /// Starts with an empty digest.
    pub fn new(inner: W) -> Self {
        Self { inner, hasher: Sha256::new() }
    }

    /// Adds bytes to the digest that `inner` already has, such as the part of a download that an
    /// earlier run left.
    ///
    /// # Errors
    /// When `reader` fails.
    pub fn absorb(&mut self, reader: &mut impl Read) -> io::Result<u64> {
        let mut digest_only = Sha256Writer { inner: io::sink(), hasher: self.hasher.clone() };
        let count = io::copy(reader, &mut digest_only)?;
        self.hasher = digest_only.hasher;
        Ok(count)
    }

    /// The digest of everything written, and the inner writer.
    pub fn finish(self) -> (Digest, W) {
        (Digest(self.hasher.finalize().into()), self.inner)
    }
}

impl<W: Write> Write for Sha256Writer<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn digest_is_the_one_of_fips_180_4() {
        assert_eq!(Digest::of(b"abc").to_string(), ABC);
    }

    #[test]
    fn text_and_digest_convert_both_ways() {
        assert_eq!(ABC.parse::<Digest>().unwrap(), Digest::of(b"abc"));
        assert!("12".parse::<Digest>().is_err());
        assert!(ABC.replace('b', "g").parse::<Digest>().is_err());
    }

    #[test]
    fn fields_are_kept_apart() {
        assert_ne!(Digest::of_fields(["ab", "c"]), Digest::of_fields(["a", "bc"]));
    }

    #[test]
    fn writer_digests_what_an_earlier_run_left_first() {
        let mut writer = Sha256Writer::new(Vec::new());
        writer.absorb(&mut &b"a"[..]).unwrap();
        writer.write_all(b"bc").unwrap();
        let (digest, written) = writer.finish();
        assert_eq!(digest, Digest::of(b"abc"));
        assert_eq!(written, b"bc");
    }
}
