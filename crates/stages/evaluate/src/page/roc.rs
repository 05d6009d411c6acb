//! How well each class is distinguished from all others, for all thresholds.

use dataset::ClassIndex;
use maud::html;
use metrics::{Ranking, RocPoints};
use report::Section;
use report::chart::{Axis, LineChart, Series, Stroke};

use super::evaluated::Evaluated;
use super::words;

/// The section.
pub(super) fn section(evaluated: &Evaluated<'_>) -> Section {
    let names = evaluated.class_names();
    let curves = names.iter().enumerate().filter_map(|(index, name)| {
        let ranking = Ranking::against_rest(evaluated.predictions, &[ClassIndex(index)]);
        series(format!("{name}, AUROC {}", words::score(ranking.auroc())), &ranking)
    });
    let chart = LineChart {
        title: "ROC of each class against the others".into(),
        x: Axis::share("false positive rate (1 − specificity)"),
        y: Axis::share("true positive rate (sensitivity)"),
        series: curves.collect(),
        diagonal: true,
        caption:
            "The dashed diagonal is chance. A curve near the upper left corner distinguishes the \
                  class from the others almost without mistakes."
                .into(),
    };
    Section {
        id: "roc",
        title: "ROC curves".into(),
        lead: "True and false positive rates of a class, for every threshold on its probability."
            .into(),
        body: html! { div.charts { (chart.markup()) } },
    }
}

/// The curve; none if there is only one class to distinguish.
pub(super) fn series(name: String, ranking: &Ranking) -> Option<Series> {
    let points = ranking.roc_curve(RocPoints::Corners)?;
    let points = points.iter().map(|it| (it.false_positive_rate, it.true_positive_rate)).collect();
    Some(Series { name, points, stroke: Stroke::Line })
}
