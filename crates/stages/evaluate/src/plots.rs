//! Tables for `dvc plots`.

use std::path::Path;

use dataset::{ClassIndex, ClassIndices};
use metrics::{Predictions, Ranking, Reliability, RocPoints};
use serde::Serialize;

/// A corner of a class's ROC curve.
#[derive(Debug, Serialize)]
struct RocRow<'a> {
    class: &'a str,
    false_positive_rate: f64,
    true_positive_rate: f64,
}

/// Writes the one-against-rest ROC curve of every class that has one.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_roc(
    path: &Path,
    classes: &ClassIndices,
    predictions: &Predictions,
) -> artifact::Result<()> {
    let curves = classes.names().iter().enumerate().map(|(index, class)| {
        let ranking = Ranking::against_rest(predictions, &[ClassIndex(index)]);
        (class, ranking.roc_curve(RocPoints::Corners).unwrap_or_default())
    });
    let rows = curves.flat_map(|(class, points)| {
        points.into_iter().map(move |point| RocRow {
            class,
            false_positive_rate: point.false_positive_rate,
            true_positive_rate: point.true_positive_rate,
        })
    });
    write_rows(path, rows)
}

/// A pair of classes, and how often the first was predicted as the second.
#[derive(Debug, Serialize)]
struct ConfusionRow<'a> {
    actual: &'a str,
    predicted: &'a str,
    count: u64,
}

/// Writes the confusion matrix in long form: every pair of classes once.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_confusion_matrix(
    path: &Path,
    classes: &ClassIndices,
    predictions: &Predictions,
) -> artifact::Result<()> {
    let matrix = predictions.confusion_matrix();
    let names = || classes.names().iter().enumerate();
    let rows = names().flat_map(|(actual, actual_name)| {
        let matrix = &matrix;
        names().map(move |(predicted, name)| ConfusionRow {
            actual: actual_name,
            predicted: name,
            count: matrix.count(ClassIndex(actual), ClassIndex(predicted)),
        })
    });
    write_rows(path, rows)
}

/// A bin of the reliability table; undefined values of an empty bin are left blank.
#[derive(Debug, Serialize)]
struct ReliabilityRow {
    confidence_above: f64,
    confidence_up_to: f64,
    images: u64,
    mean_confidence: Option<f64>,
    accuracy: Option<f64>,
}

/// Writes the reliability table of the predicted classes.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_reliability(path: &Path, predictions: &Predictions) -> artifact::Result<()> {
    let table = Reliability::of_confidence(predictions, Reliability::BINS);
    let rows = table.bins.into_iter().map(|bin| ReliabilityRow {
        confidence_above: bin.above,
        confidence_up_to: bin.up_to,
        images: bin.images,
        mean_confidence: bin.mean_confidence,
        accuracy: bin.accuracy,
    });
    write_rows(path, rows)
}

fn write_rows(path: &Path, rows: impl Iterator<Item = impl Serialize>) -> artifact::Result<()> {
    artifact::write_with(path, |file| {
        let mut writer = csv::Writer::from_writer(file);
        for row in rows {
            writer.serialize(row).map_err(std::io::Error::other)?;
        }
        writer.flush()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions() -> Predictions {
        let rows = [(0, 0.9), (0, 0.6), (1, 0.7), (1, 0.2)];
        Predictions::new(2, rows.map(|(actual, p)| (ClassIndex(actual), [p, 1.0 - p]))).unwrap()
    }

    #[test]
    fn the_confusion_matrix_lists_pairs_that_never_occur_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("confusion_matrix.csv");
        let rows = [(ClassIndex(1), [0.9, 0.1])];
        let predictions = Predictions::new(2, rows).unwrap();
        write_confusion_matrix(&path, &ClassIndices::of_names(["a", "b"]), &predictions).unwrap();
        assert_eq!(
            artifact::read_text(&path).unwrap(),
            "actual,predicted,count\na,a,0\na,b,0\nb,a,1\nb,b,0\n"
        );
    }

    #[test]
    fn a_roc_curve_runs_from_nothing_to_everything() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("roc.csv");
        write_roc(&path, &ClassIndices::of_names(["a", "b"]), &predictions()).unwrap();
        let text = artifact::read_text(&path).unwrap();
        // For class a: 0.9 is right, 0.7 wrong, 0.6 right, 0.2 wrong.
        let expected = "class,false_positive_rate,true_positive_rate\n\
                        a,0.0,0.0\na,0.0,0.5\na,0.5,0.5\na,0.5,1.0\na,1.0,1.0\n";
        assert!(text.starts_with(expected), "{text}");
    }

    #[test]
    fn an_empty_bin_is_blank() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("reliability.csv");
        write_reliability(&path, &predictions()).unwrap();
        let text = artifact::read_text(&path).unwrap();
        assert!(text.contains(",0,,\n"), "{text}");
        assert_eq!(text.lines().count(), 1 + Reliability::BINS);
    }
}
