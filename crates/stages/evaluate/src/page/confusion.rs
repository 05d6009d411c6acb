//! Which classes are confused with which.

use dataset::ClassIndex;
use maud::html;
use metrics::ConfusionMatrix;
use report::Section;
use report::chart::Matrix;

use super::evaluated::Evaluated;

/// The section.
pub(super) fn section(evaluated: &Evaluated<'_>) -> Section {
    let matrix = evaluated.predictions.confusion_matrix();
    let names = evaluated.class_names();
    let cells = matrix
        .classes()
        .map(|actual| matrix.classes().map(|predicted| cell(&matrix, actual, predicted)).collect());
    let chart = Matrix {
        title: "Images by actual and predicted class".into(),
        row_label: "actual".into(),
        column_label: "predicted".into(),
        rows: names.clone(),
        columns: names,
        cells: cells.collect(),
        caption: "Shaded by the share of the row: what became of the images of a class.".into(),
    };
    Section {
        id: "confusion",
        title: "Confusion".into(),
        lead: most_frequent_mistake(evaluated, &matrix),
        body: html! { (chart.markup()) },
    }
}

/// The count, and its share of the class; nothing if the count is 0.
fn cell(
    matrix: &ConfusionMatrix,
    actual: ClassIndex,
    predicted: ClassIndex,
) -> Option<(String, f64)> {
    let count = matrix.count(actual, predicted);
    let share = count as f64 / matrix.support(actual).max(1) as f64;
    (count > 0).then(|| (format!("{count} ({:.0} %)", share * 100.0), share))
}

fn most_frequent_mistake(evaluated: &Evaluated<'_>, matrix: &ConfusionMatrix) -> String {
    let pairs = matrix.classes().flat_map(|actual| {
        matrix.classes().filter(move |predicted| *predicted != actual).map(move |it| (actual, it))
    });
    let most = pairs
        .map(|(actual, predicted)| (matrix.count(actual, predicted), actual, predicted))
        .reduce(|most, it| if it.0 > most.0 { it } else { most })
        .filter(|(count, ..)| *count > 0);
    match most {
        Some((count, actual, predicted)) => format!(
            "The most frequent mistake: {} taken for {}, {count} of {}.",
            evaluated.class(actual),
            evaluated.class(predicted),
            matrix.support(actual)
        ),
        None => "No image was given a wrong class.".into(),
    }
}
