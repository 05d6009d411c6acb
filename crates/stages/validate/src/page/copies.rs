use std::cmp::Reverse;
use std::collections::BTreeMap;

use anyhow::Result;
use dataset::GroupNumber;
use maud::{Markup, html};
use report::{Cell, Column, Section, Table};

use super::content::{Content, nothing};
use crate::groups::Groups;
use crate::leaks::LeakCount;
use crate::ties::{CopyTie, Evidence};

/// Number of pairs shown; the CSV lists all.
const SHOWN: usize = 48;

/// Copies: how many, across which splits, and pictures of them.
pub(super) fn section(content: &Content<'_>) -> Result<Section> {
    if content.ties.copies.is_empty() {
        let sentence = "No image is a copy of another: not by its bytes, not by its pixels, not \
                        turned, mirrored, cropped, resized, compressed or brightened.";
        return Ok(nothing("copies", "Copies", sentence));
    }
    let pairs = worth_showing(content);
    Ok(Section {
        id: "copies",
        title: "Copies".into(),
        lead: "A test image with a copy in training tests memory, not skill. Equal files and \
               equal pixels are certain; near copies are turned, mirrored, cropped, resized, \
               compressed or brightened versions, confirmed on the pixels."
            .into(),
        body: html! {
            (counts(content))
            @if !content.findings.label_conflicts.is_empty() { (conflicts(content)) }
            h3 { "Pairs" }
            p.lead {
                (pairs.len()) " of " (content.ties.copies.len())
                " pairs: different labels first, then different splits, one pair of each content before \
                 a second. copies.csv lists all."
            }
            div.gallery { @for tie in &pairs { (pair(content, tie)?) } }
        },
    })
}

/// Neighbouring slices.
pub(super) fn scans_section(content: &Content<'_>) -> Result<Section> {
    let scans = &content.findings.same_scan;
    let title = "Slices of one scan";
    if scans.pairs == 0 {
        let sentence = "No two images look like neighbouring slices of one scan.";
        return Ok(nothing("scans", title, sentence));
    }
    let mut ties: Vec<_> = content.ties.scans.iter().collect();
    ties.sort_by(|x, y| {
        let within = |tie: &crate::ties::ScanTie| content.splits[tie.a] == content.splits[tie.b];
        within(x).cmp(&within(y)).then(x.distance.total_cmp(&y.distance))
    });
    Ok(Section {
        id: "scans",
        title: title.into(),
        lead: format!(
            "{} pairs look like neighbouring slices of one scan, {} of them in different splits; {} \
             test images have such a neighbour in training. They are no copies and are never left \
             out by themselves, but a new split keeps them together.",
            scans.pairs, scans.pairs_across_splits, scans.test_images_with_neighbour_in_training
        ),
        body: html! {
            div.gallery {
                @for tie in ties.iter().take(SHOWN / 4) {
                    figure.pair {
                        div.row { (content.picture(tie.a)?) (content.picture(tie.b)?) }
                        figcaption { "same scan? · distance " (format!("{:.3}", tie.distance)) }
                    }
                }
            }
        },
    })
}

fn counts(content: &Content<'_>) -> Markup {
    let leaks = &content.findings.leaks;
    let copies = &content.findings.copies;
    let row = |name: &str, distinct: usize, count: &LeakCount| -> Vec<Cell> {
        vec![
            name.into(),
            Cell::count(distinct),
            Cell::count(count.contents_in_several_splits),
            Cell::count(count.leaked_test_images()),
            Cell::count(count.leaked_valid_images()),
            in_words(count).into(),
        ]
    };
    let table = Table {
        label: "Copies by kind of evidence".into(),
        columns: vec![
            Column::text("told by"),
            Column::number("distinct contents"),
            Column::number("contents in several splits"),
            Column::number("test images with a copy in training"),
            Column::number("validation images with one"),
            Column::text("of the classes"),
        ],
        rows: vec![
            row("equal files", copies.distinct_files, &leaks.by_file),
            row("… or equal pixels", copies.distinct_pixels, &leaks.by_pixels),
            row("… or near copies", copies.distinct_pictures, &leaks.by_near_copies),
        ],
    };
    html! {
        (table.markup())
        @if !copies.near_copies.is_empty() {
            p {
                "Near copies: "
                @for (index, (relation, count)) in copies.near_copies.iter().enumerate() {
                    @if index > 0 { ", " }
                    (count) " " (relation)
                }
                "."
            }
        }
    }
}

