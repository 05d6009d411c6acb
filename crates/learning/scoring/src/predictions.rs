//! The model's prediction for each image, and `predictions.csv`.

use std::io;
use std::path::Path;

use dataset::{ClassIndex, ClassIndices};

use metrics::{LabelledError, Predictions};

/// The model's prediction for one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The image's path in the manifest.
    pub path: String,
    /// The image's class in the manifest.
    pub actual: ClassIndex,
    /// The class with the highest probability.
    pub predicted: ClassIndex,
    /// One per class, in index order; they add up to 1.
    pub probabilities: Vec<f64>,
    /// Whether training has a copy of the image.
    pub has_copy_in_training: bool,
}

impl Prediction {
    /// Whether the prediction is right.
    pub fn is_correct(&self) -> bool {
        self.actual == self.predicted
    }

    /// The probability of the predicted class.
    pub fn confidence(&self) -> f64 {
        self.probabilities[self.predicted.0]
    }
}

/// The predictions in the form that the metrics need.
///
/// # Errors
/// When a row is not of these classes.
pub fn for_metrics(
    classes: &ClassIndices,
    predictions: &[Prediction],
) -> Result<Predictions, LabelledError> {
    let rows = predictions.iter().map(|image| (image.actual, &image.probabilities));
    Predictions::new(classes.len(), rows)
}

/// Writes one row per image: `path,actual,predicted,correct,confidence,has_copy_in_training`, then
/// `prob_<class>` for each class. Classes are names; `correct` is `true` or `false`; probabilities
/// have enough digits to distinguish any two f64.
///
/// # Errors
/// When the file cannot be written.
pub fn write_predictions(
    path: &Path,
    classes: &ClassIndices,
    predictions: &[Prediction],
) -> artifact::Result<()> {
    artifact::write_with(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        let columns =
            ["path", "actual", "predicted", "correct", "confidence", "has_copy_in_training"]
                .map(str::to_owned);
        let probabilities = classes.names().iter().map(|name| format!("prob_{name}"));
        write_row(&mut writer, columns.into_iter().chain(probabilities))?;
        for image in predictions {
            let columns = [
                image.path.clone(),
                name_of(classes, image.actual).to_owned(),
                name_of(classes, image.predicted).to_owned(),
                image.is_correct().to_string(),
                image.confidence().to_string(),
                image.has_copy_in_training.to_string(),
            ];
            let probabilities = image.probabilities.iter().map(ToString::to_string);
            write_row(&mut writer, columns.into_iter().chain(probabilities))?;
        }
        writer.flush()
    })
}

/// The name of a class in a prediction over `classes`.
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
        let predicted = metrics::most_probable(probabilities).unwrap();
        Prediction {
            path: path.into(),
            actual: ClassIndex(actual),
            predicted,
            probabilities: probabilities.to_vec(),
            has_copy_in_training: false,
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
            "path,actual,predicted,correct,confidence,has_copy_in_training,prob_a,\"prob_b, c\"\n\
             test/a/1.png,a,a,true,0.75,false,0.75,0.25\n\
             test/b/1.png,a,\"b, c\",false,0.9,false,0.1,0.9\n"
        );
    }
}
