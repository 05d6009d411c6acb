//! Unpacks untrusted zip files.
//!
//! Nothing is written outside the target, no link is made, and the limits apply to the unpacked
//! bytes, whatever the headers state.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use artifact::WithPath;
use config::ExtractionLimits;
use terminal::Progress;
use zip::ZipArchive;
use zip::read::ZipFile;

mod entry;
mod error;

use entry::{EntryKind, examine};

use crate::inventory::{Content, HEAD_BYTES, SourceFile};

pub(crate) use error::ExtractError;
use error::{Fault, Limit};

/// Below this size a file's ratio is not checked: a small blank image may compress a thousandfold,
/// and is harmless.
const RATIO_FLOOR_BYTES: u64 = 1 << 20;

/// Unpacks `archive` into the empty folder `target`.
///
/// On an error the target may hold some of the files; the caller must remove it.
pub(crate) fn unzip(
    archive: &Path,
    target: &Path,
    limits: &ExtractionLimits,
) -> Result<(), ExtractError> {
    let refuse = |fault| ExtractError::Refused { archive: archive.to_path_buf(), fault };
    let mut zip = open(archive)?;
    check_directory(&mut zip, limits).map_err(refuse)?;

    let declared = declared_bytes(&zip);
    let progress = terminal::bytes_bar(declared, "unpacking");
    let mut budget = Budget { left: limits.max_total_bytes, limits, progress: &progress };
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).map_err(|error| refuse(Fault::of(error)))?;
        let entry = examine(&file.entry()).map_err(refuse)?;
        let path = target.join(&entry.path);
        match entry.kind {
            EntryKind::Folder => artifact::create_folder(&path)?,
            EntryKind::File => write_entry(&mut file, &entry.name, &path, &mut budget)
                .map_err(|failure| failure.of_archive(archive))?,
        }
    }
    progress.finish_and_clear();
    tracing::debug!("unpacked {} entries of {}", zip.len(), archive.display());
    Ok(())
}

