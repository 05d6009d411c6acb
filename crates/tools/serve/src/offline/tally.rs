//! Counts the outcomes of the files.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::process::ExitCode;

use dataset::ClassIndex;
use serde::{Deserialize, Serialize};

use crate::offline::outcome::Outcome;
use crate::offline::rows::Row;

/// The exit code if some of the files are not usable images.
const SOME_UNUSABLE: u8 = 3;

/// The exit code if no file was predicted.
const NONE_PREDICTED: u8 = 4;

/// How many files have each reason.
type Reasons = BTreeMap<Cow<'static, str>, usize>;

/// Number of files with each outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tally {
    files: usize,
    accepted: usize,
    /// By class, of those that have one.
    classes: BTreeMap<ClassIndex, usize>,
    /// Foreign ones by the failed check.
    foreign: Reasons,
    unusable: Reasons,
}

impl Tally {
    pub(crate) fn count(&mut self, row: &Row) {
        self.add(row.outcome);
    }

    fn add(&mut self, outcome: Outcome) {
        self.files += 1;
        let class = match outcome {
            Outcome::Predicted(class) => {
                self.accepted += 1;
                Some(class)
            }
            Outcome::Foreign { failed, class } => {
                *self.foreign.entry(failed.into()).or_default() += 1;
                class
            }
            Outcome::Unusable(kind) => {
                *self.unusable.entry(kind.into()).or_default() += 1;
                None
            }
        };
        if let Some(class) = class {
            *self.classes.entry(class).or_default() += 1;
        }
    }

    /// Adds the counts of other files.
    pub(crate) fn join(&mut self, other: &Self) {
        self.files += other.files;
        self.accepted += other.accepted;
        join(&mut self.classes, &other.classes);
        join(&mut self.foreign, &other.foreign);
        join(&mut self.unusable, &other.unusable);
    }

    /// The summary for people.
    pub(crate) fn lines(&self, names: &[String]) -> Vec<String> {
        let predicted: usize = self.classes.values().sum();
        let foreign: usize = self.foreign.values().sum();
        let unusable: usize = self.unusable.values().sum();
        let mut lines = vec![format!("{} files: {} accepted", self.files, self.accepted)];
        if foreign > 0 {
            let flagged = if predicted > self.accepted { "flagged" } else { "refused" };
            let reasons = by_count(&self.foreign, |failed| format!("by {failed}"));
            lines.push(format!("{foreign} {flagged} as foreign: {reasons}"));
        }
        if unusable > 0 {
            let reasons = by_count(&self.unusable, str::to_owned);
            lines.push(format!("{unusable} not usable images: {reasons}"));
        }
        for (class, name) in names.iter().enumerate() {
            let count = self.classes.get(&ClassIndex(class)).copied().unwrap_or_default();
            lines.push(format!("{count} {}", terminal::shown(name)));
        }
        lines
    }

    /// As listed in `predict --help`.
    pub(crate) fn exit_code(&self) -> ExitCode {
        if self.classes.is_empty() {
            ExitCode::from(NONE_PREDICTED)
        } else if self.unusable.is_empty() {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(SOME_UNUSABLE)
        }
    }
}

fn join<K: Clone + Ord>(counts: &mut BTreeMap<K, usize>, others: &BTreeMap<K, usize>) {
    for (key, count) in others {
        *counts.entry(key.clone()).or_default() += count;
    }
}

/// Reasons with their counts, the most frequent first.
fn by_count(counts: &Reasons, words: impl Fn(&str) -> String) -> String {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let told = counts.into_iter().map(|(reason, count)| format!("{count} {}", words(reason)));
    told.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(outcomes: &[Outcome]) -> Tally {
        let mut tally = Tally::default();
        outcomes.iter().for_each(|outcome| tally.add(*outcome));
        tally
    }

    #[test]
    fn everything_is_counted_by_its_reason() {
        let foreign = |failed| Outcome::Foreign { failed, class: None };
        let tally = tally(&[
            Outcome::Predicted(ClassIndex(1)),
            foreign("a"),
            foreign("b"),
            foreign("b"),
            Outcome::Unusable("no image"),
        ]);
        assert_eq!(
            tally.lines(&["x".into(), "y\u{1b}".into()]),
            [
                "5 files: 1 accepted",
                "3 refused as foreign: 2 by b, 1 by a",
                "1 not usable images: 1 no image",
                "0 x",
                "1 y\\u{1b}",
            ]
        );
    }

    #[test]
    fn a_script_can_tell_all_refused_from_some_unusable() {
        let foreign = Outcome::Foreign { failed: "a", class: None };
        let flagged = Outcome::Foreign { failed: "a", class: Some(ClassIndex(0)) };
        let (good, bad) = (Outcome::Predicted(ClassIndex(0)), Outcome::Unusable("no image"));
        for (outcomes, code) in [
            (vec![good, foreign], 0),
            (vec![flagged], 0),
            (vec![good, bad], 3),
            (vec![foreign, foreign], 4),
            (vec![foreign, bad], 4),
            (vec![bad], 4),
        ] {
            assert_eq!(tally(&outcomes).exit_code(), ExitCode::from(code), "{outcomes:?}");
        }
    }

    #[test]
    fn counts_of_parts_add_up_to_those_of_the_whole() {
        let outcomes = [
            Outcome::Predicted(ClassIndex(1)),
            Outcome::Foreign { failed: "a", class: Some(ClassIndex(0)) },
            Outcome::Unusable("no image"),
            Outcome::Predicted(ClassIndex(1)),
            Outcome::Unusable("no image"),
        ];
        let (one, two) = outcomes.split_at(2);
        let stored = serde_json::to_string(&tally(two)).unwrap();
        let mut joined = tally(one);
        joined.join(&serde_json::from_str(&stored).unwrap());
        assert_eq!(joined, tally(&outcomes));
    }
}
