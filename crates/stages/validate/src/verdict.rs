//! The findings in words: each finding, and their joint meaning.

use std::collections::BTreeMap;

use config::ValidationPolicy;
use serde::Serialize;

use crate::coverage::Coverage;
use crate::findings::Findings;
use crate::ingested::Unreadable;
use crate::leaks::LeakCount;
use crate::level::Level;
use crate::patient_counts::PatientCounts;
use crate::policy::{Policy, Verdict};

/// More leaked images than this share of the test images cannot be ignored.
const MANY: f64 = 0.05;

/// Number of shortcuts in the verdict, the clearest first; the page lists the others.
const CLAIMS_IN_VERDICT: usize = 2;

/// The joint meaning of all findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Conclusion {
    pub(crate) level: Level,
    pub(crate) headline: String,
    pub(crate) sentences: Vec<String>,
    pub(crate) to_do: Vec<String>,
}

/// Further inputs beside the findings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VerdictInputs<'a> {
    pub(crate) policy: &'a ValidationPolicy,
    pub(crate) unreadable: &'a [Unreadable],
    /// The shortcuts, in sentences, the clearest first.
    pub(crate) shortcuts: &'a [String],
    pub(crate) test_images: usize,
    pub(crate) patients: &'a PatientCounts,
    /// What is missing in the splits.
    pub(crate) coverage: &'a Coverage,
}

