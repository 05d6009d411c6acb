//! What the model said about each image, and `predictions.csv`.

use std::io;
use std::path::Path;

use dataset::{ClassIndex, ClassIndices};

use crate::metrics::ConfusionMatrix;

/// What the model said about one image.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prediction {
    /// The image's path in the manifest.
    pub(crate) path: String,
    /// The class the manifest gives it.
    pub(crate) actual: ClassIndex,
    /// The class with the highest probability.
    pub(crate) predicted: ClassIndex,
    /// One per class, in index order; they add up to 1.
    pub(crate) probabilities: Vec<f64>,
    /// Cross-entropy, `−ln` of the actual class's probability.
    pub(crate) loss: f64,
}

impl Prediction {
    /// Whether the class was found.
    pub(crate) fn is_correct(&self) -> bool {
        self.actual == self.predicted
    }

    /// The probability of the predicted class.
    pub(crate) fn confidence(&self) -> f64 {
        self.probabilities[self.predicted.0]
    }
}

/// Counts predictions by actual and predicted class.
pub(crate) fn confusion_matrix(
    classes: &ClassIndices,
    predictions: &[Prediction],
) -> ConfusionMatrix {
    let pairs = predictions.iter().map(|image| (image.actual, image.predicted));
    ConfusionMatrix::of(classes.len(), pairs)
}

/// Mean cross-entropy; 0 where there are no predictions.
pub(crate) fn mean_loss(predictions: &[Prediction]) -> f64 {
    if predictions.is_empty() {
        return 0.0;
    }
    predictions.iter().map(|image| image.loss).sum::<f64>() / predictions.len() as f64
}

/// Writes one row per image: `path,actual,predicted,correct,confidence`, then `prob_<class>` for
/// each class. Classes are names; `correct` is `true` or `false`; probabilities have as many digits
/// as tell two f64 apart.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_predictions(
    path: &Path,
    classes: &ClassIndices,
    predictions: &[Prediction],
) -> artifact::Result<()> {
    artifact::write_with(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        let columns = ["path", "actual", "predicted", "correct", "confidence"].map(str::to_owned);
        let probabilities = classes.names().iter().map(|name| format!("prob_{name}"));
        write_row(&mut writer, columns.into_iter().chain(probabilities))?;
        for image in predictions {
            let columns = [
                image.path.clone(),
                name_of(classes, image.actual).to_owned(),
                name_of(classes, image.predicted).to_owned(),
                image.is_correct().to_string(),
                image.confidence().to_string(),
            ];
            let probabilities = image.probabilities.iter().map(ToString::to_string);
            write_row(&mut writer, columns.into_iter().chain(probabilities))?;
        }
        writer.flush()
    })
}

/// Writes the confusion matrix in long form, `actual,predicted,count`, every pair of classes once.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_confusion_matrix(
    path: &Path,
    classes: &ClassIndices,
    matrix: &ConfusionMatrix,
) -> artifact::Result<()> {
    artifact::write_with(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        write_row(&mut writer, ["actual", "predicted", "count"].map(str::to_owned))?;
        for actual in matrix.classes() {
            for predicted in matrix.classes() {
                let row = [
                    name_of(classes, actual).to_owned(),
                    name_of(classes, predicted).to_owned(),
                    matrix.count(actual, predicted).to_string(),
                ];
                write_row(&mut writer, row)?;
            }
        }
        writer.flush()
    })
}

/// The name of a class that a prediction or matrix over `classes` holds.
fn name_of(classes: &ClassIndices, class: ClassIndex) -> &str {
    classes.name(class).expect("a prediction names a class of the model")
}

fn write_row<W: io::Write>(
    writer: &mut csv::Writer<W>,
    row: impl IntoIterator<Item = String>,
) -> io::Result<()> {
    writer.write_record(row).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prediction whose probabilities need not come from a model.
    fn prediction(path: &str, actual: usize, probabilities: &[f64]) -> Prediction {
        let predicted = crate::metrics::most_probable(probabilities).unwrap();
        Prediction {
            path: path.into(),
            actual: ClassIndex(actual),
            predicted,
            loss: -probabilities[actual].ln(),
            probabilities: probabilities.to_vec(),
        }
    }

    #[test]
    fn every_image_is_a_row_with_every_probability() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("predictions.csv");
        let classes = ClassIndices::of_names(["a", "b, c"]);
        let predictions = [
            prediction("test/a/1.png", 0, &[0.75, 0.25]),
            prediction("test/b/1.png", 0, &[0.1, 0.9]),
        ];
        write_predictions(&path, &classes, &predictions).unwrap();
        assert_eq!(
            artifact::read_text(&path).unwrap(),
            "path,actual,predicted,correct,confidence,prob_a,\"prob_b, c\"\n\
             test/a/1.png,a,a,true,0.75,0.75,0.25\n\
             test/b/1.png,a,\"b, c\",false,0.9,0.1,0.9\n"
        );
    }

    #[test]
    fn the_confusion_matrix_lists_pairs_that_never_occur_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("confusion_matrix.csv");
        let classes = ClassIndices::of_names(["a", "b"]);
        let matrix = confusion_matrix(&classes, &[prediction("1", 1, &[0.9, 0.1])]);
        write_confusion_matrix(&path, &classes, &matrix).unwrap();
        assert_eq!(
            artifact::read_text(&path).unwrap(),
            "actual,predicted,count\na,a,0\na,b,0\nb,a,1\nb,b,0\n"
        );
    }

    #[test]
    fn loss_is_the_mean_over_images() {
        let predictions = [prediction("1", 0, &[0.5, 0.5]), prediction("2", 1, &[0.75, 0.25])];
        let expected = (0.5_f64.ln() + 0.25_f64.ln()) / -2.0;
        assert!((mean_loss(&predictions) - expected).abs() < 1e-12);
        assert_eq!(mean_loss(&[]), 0.0);
    }
}
