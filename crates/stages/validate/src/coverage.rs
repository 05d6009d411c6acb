//! Whether every split has images of every class, and enough of them for a result.

use std::collections::{BTreeMap, BTreeSet};

use dataset::{ClassIndices, FEW_OF_A_CLASS, GroupNumber, Split};

use crate::level::Level;

/// What is missing in the splits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Coverage {
    /// Splits without an image.
    empty: Vec<Split>,
    /// Classes that are missing in a split that has others.
    missing: Vec<(Split, String)>,
    /// Classes with few images in a split, or few groups of them.
    few: Vec<(Split, String, usize)>,
    unit: Unit,
}

/// The unit that is counted: similar images count as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Unit {
    /// If patients are unknown.
    #[default]
    Image,
    /// Patients; copies of their images belong to them.
    Patient,
}

impl Coverage {
    /// Counts the images in use, each given with its split, its class and its group.
    pub(crate) fn of<'a>(
        classes: &ClassIndices,
        unit: Unit,
        images: impl Iterator<Item = (Split, &'a str, GroupNumber)>,
    ) -> Self {
        let mut seen: BTreeMap<(Split, &str), (usize, BTreeSet<GroupNumber>)> = BTreeMap::new();
        for (split, class, group) in images {
            let (images, groups) = seen.entry((split, class)).or_default();
            *images += 1;
            groups.insert(group);
        }
        let of_unit = |(images, groups): &(usize, BTreeSet<GroupNumber>)| match unit {
            Unit::Image => *images,
            Unit::Patient => groups.len(),
        };
        let counts: BTreeMap<_, usize> = seen.iter().map(|(key, it)| (*key, of_unit(it))).collect();
        let mut coverage = Self { unit, ..Self::default() };
        for split in Split::ALL {
            if !counts.keys().any(|(of, _)| *of == split) {
                coverage.empty.push(split);
                continue;
            }
            for class in classes.names() {
                match counts.get(&(split, class.as_str())).copied().unwrap_or(0) {
                    0 => coverage.missing.push((split, class.clone())),
                    count if count < FEW_OF_A_CLASS => {
                        coverage.few.push((split, class.clone(), count));
                    }
                    _ => {}
                }
            }
        }
        coverage
    }

    /// The level of trust that remains.
    pub(crate) fn level(&self) -> Level {
        if !self.empty.is_empty() || !self.missing.is_empty() {
            Level::NotToBeBelieved
        } else if !self.few.is_empty() {
            Level::Caution
        } else {
            Level::Sound
        }
    }

    /// What is missing, in sentences, and what to do about it; empty if nothing is missing.
    pub(crate) fn in_words(&self) -> (Vec<String>, Vec<String>) {
        let mut sentences = Vec::new();
        let mut to_do = Vec::new();
        for split in &self.empty {
            sentences.push(format!("The {split} split has no image{}.", consequence(*split)));
        }
        let lacks = |of: Split| {
            let classes = self.missing.iter().filter(|(split, _)| *split == of);
            classes.map(|(_, class)| class.as_str()).collect::<Vec<_>>().join(", ")
        };
        for split in Split::ALL {
            let classes = lacks(split);
            if !classes.is_empty() {
                let consequence = consequence_of_class(split);
                sentences
                    .push(format!("The {split} split has no image of {classes}{consequence}."));
            }
        }
        if self.level() == Level::NotToBeBelieved {
            to_do.push(
                "Bring images of every class and, if patients are known, of enough patients: at least \
                 three of each class, one for each split. Where all files have the same PatientID it \
                 was overwritten: give the patients with data.patients: path or csv."
                    .to_owned(),
            );
        }
        if !self.few.is_empty() {
            let few: Vec<String> = self
                .few
                .iter()
                .map(|(split, class, count)| format!("{count} of {class} in {split}"))
                .collect();
            let unit = match self.unit {
                Unit::Image => "images",
                Unit::Patient => "patients",
            };
            sentences.push(format!(
                "Fewer than {FEW_OF_A_CLASS} {unit} show little, whatever the score: {}.",
                few.join(", ")
            ));
            to_do.push(format!("Bring more {unit}, or read the intervals instead of the scores."));
        }
        (sentences, to_do)
    }
}

fn consequence(split: Split) -> &'static str {
    match split {
        Split::Train => ": there is nothing to learn from",
        Split::Valid => ": a model cannot be selected or calibrated",
        Split::Test => ": there is nothing to score a model on",
    }
}

fn consequence_of_class(split: Split) -> &'static str {
    match split {
        Split::Train => ": no model can learn it, and train stops",
        Split::Valid => ": the model is neither selected nor calibrated for it",
        Split::Test => ": no score says anything about it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage(counts: &[(Split, &str, usize)]) -> Coverage {
        let classes = ClassIndices::of_names(["a", "b"]);
        Coverage::of(&classes, Unit::Image, images(counts))
    }

    /// Each a group of its own.
    fn images<'a>(
        counts: &'a [(Split, &'a str, usize)],
    ) -> impl Iterator<Item = (Split, &'a str, GroupNumber)> {
        let images = counts
            .iter()
            .flat_map(|(split, class, count)| std::iter::repeat_n((*split, *class), *count));
        images.enumerate().map(|(place, (split, class))| (split, class, GroupNumber(place as u32)))
    }

    #[test]
    fn a_hundred_slices_of_two_patients_are_few() {
        let counts = Split::ALL.map(|split| [(split, "a", 100), (split, "b", 100)]).concat();
        let classes = ClassIndices::of_names(["a", "b"]);
        let of_two = images(&counts).map(|(split, class, group)| {
            (split, class, GroupNumber(group.0 / 100 * 2 + group.0 % 2))
        });
        let coverage = Coverage::of(&classes, Unit::Patient, of_two);
        assert_eq!(coverage.level(), Level::Caution);
        let sentences = coverage.in_words().0.join(" ");
        assert!(
            sentences.contains("10 patients") && sentences.contains("2 of b in test"),
            "{sentences}"
        );
    }

    #[test]
    fn splits_with_enough_of_every_class_lack_nothing() {
        let enough = Split::ALL.map(|split| [(split, "a", 10), (split, "b", 12)]).concat();
        assert_eq!(coverage(&enough).level(), Level::Sound);
        assert_eq!(coverage(&enough).in_words(), (Vec::new(), Vec::new()));
    }

    #[test]
    fn an_empty_split_and_a_missing_class_are_never_sound() {
        let all_to_train = coverage(&[(Split::Train, "a", 150), (Split::Train, "b", 150)]);
        assert_eq!(all_to_train.level(), Level::NotToBeBelieved);
        let sentences = all_to_train.in_words().0.join(" ");
        assert!(sentences.contains("The test split has no image"), "{sentences}");
        assert!(sentences.contains("The valid split has no image"), "{sentences}");

        let mut counts = Split::ALL.map(|split| [(split, "a", 20), (split, "b", 20)]).concat();
        counts.remove(1);
        let untaught = coverage(&counts);
        assert_eq!(untaught.level(), Level::NotToBeBelieved);
        let sentences = untaught.in_words().0.join(" ");
        assert!(sentences.contains("The train split has no image of b"), "{sentences}");
    }

    #[test]
    fn few_images_call_for_caution_and_are_counted() {
        let mut counts = Split::ALL.map(|split| [(split, "a", 20), (split, "b", 20)]).concat();
        counts[5].2 = 9;
        let few = coverage(&counts);
        assert_eq!(few.level(), Level::Caution);
        assert!(few.in_words().0.join(" ").contains("9 of b in test"), "{few:?}");
    }
}
