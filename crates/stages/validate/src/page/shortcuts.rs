use dataset::{BaselineKind, Split};
use maud::{Markup, html};
use report::chart::Matrix;
use report::{Cell, Column, Section, Table};
use shortcuts::BaselineReport;

use super::content::Content;

/// The scores of baselines that cannot know anything about tumours.
pub(super) fn section(content: &Content<'_>) -> Section {
    let verdict = &content.shortcuts.report.verdict;
    Section {
        id: "shortcuts",
        title: "Shortcuts".into(),
        lead:
            "Classifiers that cannot know anything about tumours, fitted on the training images. \
               Any network can reach their scores without looking at the disease: only the part \
               of a score above theirs means anything."
                .into(),
        body: html! {
            ul { @for sentence in &verdict.in_words { li { (sentence) } } }
            (baselines(content).markup())
            p.caption {
                (fitted_on(&content.shortcuts.report.baselines)) " "
                "A coarse look sees large lesions and the shape of the body, so that its score is \
                 no shortcut by itself. The best of so many scores a little higher than it should, \
                 which favours the baselines."
            }
            (remarks(&content.shortcuts.report.baselines))
            h3 { "Pairs of classes" }
            (pairs(content))
        },
    }
}

fn baselines(content: &Content<'_>) -> Table {
    let row = |baseline: &BaselineReport| {
        let of_split = |split| baseline.scores.iter().find(|scores| scores.split == split);
        let (valid, test) = (of_split(Split::Valid), of_split(Split::Test));
        let without_copies = test.map(|it| it.without_copies.as_ref().unwrap_or(&it.all));
        let test = test.map(|it| &it.all);
        vec![
            Cell::from(baseline.looks_at.as_str()),
            Cell::from(kind(baseline.kind)),
            Cell::score(valid.map(|it| it.all.accuracy)),
            Cell::score(test.map(|it| it.accuracy)),
            Cell::score(without_copies.map(|it| it.accuracy)),
            Cell::score(test.and_then(|it| it.balanced_accuracy)),
            Cell::score(test.and_then(|it| it.auroc)),
        ]
    };
    Table {
        label: "Baselines that know nothing of tumours".into(),
        columns: vec![
            Column::text("looks at"),
            Column::text("kind"),
            Column::number("validation accuracy"),
            Column::number("test accuracy"),
            Column::number("test accuracy without copies"),
            Column::number("test balanced accuracy"),
            Column::number("test AUROC"),
        ],
        rows: content.shortcuts.report.baselines.iter().map(row).collect(),
    }
}

/// How many images the baselines were fitted on, of how many.
fn fitted_on(baselines: &[BaselineReport]) -> String {
    let of = baselines.iter().map(|it| it.fitted_on.of).max().unwrap_or(0);
    let fewer: Vec<String> = baselines
        .iter()
        .filter(|it| !it.fitted_on.is_all())
        .map(|it| format!("{} {}", it.baseline.name(), it.fitted_on.images))
        .collect();
    if fewer.is_empty() {
        return format!("Each was fitted on all {of} training images.");
    }
    format!(
        "Not every one was fitted on all {of} training images, so a model may be better because of that \
         alone: {}.",
        fewer.join(", ")
    )
}

/// The choices of baselines, and how they were made.
fn remarks(baselines: &[BaselineReport]) -> Markup {
    let remarks = || baselines.iter().filter_map(|it| Some((&it.looks_at, it.remark.as_ref()?)));
    html! {
        @if remarks().next().is_some() {
            details {
                summary { "What they had to choose" }
                ul { @for (looks_at, remark) in remarks() { li { (looks_at) ": " (remark) } } }
            }
        }
    }
}

fn kind(kind: BaselineKind) -> &'static str {
    match kind {
        BaselineKind::Majority => "guess",
        BaselineKind::Shortcut => "no anatomy",
        BaselineKind::CoarseLook => "coarse look",
    }
}

/// How well each baseline distinguishes each pair of classes.
fn pairs(content: &Content<'_>) -> Markup {
    let verdict = &content.shortcuts.report.verdict;
    let mut names: Vec<String> = Vec::new();
    let mut columns: Vec<String> = Vec::new();
    let mut cells: Vec<Vec<Option<(String, f64)>>> = Vec::new();
    for pair in &verdict.pairs {
        let name = pair.classes.join(" – ");
        let row = names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            cells.push(Vec::new());
            names.len() - 1
        });
        if !columns.contains(&pair.baseline.looks_at()) {
            columns.push(pair.baseline.looks_at());
        }
        cells[row].push(pair.auroc.map(|auroc| {
            let mark = if pair.is_told_apart { " ●" } else { "" };
            (format!("{auroc:.3}{mark}"), (auroc - 0.5) * 2.0)
        }));
    }
    let matrix = Matrix {
        title: "AUROC of one class against another".into(),
        row_label: "classes".into(),
        column_label: "looks at".into(),
        rows: names,
        columns,
        cells,
        caption: format!(
            "On {} validation and test images that have no copy in training; 0.5 is chance. ● told \
             apart: AUROC {:.2} or more, and p < {} after correction for the number of tests \
             (Mann-Whitney, each group of images counting once).",
            verdict.images, verdict.auroc_limit, verdict.significance
        ),
    };
    matrix.markup()
}
