use std::path::{Path, PathBuf};

use artifact::IoError;
use classifier::checkpoint::{EpochRow, HISTORY_FILE};

/// The curves of one run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct History {
    path: PathBuf,
    epochs: Vec<EpochRow>,
}

/// Curves that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HistoryError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] IoError),
    /// A row that is not as expected.
    #[error("read {}: {source}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        #[source]
        source: csv::Error,
    },
    /// No row for the epoch of a checkpoint.
    #[error("find epoch {epoch} in {}: no such row; train again to write the run anew", path.display())]
    NoSuchEpoch {
        /// The file.
        path: PathBuf,
        /// The epoch.
        epoch: u32,
    },
}

impl History {
    /// Reads `history.csv` from a `Checkpoint_<run>` folder.
    ///
    /// # Errors
    /// When it is missing, or a row does not fit; the error names the line.
    pub(crate) fn read(folder: &Path) -> Result<Self, HistoryError> {
        let path = folder.join(HISTORY_FILE);
        let text = artifact::read_bytes(&path)?;
        match csv::Reader::from_reader(text.as_slice()).deserialize().collect() {
            Ok(epochs) => Ok(Self { path, epochs }),
            Err(source) => Err(HistoryError::Row { path, source }),
        }
    }

    /// The row of an epoch.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn epoch(&self, epoch: u32) -> Result<EpochRow, HistoryError> {
        self.epochs
            .iter()
            .find(|row| row.epoch == epoch)
            .copied()
            .ok_or_else(|| HistoryError::NoSuchEpoch { path: self.path.clone(), epoch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str =
        "epoch,learning_rate,train_loss,train_accuracy,valid_loss,valid_accuracy\n";

    fn read(rows: &str) -> Result<History, HistoryError> {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("{HEADER}{rows}");
        artifact::write_file(&folder.path().join(HISTORY_FILE), text.as_bytes()).unwrap();
        History::read(folder.path())
    }

    #[test]
    fn an_epoch_is_found_by_its_number() {
        let history = read("1,0.1,0.9,0.5,1.5,0.25\n2,0.1,0.8,0.6,1.25,0.75\n").unwrap();
        let row = history.epoch(2).unwrap();
        assert_eq!((row.epoch, row.valid_loss, row.valid_accuracy), (2, 1.25, 0.75));
    }

    #[test]
    fn a_missing_epoch_names_file_and_epoch() {
        let message = read("1,0.1,0.9,0.5,1.5,0.25\n").unwrap().epoch(3).unwrap_err().to_string();
        assert!(message.contains("epoch 3") && message.contains("history.csv"), "{message}");
    }

    #[test]
    fn a_bad_row_names_file_and_line() {
        let message = read("1,0.1,0.9,0.5,low,0.25\n").unwrap_err().to_string();
        assert!(message.contains("history.csv") && message.contains("line: 2"), "{message}");
    }
}
