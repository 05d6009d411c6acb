//! Sentences that a radiologist understands.

use imaging::GREY_BINS;

use crate::baseline::{Baseline, View};
use crate::features::{FRAME, Feature, GRID};
use crate::giveaway::{Direction, Giveaway, Measured, Values};
use crate::verdict::Verdict;

/// From this AUROC on classes are nearly always distinguished, and not just largely.
const NEARLY_ALWAYS: f64 = 0.95;

/// Whether there are shortcuts, then one sentence for each.
pub(crate) fn verdict(verdict: &Verdict) -> Vec<String> {
    let limit = verdict.auroc_limit;
    let judged = match verdict.copies_left_out {
        0 => format!("{} images outside of training", verdict.images),
        copies => format!(
            "{} images outside of training ({copies} more are copies of training images and were \
             left out)",
            verdict.images
        ),
    };
    if verdict.images == 0 {
        return vec!["Shortcuts cannot be judged: there are no images outside of training.".into()];
    }
    if verdict.pairs.is_empty() {
        return vec!["Shortcuts cannot be judged: there is only one class.".into()];
    }
    if verdict.shortcuts.is_empty() {
        return vec![format!(
            "No shortcut found: neither the files, nor brightness, nor the pictures' edges distinguish \
             any two classes (AUROC of {limit:.2} or more) on {judged}."
        )];
    }
    let first = format!(
        "Classes can be distinguished without looking at the anatomy, on {judged}. A score on this \
         data set does not show that anything about them was learnt."
    );
    std::iter::once(first).chain(verdict.shortcuts.iter().map(|it| it.in_words.clone())).collect()
}

/// "normal is distinguished from every other class by brightness alone (AUROC 0.99): …". `others`
/// is none if these are all other classes.
pub(crate) fn shortcut(
    baseline: Baseline,
    class: &str,
    others: Option<&Vec<String>>,
    lowest_auroc: f64,
    giveaway: Option<&Giveaway>,
) -> String {
    let others = others.map_or_else(|| "every other class".to_owned(), |others| listed(others));
    let is_nearly_always = lowest_auroc >= NEARLY_ALWAYS;
    let told = if is_nearly_always { "distinguished" } else { "largely distinguished" };
    let by = match baseline {
        Baseline::MajorityClass => "its frequency alone",
        Baseline::Of(View::Metadata, _) => "the file alone, without the picture",
        Baseline::Of(View::GreyHistogram | View::GreyHistogram256, _) => "brightness alone",
        Baseline::Of(View::Frame, _) => "the picture's edge alone",
        Baseline::Of(View::Together, _) => "file, brightness and edge together",
        Baseline::Of(View::Thumbnail, _) => "a thumbnail alone",
    };
    let why = giveaway.map_or_else(
        || "no single measurement shows it, but several together do".to_owned(),
        |giveaway| giveaway.in_words.clone(),
    );
    // Rounded down: 0.998 is not 1.00.
    let auroc = (lowest_auroc * 100.0).floor() / 100.0;
    format!("{class} is {told} from {others} by {by} (AUROC {auroc:.2}): {why}.")
}

/// The measurement, with its unit.
pub(crate) fn measure(feature: Feature) -> String {
    match feature {
        Feature::Width => "width in pixels".into(),
        Feature::Height => "height in pixels".into(),
        Feature::BytesPerPixel => "bytes of the file per pixel".into(),
        Feature::ColourMode(mode) => format!("whether the colour mode is {mode}"),
        Feature::Format(format) => format!("whether the format is {format}"),
        Feature::GreyShare(bin) => {
            let [first, last] = levels(bin);
            format!("share of the pixels with a grey of {first} to {last}")
        }
        Feature::LevelShare(level) => format!("share of the pixels with a grey of {level}"),
        Feature::MeanGrey => "mean grey, 0 to 255".into(),
        Feature::Cell { column, row } => format!("mean grey in {}, 0 to 255", place(column, row)),
    }
}

/// The measurement that reveals the class, as a clause.
pub(crate) fn giveaway(measured: &Measured) -> String {
    let Measured { feature, direction, class, others, .. } = measured;
    let compared = |more: &str, less: &str, unit: &str, digits: usize| match direction {
        Direction::Around(_) => around(&measure(*feature), class, others, digits),
        Direction::Higher => format!("{more}: {}", against(class, others, unit, digits)),
        Direction::Lower => format!("{less}: {}", against(class, others, unit, digits)),
    };
    match feature {
        Feature::Width => {
            compared("its pictures are wider", "its pictures are narrower", " pixels", 0)
        }
        Feature::Height => {
            compared("its pictures are higher", "its pictures are lower", " pixels", 0)
        }
        Feature::BytesPerPixel => compared(
            "its files take more bytes per pixel",
            "its files take fewer bytes per pixel",
            "",
            2,
        ),
        Feature::ColourMode(mode) => {
            shares(&format!("of its files have the colour mode {mode}"), class, others)
        }
        Feature::Format(format) => shares(&format!("of its files are {format}"), class, others),
        Feature::GreyShare(bin) => {
            let [first, last] = levels(*bin);
            shares(
                &format!("of its pixels have a grey of {first} to {last} (black is 0, white 255)"),
                class,
                others,
            )
        }
        Feature::LevelShare(level) => {
            let what = format!("of its pixels have a grey of {level} (black is 0, white 255)");
            shares(&what, class, others)
        }
        Feature::MeanGrey => compared(
            "its pictures are brighter",
            "its pictures are darker",
            " of 255 levels of grey",
            0,
        ),
        Feature::Cell { column, row } => cell(measured, place(*column, *row)),
    }
}

