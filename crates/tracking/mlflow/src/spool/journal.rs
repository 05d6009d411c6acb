//! A file of JSON lines that only grows.
//!
//! Several programs may append to it, in turn or at once: every line is one write to a file opened
//! for appending. A line counts when its newline is written. A line that a power cut or a full disk
//! truncated is terminated by the next program that opens the file, and skipped by every reader: a
//! truncated JSON object is never valid JSON.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use artifact::{IoError, WithPath};

use crate::spool::Record;
use crate::{Error, Result};

/// Appends lines.
#[derive(Debug)]
pub(crate) struct JournalWriter {
    file: File,
    path: PathBuf,
    /// Whether the file ends with a partial line, because the disk is full.
    is_torn: bool,
}

/// A line, and its end position.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    /// Its record; `None` if it is damaged.
    pub(crate) record: Option<Record>,
    /// Bytes of the file up to its end.
    pub(crate) end: u64,
}

impl JournalWriter {
    /// Opens or creates a journal; a truncated line is terminated before the next one. The file
    /// stays locked, shared with other writers, as long as this exists, so that a reader can see
    /// that a program is writing.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .with_path("open", path)?;
        file.lock_shared().with_path("lock", path)?;
        let is_torn = is_torn(&mut file).with_path("read", path)?;
        Ok(Self { file, path: path.to_path_buf(), is_torn })
    }

    /// Appends a line; returns its end position.
    pub(crate) fn append(&mut self, record: &Record) -> Result<u64> {
        // All our keys are text; other keys are the only thing that cannot be written.
        let mut line = serde_json::to_vec(record).expect("a record can be written as JSON");
        line.push(b'\n');
        if self.is_torn {
            line.insert(0, b'\n');
        }
        self.is_torn = true;
        self.file.write_all(&line).with_path("write", &self.path)?;
        self.is_torn = false;
        Ok(self.file.stream_position().with_path("write", &self.path)?)
    }

    /// Makes the appended lines survive a power cut.
    pub(crate) fn sync(&self) -> Result<()> {
        Ok(self.file.sync_data().with_path("write", &self.path)?)
    }
}

fn is_torn(file: &mut File) -> io::Result<bool> {
    if file.seek(SeekFrom::End(0))? == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Whether some program has the journal open for writing.
pub(crate) fn is_being_written(path: &Path) -> Result<bool> {
    let file = File::open(path).with_path("open", path)?;
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(std::fs::TryLockError::WouldBlock) => Ok(true),
        Err(std::fs::TryLockError::Error(error)) => Ok(Err(error).with_path("lock", path)?),
    }
}

/// The complete lines from a position on, up to a maximum number.
pub(crate) fn read(path: &Path, from: u64, most: usize) -> Result<Vec<Line>> {
    let mut file = File::open(path).with_path("open", path)?;
    file.seek(SeekFrom::Start(from)).with_path("read", path)?;
    let mut reader = BufReader::new(file);
    let mut lines = Vec::new();
    let mut end = from;
    while lines.len() < most {
        let mut bytes = Vec::new();
        end += reader.read_until(b'\n', &mut bytes).with_path("read", path)? as u64;
        if bytes.last() != Some(&b'\n') {
            break;
        }
        lines.push(Line { record: serde_json::from_slice(&bytes).ok(), end });
    }
    Ok(lines)
}

/// Calls `see` with every record, in order.
pub(crate) fn for_each(path: &Path, mut see: impl FnMut(Record)) -> Result<()> {
    let mut from = 0;
    loop {
        let lines = match read(path, from, 1000) {
            Err(Error::File(IoError::Io { source, .. }))
                if source.kind() == io::ErrorKind::NotFound =>
            {
                return Ok(());
            }
            lines => lines?,
        };
        let Some(last) = lines.last() else { return Ok(()) };
        from = last.end;
        lines.into_iter().filter_map(|line| line.record).for_each(&mut see);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Event;
    use crate::{RunStatus, Timestamp};

    fn record(time: i64) -> Record {
        Record { time: Timestamp(time), event: Event::End { status: RunStatus::Killed } }
    }

    fn times(path: &Path, from: u64) -> Vec<Option<i64>> {
        let lines = read(path, from, 100).unwrap();
        lines.into_iter().map(|line| line.record.map(|record| record.time.0)).collect()
    }

    #[test]
    fn a_journal_torn_at_any_byte_keeps_every_whole_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut writer = JournalWriter::open(&path).unwrap();
        let first = writer.append(&record(1)).unwrap();
        let second = writer.append(&record(2)).unwrap();
        drop(writer);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len() as u64, second);
        for length in first..second {
            std::fs::write(&path, &whole[..length as usize]).unwrap();
            // Before it is terminated, a truncated line does not count.
            assert_eq!(times(&path, 0), [Some(1)]);
            JournalWriter::open(&path).unwrap().append(&record(3)).unwrap();
            let expected: &[_] =
                if length == first { &[Some(1), Some(3)] } else { &[Some(1), None, Some(3)] };
            let whole_but_for_its_newline = length == second - 1;
            if whole_but_for_its_newline {
                assert_eq!(times(&path, 0), [Some(1), Some(2), Some(3)]);
            } else {
                assert_eq!(times(&path, 0), expected, "torn at byte {length}");
            }
        }
    }

    #[test]
    fn reading_goes_on_where_it_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let mut writer = JournalWriter::open(&path).unwrap();
        (0..5).for_each(|time| {
            writer.append(&record(time)).unwrap();
        });
        let lines = read(&path, 0, 2).unwrap();
        assert_eq!(lines.len(), 2);
        assert_eq!(times(&path, lines[1].end), [Some(2), Some(3), Some(4)]);
    }

    #[test]
    fn a_journal_tells_whether_somebody_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.jsonl");
        let (one, two) = (JournalWriter::open(&path).unwrap(), JournalWriter::open(&path).unwrap());
        assert!(is_being_written(&path).unwrap());
        drop(one);
        assert!(is_being_written(&path).unwrap());
        drop(two);
        assert!(!is_being_written(&path).unwrap());
    }
}
