//! `report.html`: the figures first, the important mistakes, and no requests to the network.

use crate::project::{Answer, CANCERS, NORMALS, Project};

/// The text between two texts, for each time that they occur.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Vec<&'a str> {
    let parts = text.split(from).skip(1);
    parts.map(|part| part.split(to).next().unwrap_or_default()).collect()
}

fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let found = between(page, &format!("<section id=\"{id}\">"), "</section>");
    assert_eq!(found.len(), 1, "sections called {id}");
    found[0]
}

fn shown_paths(section: &str) -> Vec<&str> {
    between(section, "<div class=\"path\">", "</div>")
}

#[test]
fn the_verdict_and_three_figures_come_before_everything_else() {
    let project = Project::new();
    project.evaluate(&[]).success();
    let page = project.output("report.html");
    let (summary, rest) = page.split_once("<section").unwrap();
    assert!(rest.starts_with(" id=\"worth\""));
    // Four of normal: too few for a verdict on the model.
    assert!(summary.contains("Problem: too few test images for any conclusion"), "{summary}");
    assert!(summary.contains("Fewer than 10 test images of a class show nothing"), "{summary}");
    let values = between(summary, "<div class=\"value\">", "</div>");
    assert_eq!(values, ["0.765", "+0.000", "0"]);
    assert!(summary.contains("majority class with 0.765"), "{summary}");
    assert!(summary.contains("Research use only. Not a medical device."));
}

#[test]
fn counts_and_classes_are_those_of_the_scores() {
    let project = Project::new();
    project.evaluate(&[]).success();
    let page = project.output("report.html");
    let confusion = section(&page, "confusion");
    let cells = between(confusion, "<td class=\"cell\" ", "</td>");
    let counts: Vec<_> = cells.iter().map(|cell| cell.split('>').nth(1).unwrap()).collect();
    assert_eq!(counts, [format!("{CANCERS} (100 %)"), format!("{NORMALS} (100 %)")]);
    assert!(confusion.contains("normal taken for cancer, 4 of 4"), "{confusion}");
    let classes = section(&page, "classes");
    assert_eq!(classes.matches("too few").count(), 2, "both classes have fewer than 20 images");
    assert_eq!(shown_paths(section(&page, "mistakes")).len(), NORMALS);
    assert_eq!(shown_paths(section(&page, "right")).len(), 3, "three of cancer, none of normal");
    assert!(section(&page, "right").contains("None was recognised."));
}

#[test]
fn nothing_is_fetched_from_anywhere() {
    let project = Project::new();
    project.evaluate(&[]).success();
    let page = project.output("report.html");
    for outside in ["http://", "https://", "@import", "url(", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(outside), "the page holds {outside}");
    }
    let addresses = [between(&page, "src=\"", "\""), between(&page, "href=\"", "\"")].concat();
    assert!(addresses.len() > 2 * NORMALS);
    for address in addresses {
        assert!(address.starts_with("data:") || address.starts_with('#'), "{address}");
    }
}

#[test]
fn the_24_most_confident_mistakes_are_shown_the_surest_first() {
    // All are predicted as normal: the brighter, the more confident.
    let images: Vec<_> = (1..=30).map(|step| ("cancer", step * 8)).collect();
    let project = Project::with_images(&images).answering(Answer::Brightness);
    project.evaluate(&[]).success();
    let confidences: Vec<f64> = project
        .output("predictions.csv")
        .lines()
        .skip(1)
        .map(|row| row.split(',').nth(4).unwrap().parse().unwrap())
        .collect();
    // The paths are sorted by their text; those of one width by brightness.
    assert!(confidences.iter().all(|it| (0.5..1.0).contains(it)), "{confidences:?}");

    let brightest_first: Vec<String> =
        (7..=30).rev().map(|step| format!("test/cancer/{:02}.bmp", step * 8)).collect();
    let page = project.output("report.html");
    let mistakes = section(&page, "mistakes");
    assert_eq!(shown_paths(mistakes), brightest_first);
    assert!(mistakes.contains("The 24 most confident of 30"));
    assert_eq!(mistakes.matches("<strong>normal</strong>").count(), 24);
}

#[test]
fn every_picture_shown_stands_beside_where_the_model_looked() {
    let images: Vec<_> = (1..=6).map(|step| ("normal", step * 40)).collect();
    let project = Project::with_images(&images).answering(Answer::Brightness);
    project.evaluate(&[]).success();
    let page = project.output("report.html");
    let right = section(&page, "right");
    // Any brightness supports normal, so no map is empty.
    assert_eq!(right.matches(", where the model looked\"").count(), 3);
    let surest_typical_least = ["240", "120", "40"].map(|it| format!("test/normal/{it}.bmp"));
    let expected = [&surest_typical_least[0], "test/normal/160.bmp", &surest_typical_least[2]];
    assert_eq!(shown_paths(right), expected);
    assert!(right.contains("Grad-CAM, what speaks for the predicted class"), "{right}");
}

#[test]
fn a_class_without_images_has_dashes() {
    let images: Vec<_> = (0..3).map(|grey| ("cancer", grey)).collect();
    let project = Project::with_images(&images);
    project.evaluate(&[]).success();
    let page = project.output("report.html");
    let classes = section(&page, "classes");
    let normal = between(classes, "<tr>", "</tr>").pop().unwrap();
    assert!(normal.contains("normal") && normal.contains(">–</td>"), "{normal}");
    assert!(!page.contains(">NaN"));
}
