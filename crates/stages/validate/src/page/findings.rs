use maud::html;
use report::{Cell, Column, Section, Table};

use super::content::Content;
use crate::policy::{Policy, Verdict};

/// Every kind of finding, its policy, and the images left out.
pub(super) fn section(content: &Content<'_>) -> Section {
    let table = Table {
        label: "Findings and their policy".into(),
        columns: vec![
            Column::text("finding"),
            Column::number("count"),
            Column::text("policy"),
            Column::text("in words"),
        ],
        rows: content.report.findings.iter().map(row).collect(),
    };
    let excluded = &content.report.excluded;
    let moved = content.report.images.moved;
    Section {
        id: "findings",
        title: "Findings and policy".into(),
        lead: "validation.policy in params.yaml decides what each kind of finding leads to. What \
               is dropped is left out of training; no file is ever deleted."
            .into(),
        body: html! {
            (table.markup())
            @if moved > 0 {
                p { (moved) " images were moved to another split than ingest gave them; manifest.csv has both." }
            }
            @if !excluded.is_empty() {
                details {
                    summary { (excluded.len()) " training images were left out" }
                    ul {
                        @for (path, reason) in excluded { li { code { (path) } ": " (reason) } }
                    }
                }
            }
        },
    }
}

fn row(verdict: &Verdict) -> Vec<Cell> {
    let policy = match verdict.policy {
        Policy::Ignore => "ignore",
        Policy::Warn => "warn",
        Policy::Drop => "drop",
        Policy::Fail => "fail",
    };
    let tone = match (verdict.count, verdict.policy) {
        (0, _) => "good",
        (_, Policy::Fail) => "bad",
        (_, Policy::Ignore) => "plain",
        _ => "warn",
    };
    vec![
        Cell::markup(html! { code { (verdict.finding) } }),
        Cell::count(verdict.count),
        Cell::markup(html! { span.badge.(tone) { (policy) } }),
        verdict.in_words.as_str().into(),
    ]
}