/// The files of `archive`, sorted by path, known by their first bytes; nothing is unpacked to disk.
pub(crate) fn list(
    archive: &Path,
    limits: &ExtractionLimits,
) -> Result<Vec<SourceFile>, ExtractError> {
    let refuse = |fault| ExtractError::Refused { archive: archive.to_path_buf(), fault };
    let mut zip = open(archive)?;
    check_directory(&mut zip, limits).map_err(refuse)?;
    let mut files = Vec::new();
    for index in 0..zip.len() {
        let file = zip.by_index(index).map_err(|error| refuse(Fault::of(error)))?;
        let entry = examine(&file.entry()).map_err(refuse)?;
        if entry.kind == EntryKind::Folder {
            continue;
        }
        let mut head = Vec::new();
        // Damaged data is for ingest to report, which reads all of it.
        let _ = file.take(HEAD_BYTES).read_to_end(&mut head);
        let content = Content::of_head(&entry.path, &head);
        let path = entry.path.to_string_lossy().into_owned();
        files.push(SourceFile { path, content });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn open(archive: &Path) -> Result<ZipArchive<BufReader<File>>, ExtractError> {
    let mut head = Vec::new();
    let file = File::open(archive).with_path("open", archive)?;
    file.take(4).read_to_end(&mut head).with_path("read", archive)?;
    let refuse = |fault| ExtractError::Refused { archive: archive.to_path_buf(), fault };
    if !is_zip(&head) {
        let mut start = Vec::new();
        let file = File::open(archive).with_path("open", archive)?;
        file.take(40).read_to_end(&mut start).with_path("read", archive)?;
        return Err(refuse(Fault::not_a_zip(&start)));
    }
    let file = File::open(archive).with_path("open", archive)?;
    ZipArchive::new(BufReader::new(file)).map_err(|error| refuse(Fault::without_directory(error)))
}

/// Whether a file that starts like this is a zip archive: a file's header, or an empty archive.
fn is_zip(head: &[u8]) -> bool {
    matches!(head, b"PK\x03\x04" | b"PK\x05\x06")
}

/// Checks everything that can be refused before the first byte is written.
fn check_directory(
    zip: &mut ZipArchive<BufReader<File>>,
    limits: &ExtractionLimits,
) -> Result<(), Fault> {
    let entries = zip.len() as u64;
    if entries > limits.max_entries {
        return Err(Limit::Entries { found: entries, most: limits.max_entries }.into());
    }
    if zip.has_duplicate_names() {
        return Err(Fault::DuplicateNames);
    }
    for index in 0..zip.len() {
        examine(&zip.by_index_data(index).map_err(Fault::of)?)?;
    }
    // Many entries that share the same packed bytes are a bomb that a ratio per file does not
    // catch.
    if zip.has_overlapping_files().map_err(Fault::of)? {
        return Err(Fault::Overlap);
    }
    let declared = declared_bytes(zip);
    if declared > limits.max_total_bytes {
        return Err(Limit::Total { most: limits.max_total_bytes }.into());
    }
    Ok(())
}

/// The unpacked size according to the headers; only for the progress bar and an early refusal.
fn declared_bytes(zip: &ZipArchive<BufReader<File>>) -> u64 {
    (0..zip.len())
        .filter_map(|index| zip.by_index_data(index).ok())
        .fold(0, |sum: u64, entry| sum.saturating_add(entry.size()))
}

/// The bytes that may still be unpacked from the archive.
struct Budget<'a> {
    left: u64,
    limits: &'a ExtractionLimits,
    progress: &'a Progress,
}

/// A failure in one entry; the archive's name is added later.
enum Failure {
    Fault(Fault),
    File(artifact::IoError),
}

impl Failure {
    fn of_archive(self, archive: &Path) -> ExtractError {
        match self {
            Self::Fault(fault) => ExtractError::Refused { archive: archive.to_path_buf(), fault },
            Self::File(error) => error.into(),
        }
    }
}

fn write_entry(
    file: &mut ZipFile<'_, impl Read>,
    name: &str,
    path: &Path,
    budget: &mut Budget<'_>,
) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        artifact::create_folder(folder).map_err(Failure::File)?;
    }
    let at_path = |action| move |source| (action, source);
    let io = |(action, source): (&'static str, io::Error)| {
        Failure::File(artifact::IoError::Io { action, path: PathBuf::from(path), source })
    };
    // `create_new`: two entries whose names lead to the same path are refused, not overwritten.
    let created = OpenOptions::new().write(true).create_new(true).open(path);
    let mut writer = BufWriter::new(created.map_err(at_path("create")).map_err(io)?);
    let most = file.compressed_size().saturating_mul(budget.limits.max_ratio);
    let mut written = 0_u64;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count =
            file.read(&mut buffer).map_err(|error| Failure::Fault(Fault::damaged(name, &error)))?;
        if count == 0 {
            break;
        }
        written += count as u64;
        budget.spend(count as u64, written, most, name).map_err(Failure::Fault)?;
        writer.write_all(&buffer[..count]).map_err(at_path("write")).map_err(io)?;
    }
    // Not synced: a file only matters once it is placed.
    writer.flush().map_err(at_path("write")).map_err(io)
}

impl Budget<'_> {
    /// Counts `count` bytes of an entry of which `written` have been unpacked and `most` are
    /// allowed.
    fn spend(&mut self, count: u64, written: u64, most: u64, name: &str) -> Result<(), Fault> {
        if written > most.max(RATIO_FLOOR_BYTES) {
            let most = self.limits.max_ratio;
            return Err(Limit::Ratio { name: name.to_owned(), most }.into());
        }
        self.left = self
            .left
            .checked_sub(count)
            .ok_or(Limit::Total { most: self.limits.max_total_bytes })?;
        self.progress.inc(count);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