/// Each kind of finding with its policy, in the order of the configuration.
pub(crate) fn verdicts(findings: &Findings, about: &VerdictInputs<'_>) -> Vec<Verdict> {
    let policy = about.policy;
    let verdict = |finding, policy: Policy, count, in_words: String| Verdict {
        finding,
        policy,
        count,
        in_words,
    };
    let copies = &findings.copies;
    let leaks = &findings.leaks.by_near_copies;
    let pictures = &findings.pictures;
    vec![
        verdict(
            "exact_copies",
            policy.exact_copies.into(),
            copies.exact_in_training,
            counted(copies.exact_in_training, "training image repeats", "training images repeat")
                + " the pixels of another",
        ),
        verdict(
            "near_copies",
            policy.near_copies.into(),
            copies.near_in_training,
            counted(copies.near_in_training, "training image is", "training images are")
                + " a changed copy of another",
        ),
        verdict("leaks", policy.leaks.into(), leaks.leaked(), leaked_in_words(leaks)),
        verdict(
            "label_conflicts",
            policy.label_conflicts.into(),
            findings.label_conflicts.len(),
            counted(findings.label_conflicts.len(), "content carries", "contents carry")
                + " more than one label",
        ),
        verdict(
            "blank",
            policy.blank.into(),
            pictures.blank.len(),
            counted(pictures.blank.len(), "image shows", "images show") + " nothing",
        ),
        verdict(
            "outliers",
            policy.outliers.into(),
            findings.odd.outliers.len(),
            counted(findings.odd.outliers.len(), "image is", "images are")
                + " unlike all others in size, shape or brightness",
        ),
        verdict(
            "burnt_in_marks",
            policy.burnt_in_marks.into(),
            pictures.burnt_in_marks.len(),
            counted(pictures.burnt_in_marks.len(), "image carries", "images carry")
                + " text, pen strokes or coloured marks"
                + &shares_in_words(&pictures.marked_share),
        ),
        verdict(
            "same_scan",
            policy.same_scan.into(),
            findings.same_scan.pairs_across_splits,
            counted(
                findings.same_scan.pairs_across_splits,
                "pair of images in different splits looks",
                "pairs of images in different splits look",
            ) + " like neighbouring slices of one scan",
        ),
        verdict(
            "unreadable",
            policy.unreadable.into(),
            about.unreadable.len(),
            counted(about.unreadable.len(), "file was", "files were")
                + " left out by ingest, because it could not be decoded",
        ),
        verdict(
            "class_imbalance",
            policy.class_imbalance.into(),
            usize::from(findings.imbalance().is_some()),
            findings.imbalance().map_or("the classes are of similar size".into(), |ratio| {
                format!(
                    "the largest class has {ratio:.1} times the training images of the smallest"
                )
            }),
        ),
        verdict(
            "shortcuts",
            policy.shortcuts.into(),
            about.shortcuts.len(),
            if about.shortcuts.is_empty() {
                "no shortcut was found that distinguishes the classes".into()
            } else {
                about.shortcuts.join(" ")
            },
        ),
    ]
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

impl Conclusion {
    /// The joint meaning of the findings. `ignore` removes a finding from here, never from the
    /// report.
    pub(crate) fn of(findings: &Findings, verdicts: &[Verdict], about: &VerdictInputs<'_>) -> Self {
        let told = |name: &str| {
            let is_it = |it: &&Verdict| it.finding == name && it.policy != Policy::Ignore;
            verdicts.iter().find(is_it).filter(|verdict| verdict.count > 0)
        };
        let leaked = findings.leaks.by_near_copies.leaked_test_images() as f64;
        let mut level = about.coverage.level();
        let (mut sentences, mut to_do) = about.coverage.in_words();
        if told("shortcuts").is_some() {
            level = Level::NotToBeBelieved;
            sentences.extend(about.shortcuts.iter().take(CLAIMS_IN_VERDICT).cloned());
            let others = about.shortcuts.len().saturating_sub(CLAIMS_IN_VERDICT);
            if others > 0 {
                sentences.push(
                    counted(others, "more shortcut is", "more shortcuts are") + " listed below.",
                );
            }
            to_do.push(
                "Compare every model with the baselines of this report, as evaluate does. Remove the \
                 shortcut (window, resize or crop all classes alike, or choose another source) before \
                 you believe a score."
                    .to_owned(),
            );
        }
        if let Some(leaks) = told("leaks") {
            level = level.max(Level::Caution);
            if leaked > MANY * about.test_images as f64 {
                level = Level::NotToBeBelieved;
            }
            sentences.push(format!("{}.", leaks.in_words));
            if leaks.policy != Policy::Drop {
                to_do.push(
                    "Set validation.policy.leaks: drop to leave the copies out of training. evaluate \
                     measures their effect by training again without them; do not assume that they \
                     explain the score."
                        .to_owned(),
                );
            }
        }
        let mut also = Vec::new();
        for (name, advice) in ADVICE {
            let Some(verdict) = told(name) else { continue };
            level = level.max(Level::Caution);
            also.push(verdict.in_words.as_str());
            to_do.push((*advice).to_owned());
        }
        if !also.is_empty() {
            sentences.push(format!("Also: {}.", also.join("; ")));
        }
        let straddling = about.patients.patients_in_several_splits;
        if straddling > 0 {
            level = level.max(Level::Caution);
            sentences.push(
                counted(straddling, "patient has", "patients have")
                    + " images in more than one split: a score also measures how well patients \
                       are recognised.",
            );
            to_do.push("Split by patient: validation.resplit: true does.".into());
        }
        let unknown = about.patients.images_of_unknown_patients;
        if about.patients.patients > 0 && unknown > 0 {
            level = level.max(Level::Caution);
            sentences.push(format!(
                "{} without a known patient: each counts as a patient of its own, but may belong \
                 to one of the others.",
                counted(unknown, "image is", "images are")
            ));
            to_do.push("Give the patient of every image with data.patients in config.yaml.".into());
        }
        if about.patients.patients == 1 && unknown == 0 {
            sentences.push("All images are of one patient, so they stay in one split.".to_owned());
        }
        if about.patients.patients == 0 {
            sentences.push(
                "Patients are unknown: slices of one patient may be in several splits, so every \
                 score is per slice, and optimistic."
                    .to_owned(),
            );
            to_do.push(
                "Give the patients with data.patients in config.yaml, if they are known.".into(),
            );
        }
        let headline = match level {
            Level::Sound => "no fault was found that makes a score on this data unreliable",
            Level::Caution => "usable, with the limitations listed below",
            Level::NotToBeBelieved if about.coverage.level() == level => {
                "the splits cannot show how good a model is"
            }
            Level::NotToBeBelieved => "a high score on this data would be misleading",
        };
        Self { level, headline: headline.into(), sentences, to_do }
    }
}

/// Findings that need care, and what to do about each.
const ADVICE: &[(&str, &str)] = &[
    (
        "label_conflicts",
        "Look at the label conflicts: one of the two labels is wrong. validation.policy.label_conflicts: drop keeps them out of training.",
    ),
    (
        "same_scan",
        "Split by patient or scan: set data.patients, or validation.resplit: true, which keeps such slices together.",
    ),
    (
        "blank",
        "Look at the blank images; validation.policy.blank: drop keeps them out of training.",
    ),
    (
        "burnt_in_marks",
        "Look at the marked images: a network reads text and strokes more easily than tissue.",
    ),
    (
        "class_imbalance",
        "Read balanced accuracy and AUROC rather than accuracy; train.class_weights: balanced may help.",
    ),
    (
        "unreadable",
        "Look at the files that were left out; artifacts/data_ingestion/report.json lists them.",
    ),
    ("outliers", "Look at the outliers: they may be other examinations, or screenshots."),
];

/// ` (60 % of normal, under 1 % of adenocarcinoma)`, the largest share first; empty if all are 0.
fn shares_in_words(shares: &BTreeMap<String, f64>) -> String {
    let mut shares: Vec<(&String, f64)> =
        shares.iter().map(|(class, share)| (class, *share)).filter(|(_, it)| *it > 0.0).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    let told: Vec<String> = shares
        .into_iter()
        .map(|(class, share)| match share {
            share if share < 0.01 => format!("under 1 % of {class}"),
            share => format!("{:.0} % of {class}", share * 100.0),
        })
        .collect();
    if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
}

/// `52 test images (1 adenocarcinoma, 51 normal) and 10 validation images (10 normal) have a copy in
/// training`.
fn leaked_in_words(leaks: &LeakCount) -> String {
    let of_split = |name: &str, images: &BTreeMap<String, usize>| {
        let total: usize = images.values().sum();
        let by_class: Vec<String> =
            images.iter().map(|(class, count)| format!("{count} {class}")).collect();
        let one = format!("{name} image");
        let several = format!("{name} images");
        (total > 0).then(|| counted(total, &one, &several) + &format!(" ({})", by_class.join(", ")))
    };
    let splits =
        [of_split("test", &leaks.test_images), of_split("validation", &leaks.valid_images)];
    let told: Vec<String> = splits.into_iter().flatten().collect();
    match (told.is_empty(), leaks.leaked()) {
        (true, _) => "no test or validation image has a copy in training".into(),
        (false, 1) => told.join(" and ") + " has a copy in training",
        (false, _) => told.join(" and ") + " have a copy in training",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_told_largest_first_and_classes_without_any_not_at_all() {
        let shares = [("a", 0.004), ("b", 0.0), ("c", 0.6)];
        let of = |shares: &[(&str, f64)]| {
            shares_in_words(&shares.iter().map(|(class, it)| ((*class).to_owned(), *it)).collect())
        };
        assert_eq!(of(&shares), " (60 % of c, under 1 % of a)");
        assert_eq!(of(&[("b", 0.0)]), "");
    }

    #[test]
    fn leaked_images_are_counted_by_split_and_class() {
        let images = |counts: &[(&str, usize)]| -> BTreeMap<String, usize> {
            counts.iter().map(|(class, count)| ((*class).to_owned(), *count)).collect()
        };
        let mut leaks = LeakCount::default();
        assert_eq!(leaked_in_words(&leaks), "no test or validation image has a copy in training");
        leaks.test_images = images(&[("a", 1)]);
        assert_eq!(leaked_in_words(&leaks), "1 test image (1 a) has a copy in training");
        leaks.valid_images = images(&[("a", 2), ("b", 1)]);
        assert_eq!(
            leaked_in_words(&leaks),
            "1 test image (1 a) and 3 validation images (2 a, 1 b) have a copy in training"
        );
    }
}