fn in_words(count: &LeakCount) -> String {
    let mut classes: Vec<String> = Vec::new();
    for (class, images) in &count.test_images {
        classes.push(format!("{class} {images} test"));
    }
    for (class, images) in &count.valid_images {
        classes.push(format!("{class} {images} validation"));
    }
    classes.join(", ")
}

fn conflicts(content: &Content<'_>) -> Markup {
    let rows =
        content.findings.label_conflicts.iter().enumerate().flat_map(|(number, conflict)| {
            conflict.images.iter().map(move |image| {
                vec![
                    Cell::count(number + 1),
                    match conflict.evidence {
                        Evidence::File => "equal files",
                        Evidence::Pixels => "equal pixels",
                        Evidence::Near => "near copies",
                    }
                    .into(),
                    image.class.as_str().into(),
                    image.split.name().into(),
                    image.path.as_str().into(),
                ]
            })
        });
    let table = Table {
        label: "Contents with more than one label".into(),
        columns: ["content", "told by", "label", "split", "image"]
            .into_iter()
            .map(Column::text)
            .collect(),
        rows: rows.collect(),
    };
    html! {
        h3 { "One content, several labels" }
        p.lead { "At least one of the labels is wrong." }
        (table.markup())
    }
}

/// Pairs of different labels, then of different splits, then near copies, then the rest; one pair
/// of every content before any second one.
fn worth_showing<'a>(content: &Content<'a>) -> Vec<&'a CopyTie> {
    let groups = Groups::of(content.splits.len(), content.ties.copies_by(Evidence::Near));
    let mut ties: Vec<&CopyTie> = content.ties.copies.iter().collect();
    let weight = |tie: &CopyTie| {
        let same_class = content.image(tie.a).class == content.image(tie.b).class;
        let same_split = content.splits[tie.a] == content.splits[tie.b];
        (same_class, same_split, Reverse(tie.evidence))
    };
    ties.sort_by_key(|tie| (weight(tie), tie.a, tie.b));
    let mut shown_of: BTreeMap<GroupNumber, usize> = BTreeMap::new();
    let mut turns: Vec<(usize, &CopyTie)> = Vec::with_capacity(ties.len());
    for tie in ties {
        let turn = shown_of.entry(groups.of_image(tie.a)).or_default();
        turns.push((*turn, tie));
        *turn += 1;
    }
    turns.sort_by_key(|(turn, tie)| {
        let (same_class, same_split, evidence) = weight(tie);
        (same_class, *turn, same_split, evidence, tie.a, tie.b)
    });
    turns.into_iter().take(SHOWN).map(|(_, tie)| tie).collect()
}

fn pair(content: &Content<'_>, tie: &CopyTie) -> Result<Markup> {
    let differs = content.image(tie.a).class != content.image(tie.b).class;
    let crosses = content.splits[tie.a] != content.splits[tie.b];
    Ok(html! {
        figure.pair {
            div.row { (content.picture(tie.a)?) (content.picture(tie.b)?) }
            figcaption {
                (tie.relation)
                @if tie.evidence == Evidence::Near { " · distance " (format!("{:.3}", tie.distance)) }
                br;
                @if differs { span.badge.bad { "two labels" } }
                @if crosses { span.badge.warn { "across splits" } }
            }
        }
    })
}
