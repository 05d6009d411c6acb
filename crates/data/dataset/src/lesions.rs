use std::collections::BTreeMap;
use std::path::Path;

use artifact::IoError;
use serde::{Deserialize, Serialize};

/// The name of the file with the known lesions, in the folder that `ingest` writes. Only the
/// synthetic sample has one.
pub const LESIONS_FILE: &str = "lesions.csv";

/// The box around a lesion, in shares of the picture's width and height, from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LesionBox {
    /// Its left edge.
    pub left: f64,
    /// Its upper edge.
    pub top: f64,
    /// Its right edge.
    pub right: f64,
    /// Its lower edge.
    pub bottom: f64,
}

/// A file of lesions that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LesionsError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] IoError),
    /// It is not such a table.
    #[error("read {}: {source}; run ingest again", path.display())]
    Row {
        /// The file.
        path: std::path::PathBuf,
        /// Line and reason.
        #[source]
        source: csv::Error,
    },
}

/// A row: `path,left,top,right,bottom`.
#[derive(Debug, Serialize, Deserialize)]
struct Row {
    path: String,
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

/// Writes one row per image with a lesion: its path in the manifest, and the box.
///
/// # Errors
/// When the file cannot be written.
pub fn write_lesions(
    path: &Path,
    lesions: &BTreeMap<String, LesionBox>,
) -> Result<(), LesionsError> {
    artifact::write_with(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        for (path, lesion) in lesions {
            let LesionBox { left, top, right, bottom } = *lesion;
            let row = Row { path: path.clone(), left, top, right, bottom };
            writer.serialize(row).map_err(std::io::Error::other)?;
        }
        writer.flush()
    })?;
    Ok(())
}

/// Reads the lesions in the folder that `ingest` wrote, by the image's path in the manifest. Empty
/// if no lesions are known, as for all scans that were not drawn.
///
/// # Errors
/// When the file exists and is not such a table.
pub fn read_lesions(folder: &Path) -> Result<BTreeMap<String, LesionBox>, LesionsError> {
    let path = folder.join(LESIONS_FILE);
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = artifact::read_text(&path)?;
    let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize();
    let lesion = |row: Result<Row, csv::Error>| {
        let Row { path, left, top, right, bottom } = row?;
        Ok((path, LesionBox { left, top, right, bottom }))
    };
    rows.map(lesion).collect::<Result<_, _>>().map_err(|source| LesionsError::Row { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lesions_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        assert!(read_lesions(folder.path()).unwrap().is_empty(), "no file, no lesions");
        let lesion = LesionBox { left: 0.1, top: 1.0 / 3.0, right: 0.25, bottom: 0.5 };
        let lesions = BTreeMap::from([("test/a, b/1.png".to_owned(), lesion)]);
        write_lesions(&folder.path().join(LESIONS_FILE), &lesions).unwrap();
        assert_eq!(read_lesions(folder.path()).unwrap(), lesions);
    }

    #[test]
    fn another_table_is_refused_with_its_name() {
        let folder = tempfile::tempdir().unwrap();
        artifact::write_file(&folder.path().join(LESIONS_FILE), b"a,b\n1,2\n").unwrap();
        let error = read_lesions(folder.path()).unwrap_err().to_string();
        assert!(error.contains("lesions.csv") && error.contains("ingest"), "{error}");
    }
}
