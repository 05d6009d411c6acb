//! How a solved head was chosen.

use classifier::solved::Solved;
use maud::html;
use report::{Cell, Column, Section, Table};

/// The section.
pub(super) fn section(solved: &Solved) -> Section {
    let search = &solved.search;
    let rows = search.candidates.iter().map(|candidate| {
        let is_chosen = candidate.choice == solved.choice;
        vec![
            if is_chosen { "chosen" } else { "" }.into(),
            candidate.choice.cuts.join(", ").into(),
            candidate.choice.strength.to_string().into(),
            candidate.choice.width.map_or(String::new(), |width| width.to_string()).into(),
            Cell::score(Some(candidate.accuracy)),
            Cell::score(Some(candidate.standard_error)),
            Cell::score(Some(candidate.log_loss)),
        ]
    });
    let table = Table {
        label: "cross-validation of each candidate".into(),
        columns: vec![
            Column::text(""),
            Column::text("Features at"),
            Column::number("Strength (C)"),
            Column::number("Width"),
            Column::number("Accuracy"),
            Column::number("Standard error"),
            Column::number("Loss, calibrated"),
        ],
        rows: rows.collect(),
    };
    Section {
        id: "training",
        title: "Choice of the head".into(),
        lead: format!(
            "By cross-validation on the training split alone, in {} folds that keep copies, scans and \
             patients together. {} The test images played no part in it.",
            search.folds, search.rule
        ),
        body: html! { (table.markup()) },
    }
}
