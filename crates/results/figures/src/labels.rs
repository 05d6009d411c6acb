//! Names of classes, shortened to the available space.

use std::collections::BTreeMap;

use dataset::{ClassIndex, ClassIndices};

use crate::text::{Style, is_shown_whole, shown};

/// The names of all classes, in lines that fit, no two the same: if cutting a name, or a script
/// that the font lacks, makes it ambiguous, the class's number precedes it.
pub(crate) fn labels(
    classes: &ClassIndices,
    style: Style,
    room: f64,
    lines: usize,
) -> Vec<Vec<String>> {
    let fit = |text: &str| style.wrap(text, room, lines);
    let mut labels: Vec<_> = classes.names().iter().map(|name| fit(&shown(name))).collect();
    let mut times: BTreeMap<Vec<String>, usize> = BTreeMap::new();
    for label in &labels {
        *times.entry(label.clone()).or_default() += 1;
    }
    for (index, (name, label)) in classes.names().iter().zip(&mut labels).enumerate() {
        if times[label] > 1 || !is_shown_whole(name) {
            *label = fit(&numbered(ClassIndex(index), name));
        }
    }
    labels
}

fn numbered(class: ClassIndex, name: &str) -> String {
    format!("{}: {}", class.0, shown(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: Style = Style::regular(12.0);

    fn of(names: &[&str], room: f64, lines: usize) -> Vec<String> {
        let classes = ClassIndices::of_names(names.iter().copied());
        labels(&classes, STYLE, room, lines).iter().map(|lines| lines.join("|")).collect()
    }

    #[test]
    fn names_with_room_stay_as_they_are() {
        assert_eq!(of(&["glioma", "tumeur é"], 500.0, 1), ["glioma", "tumeur é"]);
    }

    #[test]
    fn names_that_cutting_makes_equal_are_told_by_number() {
        let room = STYLE.width("0: carcinom…");
        let names = ["carcinoma_left", "carcinoma_right", "normal"];
        assert_eq!(of(&names, room, 1), ["0: carcinom…", "1: carcinom…", "normal"]);
    }

    #[test]
    fn names_that_the_font_lacks_are_told_by_number() {
        assert_eq!(of(&["normal", "肺癌", "肺炎"], 500.0, 1), ["normal", "1: □□", "2: □□"]);
    }
}
