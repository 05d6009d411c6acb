use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifact::IoError;
use serde::{Deserialize, Serialize};

use crate::ClassIndices;

/// The name of the file with the baselines' predictions, in the folder that `validate` writes.
pub const BASELINES_FILE: &str = "baselines.csv";

/// The input of a baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineKind {
    /// Nothing: it always predicts the most frequent class.
    Majority,
    /// Data that has nothing to do with anatomy, such as the file's size or the window.
    Shortcut,
    /// The picture, at a size that only keeps its coarsest structure.
    CoarseLook,
}

/// How many of the training images a baseline was fitted on. A model that was fitted on more may
/// beat it for that reason alone, so a comparison must check this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FittedOn {
    /// The images that it was fitted on.
    pub images: usize,
    /// All images of the training split that are used: what a model is trained on.
    pub of: usize,
}

impl FittedOn {
    /// All of this many images.
    pub fn all(images: usize) -> Self {
        Self { images, of: images }
    }

    /// Whether it was fitted on all of them.
    pub fn is_all(self) -> bool {
        self.images == self.of
    }
}

/// A baseline's predictions for the images that it was not fitted on.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselinePredictions {
    /// Its name, such as `grey_histogram`.
    pub name: String,
    /// Its input.
    pub kind: BaselineKind,
    /// The images that it was fitted on.
    pub fitted_on: FittedOn,
    /// Probabilities in index order, by the image's path in the manifest.
    pub images: BTreeMap<String, Vec<f64>>,
}

/// A file of baselines that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselinesError {
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] IoError),
    /// It is not such a table, or a value is not a number.
    #[error("read {}: {source}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Line and reason.
        #[source]
        source: csv::Error,
    },
    /// Its columns belong to other classes.
    #[error("read {}: its columns are {found:?}, expected {expected:?}; run validate again", path.display())]
    Columns {
        /// The file.
        path: PathBuf,
        /// The header found.
        found: Vec<String>,
        /// The header of these classes.
        expected: Vec<String>,
    },
}

/// Baseline, kind, fitted on, of, path, probabilities.
type Row = (String, BaselineKind, usize, usize, String, Vec<f64>);

fn header(classes: &ClassIndices) -> Vec<String> {
    let fixed = ["baseline", "kind", "fitted_on", "of", "path"].map(str::to_owned);
    fixed.into_iter().chain(classes.names().iter().map(|name| format!("prob_{name}"))).collect()
}

/// Writes one row per baseline and image: `baseline,kind,fitted_on,of,path`, then `prob_<class>` for each class.
///
/// # Errors
/// When the file cannot be written.
pub fn write_baselines(
    path: &Path,
    classes: &ClassIndices,
    baselines: &[BaselinePredictions],
) -> Result<(), BaselinesError> {
    artifact::write_with(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        writer.write_record(header(classes)).map_err(std::io::Error::other)?;
        for baseline in baselines {
            let FittedOn { images, of } = baseline.fitted_on;
            for (image, probabilities) in &baseline.images {
                writer
                    .serialize((&baseline.name, baseline.kind, images, of, image, probabilities))
                    .map_err(std::io::Error::other)?;
            }
        }
        writer.flush()
    })?;
    Ok(())
}

/// Reads what [`write_baselines`] wrote, with the baselines in the order of the file.
///
/// # Errors
/// When it is missing, not such a table, or of other classes.
pub fn read_baselines(
    path: &Path,
    classes: &ClassIndices,
) -> Result<Vec<BaselinePredictions>, BaselinesError> {
    let bytes = artifact::read_bytes(path)?;
    let refuse = |source| BaselinesError::Row { path: path.to_owned(), source };
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let found: Vec<String> = reader.headers().map_err(refuse)?.iter().map(str::to_owned).collect();
    let expected = header(classes);
    if found != expected {
        return Err(BaselinesError::Columns { path: path.to_owned(), found, expected });
    }
    let mut baselines: Vec<BaselinePredictions> = Vec::new();
    for row in reader.deserialize() {
        let row: Row = row.map_err(refuse)?;
        let (name, kind, images, of, image, probabilities) = row;
        let fitted_on = FittedOn { images, of };
        match baselines.iter_mut().find(|baseline| baseline.name == name) {
            Some(baseline) => {
                baseline.images.insert(image, probabilities);
            }
            None => {
                let images = BTreeMap::from([(image, probabilities)]);
                baselines.push(BaselinePredictions { name, kind, fitted_on, images });
            }
        }
    }
    Ok(baselines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baselines() -> Vec<BaselinePredictions> {
        let images = |first: f64| {
            BTreeMap::from([
                ("test/a, b.png".to_owned(), vec![first, 1.0 - first]),
                ("valid/c.png".to_owned(), vec![0.1 + 0.2, 0.7]),
            ])
        };
        vec![
            BaselinePredictions {
                name: "majority_class".into(),
                kind: BaselineKind::Majority,
                fitted_on: FittedOn::all(3000),
                images: images(1.0),
            },
            BaselinePredictions {
                name: "grey_histogram".into(),
                kind: BaselineKind::Shortcut,
                fitted_on: FittedOn { images: 2000, of: 3000 },
                images: images(1.0 / 3.0),
            },
        ]
    }

    #[test]
    fn predictions_read_back_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(BASELINES_FILE);
        let classes = ClassIndices::of_names(["cancer", "normal"]);
        write_baselines(&path, &classes, &baselines()).unwrap();
        let text = artifact::read_text(&path).unwrap();
        assert!(
            text.starts_with("baseline,kind,fitted_on,of,path,prob_cancer,prob_normal\n"),
            "{text}"
        );
        assert!(
            text.contains("\ngrey_histogram,shortcut,2000,3000,\"test/a, b.png\",0.3333"),
            "{text}"
        );
        assert_eq!(read_baselines(&path, &classes).unwrap(), baselines());
    }

    #[test]
    fn a_file_of_other_classes_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(BASELINES_FILE);
        write_baselines(&path, &ClassIndices::of_names(["a", "b"]), &baselines()).unwrap();
        let error = read_baselines(&path, &ClassIndices::of_names(["a", "c"])).unwrap_err();
        assert!(error.to_string().contains("run validate again"), "{error}");
    }

    #[test]
    fn a_file_that_does_not_say_what_its_baselines_saw_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(BASELINES_FILE);
        let text = "baseline,kind,path,prob_a,prob_b\nx,shortcut,1.png,0.5,0.5\n";
        artifact::write_file(&path, text.as_bytes()).unwrap();
        let error = read_baselines(&path, &ClassIndices::of_names(["a", "b"])).unwrap_err();
        assert!(error.to_string().contains("run validate again"), "{error}");
    }

    #[test]
    fn a_bad_number_names_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(BASELINES_FILE);
        let text = "baseline,kind,fitted_on,of,path,prob_a,prob_b\nx,shortcut,3,3,1.png,half,0.5\n";
        artifact::write_file(&path, text.as_bytes()).unwrap();
        let error = read_baselines(&path, &ClassIndices::of_names(["a", "b"])).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("baselines.csv") && message.contains("line: 2"), "{message}");
    }
}
