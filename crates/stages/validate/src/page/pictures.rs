use std::collections::BTreeSet;

use anyhow::Result;
use maud::{Markup, html};
use picture_checks::{MarkKind, OutlierMeasure};
use report::{Cell, Column, Section, Table};

use super::content::{Content, nothing};

/// Number of pictures shown of each kind.
const SHOWN: usize = 18;

/// Unusual pictures.
pub(super) fn section(content: &Content<'_>) -> Result<Section> {
    let odd = &content.findings.odd;
    let title = "Odd pictures";
    if odd.blank.is_empty() && odd.outliers.is_empty() && odd.burnt_in_marks.is_empty() {
        let sentence = "No picture is blank, marked, or unlike all others.";
        return Ok(nothing("pictures", title, sentence));
    }
    Ok(Section {
        id: "pictures",
        title: title.into(),
        lead: "Blank pictures, pictures unlike all others, and pictures with text, pen strokes or \
               coloured marks."
            .into(),
        body: html! {
            @if !odd.burnt_in_marks.is_empty() { (marks(content)?) }
            @if !odd.outliers.is_empty() { (outliers(content)?) }
            @if !odd.blank.is_empty() {
                h3 { "Blank: " (odd.blank.len()) }
                (gallery(content, &odd.blank, |_| String::new())?)
            }
        },
    })
}

fn marks(content: &Content<'_>) -> Result<Markup> {
    let odd = &content.findings.odd.burnt_in_marks;
    let pictures = &content.findings.pictures;
    let rows = pictures
        .marked_share
        .iter()
        .map(|(class, share)| {
            vec![class.as_str().into(), Cell::sorted_by(format!("{:.1} %", share * 100.0), *share)]
        })
        .collect();
    let table = Table {
        label: "Marked pictures by class".into(),
        columns: vec![Column::text("class"), Column::number("marked")],
        rows,
    };
    let caption = |place: usize| {
        let path = &content.image(place).path;
        let marked = pictures.burnt_in_marks.iter().find(|it| it.path == *path);
        let kinds: BTreeSet<MarkKind> =
            marked.iter().flat_map(|it| it.marks.iter().map(|mark| mark.kind)).collect();
        kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    Ok(html! {
        h3 { "Text, strokes, coloured marks: " (odd.len()) }
        p.lead {
            "Found by simple detectors, which miss smooth lines, text over the body and grey \
             watermarks, and sometimes mistake an edge for a stroke."
        }
        (table.markup())
        (gallery(content, odd, caption)?)
    })
}

fn outliers(content: &Content<'_>) -> Result<Markup> {
    let findings = content.findings;
    let caption = |place: usize| {
        let path = &content.image(place).path;
        let of_image = findings.pictures.outliers.iter().filter(|it| it.path == *path);
        let told = of_image.map(|it| match it.measure {
            OutlierMeasure::Pixels => format!("{:.0} pixels", it.value),
            OutlierMeasure::AspectRatio => format!("{:.2} times as wide as high", it.value),
            OutlierMeasure::MeanGrey => format!("mean grey {:.0}", it.value),
        });
        told.collect::<Vec<_>>().join(", ")
    };
    Ok(html! {
        h3 { "Unlike all others: " (findings.odd.outliers.len()) }
        (gallery(content, &findings.odd.outliers, caption)?)
    })
}

fn gallery(
    content: &Content<'_>,
    places: &BTreeSet<usize>,
    caption: impl Fn(usize) -> String,
) -> Result<Markup> {
    Ok(html! {
        div.gallery.single {
            @for place in spread(places) {
                figure.pair {
                    (content.picture(place)?)
                    figcaption { (caption(place)) }
                }
            }
        }
        @if places.len() > SHOWN {
            p.lead { (SHOWN) " of " (places.len()) " are shown; report.json lists them all." }
        }
    })
}

/// At most [`SHOWN`] positions, evenly from beginning to end.
fn spread(places: &BTreeSet<usize>) -> Vec<usize> {
    let all: Vec<usize> = places.iter().copied().collect();
    let count = all.len().min(SHOWN);
    (0..count).map(|index| all[index * all.len() / count]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_are_shown_all_and_many_from_everywhere() {
        assert_eq!(spread(&(0..3).collect()), [0, 1, 2]);
        let many = spread(&(0..1000).collect());
        assert_eq!((many.len(), many[0]), (SHOWN, 0));
        assert!(many[SHOWN - 1] > 900);
    }
}
