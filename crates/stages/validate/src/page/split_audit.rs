use dataset::{AuditAmong, BaselineAudit, DrawnScores, ScoreDifference, SplitAudit};
use maud::html;
use report::{Cell, Column, Section, Table};

/// The effect of the split on the scores of simple baselines.
pub(super) fn section(audit: &SplitAudit) -> Section {
    Section {
        id: "split",
        title: "What the split does to a score".into(),
        lead: format!(
            "Two baselines that know nothing of tumours, with the split as it is, with {0} random \
             splits of the same sizes that keep groups (patients, scans, copies) whole, and with {0} \
             that do not. A model may gain by the split as much as they do.{1}",
            audit.draws,
            limit(audit)
        ),
        body: html! {
            @if audit.among.is_empty() {
                p {
                    "Nothing could be compared: that takes training images of two classes, and test \
                     images."
                }
            }
            @for among in &audit.among {
                p { (among.in_words) }
                (table(among).markup())
            }
            @if !audit.among.is_empty() {
                p.caption {
                    "± is the standard deviation of the random splits. In brackets the 99 % interval \
                     if the split as it is were one more of them."
                }
            }
        },
    }
}

fn limit(audit: &SplitAudit) -> String {
    if audit.images == audit.of {
        return String::new();
    }
    format!(" On {} of {} images: whole groups, drawn at random.", audit.images, audit.of)
}

fn table(among: &AuditAmong) -> Table {
    let drawn = |it: &DrawnScores| Cell::from(format!("{:.3} ± {:.3}", it.mean, it.deviation));
    let flattery = |it: &ScoreDifference| {
        let text = format!("{:+.3} ({:+.3} to {:+.3})", it.value, it.low, it.high);
        // A real minus sign: lines are not broken after it.
        Cell::from(text.replace('-', "−"))
    };
    let row = |it: &BaselineAudit| {
        vec![
            Cell::from(it.looks_at.as_str()),
            Cell::score(Some(it.given)),
            drawn(&it.grouped),
            drawn(&it.random),
            flattery(&it.grouped_flatters_by),
            flattery(&it.random_flatters_by),
        ]
    };
    let classes =
        if among.is_every_class { "all classes".into() } else { among.classes.join(", ") };
    Table {
        label: format!("Accuracy among {classes} by the kind of split"),
        columns: vec![
            Column::text("looks at"),
            Column::number("the split as it is"),
            Column::number("groups at random"),
            Column::number("images at random"),
            Column::number("groups, less as it is"),
            Column::number("images, less as it is"),
        ],
        rows: among.baselines.iter().map(row).collect(),
    }
}
