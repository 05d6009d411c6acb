//! Archives for tests, valid and invalid.

use std::io::{Cursor, Write};

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::images::png;

pub(crate) struct Archive(ZipWriter<Cursor<Vec<u8>>>);

impl Archive {
    pub(crate) fn new() -> Self {
        Self(ZipWriter::new(Cursor::new(Vec::new())))
    }

    /// Four images each of two classes, flat.
    pub(crate) fn of_two_classes() -> Self {
        (0..4).fold(Self::new(), |archive, i| {
            archive
                .with(&format!("set/benign/{i}.png"), &png(i))
                .with(&format!("set/malignant/{i}.png"), &png(100 + i))
        })
    }

    pub(crate) fn with(mut self, name: &str, content: &[u8]) -> Self {
        self.0.start_file(name, SimpleFileOptions::default()).unwrap();
        self.0.write_all(content).unwrap();
        self
    }

    pub(crate) fn with_symlink(mut self, name: &str, target: &str) -> Self {
        self.0.add_symlink(name, target, SimpleFileOptions::default()).unwrap();
        self
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.finish().unwrap().into_inner()
    }
}

/// Sets the "encrypted" flag in the headers of an archive's first entry, as seen by a program
/// without the password.
pub(crate) fn marked_encrypted(mut archive: Vec<u8>) -> Vec<u8> {
    let central = find(&archive, b"PK\x01\x02");
    archive[6] |= 1;
    archive[central + 8] |= 1;
    archive
}

fn find(bytes: &[u8], mark: &[u8]) -> usize {
    bytes.windows(mark.len()).position(|window| window == mark).unwrap()
}