fn cell(measured: &Measured, place: &str) -> String {
    let Measured { direction, class, others, is_spot, .. } = measured;
    let levels = || against(class, others, " of 255 levels of grey", 0);
    match (direction, is_spot) {
        (Direction::Around(_), _) => around(&format!("mean grey in {place}"), class, others, 0),
        (Direction::Higher, true) => format!("a bright mark in {place}: {}", levels()),
        (Direction::Lower, true) => format!("a dark mark in {place}: {}", levels()),
        (Direction::Higher, false) => format!("its pictures are brighter at {place}: {}", levels()),
        (Direction::Lower, false) => format!("its pictures are darker at {place}: {}", levels()),
    }
}

/// "512 to 1024 pixels against 300 to 400": the range of the middle 80 %.
fn against(class: &Values, others: &Values, unit: &str, digits: usize) -> String {
    let range = |values: &Values| range(values.quantiles.tenth, values.quantiles.ninetieth, digits);
    format!("{}{unit} against {}", range(class), range(others))
}

/// "width in pixels 390 to 410 in 80 % of its pictures and 3 % of the others".
fn around(measure: &str, class: &Values, others: &Values, digits: usize) -> String {
    let (low, high) = (class.quantiles.tenth, class.quantiles.ninetieth);
    let percent = |values: &Values| percent(values.share_within(low, high));
    format!(
        "{measure} is {} in {} of its pictures and {} of the others",
        range(low, high, digits),
        percent(class),
        percent(others)
    )
}

/// "34 % of its pixels have …, against 3 %".
fn shares(what: &str, class: &Values, others: &Values) -> String {
    format!("{} {what}, against {}", percent(class.mean()), percent(others.mean()))
}

fn range(low: f64, high: f64, digits: usize) -> String {
    let [low, high] = [low, high].map(|value| format!("{value:.digits$}"));
    if low == high { low } else { format!("{low} to {high}") }
}

/// Whole percent, with a decimal below 10 %.
fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    match percent {
        0.0 => "none".into(),
        percent if percent < 0.05 => "less than 0.1 %".into(),
        percent if percent < 9.95 => format!("{percent:.1} %"),
        percent => format!("{percent:.0} %"),
    }
}

/// The first and the last level of grey in a bin.
fn levels(bin: usize) -> [usize; 2] {
    let size = 256 / GREY_BINS;
    [bin * size, (bin + 1) * size - 1]
}

/// The position of a cell of the frame, in words.
fn place(column: usize, row: usize) -> &'static str {
    const CORNER: usize = 2 * FRAME;
    let third = |at: usize| match at {
        at if at < CORNER => 0,
        at if at < GRID - CORNER => 1,
        _ => 2,
    };
    match (third(column), third(row)) {
        (0, 0) => "the upper left corner",
        (2, 0) => "the upper right corner",
        (0, 2) => "the lower left corner",
        (2, 2) => "the lower right corner",
        (_, 0) => "the upper edge",
        (_, 2) => "the lower edge",
        (0, _) => "the left edge",
        _ => "the right edge",
    }
}

/// "a, b and c".
pub(crate) fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_people_do() {
        let names = ["a", "b", "c"].map(String::from);
        assert_eq!(listed(&names), "a, b and c");
        assert_eq!(listed(&names[..1]), "a");
    }

    #[test]
    fn small_shares_keep_a_decimal() {
        let shown = [0.0, 0.0001, 0.0123, 0.0996, 0.34].map(percent);
        assert_eq!(shown, ["none", "less than 0.1 %", "1.2 %", "10 %", "34 %"]);
    }

    #[test]
    fn an_auroc_is_rounded_down() {
        let sentence = shortcut(Baseline::GREY_HISTOGRAM, "normal", None, 0.9961, None);
        assert!(sentence.starts_with(
            "normal is distinguished from every other class by brightness alone (AUROC 0.99): no single"
        ));
        let pair = vec!["b".to_owned(), "c".to_owned()];
        let sentence = shortcut(Baseline::METADATA, "a", Some(&pair), 0.85, None);
        assert!(sentence.starts_with("a is largely distinguished from b and c by the file alone"));
    }

    #[test]
    fn measurements_have_units() {
        assert_eq!(
            measure(Feature::GreyShare(31)),
            "share of the pixels with a grey of 248 to 255"
        );
        assert_eq!(
            measure(Feature::Cell { column: 0, row: 15 }),
            "mean grey in the lower left corner, 0 to 255"
        );
        assert_eq!(measure(Feature::BytesPerPixel), "bytes of the file per pixel");
    }

    #[test]
    fn places_of_the_frame_are_named_as_seen() {
        assert_eq!(place(0, 0), "the upper left corner");
        assert_eq!(place(15, 3), "the upper right corner");
        assert_eq!(place(8, 15), "the lower edge");
        assert_eq!(place(1, 15), "the lower left corner");
        assert_eq!(place(15, 15), "the lower right corner");
        assert_eq!((place(8, 0), place(0, 8)), ("the upper edge", "the left edge"));
        assert_eq!(place(15, 8), "the right edge");
    }
}
