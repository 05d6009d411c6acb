//! How often a test set was scored: a ledger beside the project, outside the DVC outputs.
//!
//! A score on a test set is only unbiased once. Someone who scores many models on it and keeps the
//! best has also selected by chance, and the more models there were, the stronger the effect. The
//! ledger records each model that was scored on each test set, so that the reports can state this.
//! It is a text file of one JSON object a line, in the project's folder and not in git: it belongs
//! to the person who scored.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use artifact::{Digest, IoError, WithPath};
use serde::{Deserialize, Serialize};

use crate::TestSet;

/// The ledger's name in the project's folder.
pub const LEDGER_FILE: &str = "test_looks.jsonl";

/// One scoring of one model on one test set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestSetLook {
    /// The digest of the test images and their classes.
    pub test_set: Digest,
    /// The digest of the weights that were scored.
    pub model: Digest,
    /// Share of images whose class was predicted.
    pub accuracy: f64,
    /// Images, or groups of them if known: the unit that counts as one observation.
    pub groups: usize,
}

/// A ledger that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] IoError),
    /// A line is not a valid entry.
    #[error("read line {line} of {}: {source}; mend or remove the line", path.display())]
    Line {
        /// The ledger.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// The error.
        #[source]
        source: serde_json::Error,
    },
}

/// The summary of a test set's entries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TestSetLooks {
    /// Different models that were scored on it.
    pub models: usize,
    /// By how much the best of this many equally good models exceeds their average by chance, at
    /// most: as if they were independent.
    pub best_by_chance: f64,
}

impl TestSetLook {
    /// A model's score on a test set.
    pub fn new(test: &TestSet, model: Digest, accuracy: f64) -> Self {
        let mut groups: Vec<u32> = test.images.iter().map(|image| image.group).collect();
        groups.sort_unstable();
        groups.dedup();
        Self { test_set: digest_of(test), model, accuracy, groups: groups.len() }
    }
}

/// The digest of a test set's images and their classes, in any order.
fn digest_of(test: &TestSet) -> Digest {
    let mut images: Vec<_> =
        test.images.iter().map(|image| (*image.sha256.as_bytes(), image.actual.0)).collect();
    images.sort_unstable();
    let rows = images.iter().map(|(sha256, class)| [&sha256[..], &class.to_le_bytes()].concat());
    let rows: Vec<Vec<u8>> = rows.collect();
    Digest::of_fields(rows.iter().map(Vec::as_slice))
}

/// The project's ledger, found from the folder in which a stage runs: a workspace that `dvc exp
/// run` made below `.dvc/tmp` uses the ledger of its project.
pub fn ledger_of(folder: &Path) -> PathBuf {
    let parts: Vec<_> = folder.components().collect();
    let of_dvc = parts
        .windows(2)
        .position(|pair| pair[0].as_os_str() == ".dvc" && pair[1].as_os_str() == "tmp");
    let root: PathBuf = parts[..of_dvc.unwrap_or(parts.len())].iter().collect();
    root.join(LEDGER_FILE)
}

/// The ledger's summary of a test set, for the project in which this program runs. If the ledger
/// cannot be used, a warning is logged and the result is `None`.
pub fn known(test: &TestSet) -> Option<TestSetLooks> {
    let looks = of_here().and_then(|ledger| read(&ledger));
    looks
        .inspect_err(|error| {
            tracing::warn!("earlier uses of the test set are unknown: failed to {error}");
        })
        .ok()
        .map(|looks| TestSetLooks::of(&looks, &digest_of(test)))
}

/// Adds an entry to the ledger of the project in which this program runs. If the ledger cannot be
/// used, only a warning is logged, since the score is still valid.
pub fn note_here(look: &TestSetLook) -> Option<TestSetLooks> {
    of_here()
        .and_then(|ledger| note(&ledger, look))
        .inspect_err(|error| {
            tracing::warn!("this use of the test set was not recorded: failed to {error}");
        })
        .ok()
}

fn of_here() -> Result<PathBuf, LedgerError> {
    let here = Path::new(".");
    Ok(ledger_of(&std::env::current_dir().with_path("find", here)?))
}

/// Adds an entry, unless the same one exists, and returns the summary of the test set.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn note(ledger: &Path, look: &TestSetLook) -> Result<TestSetLooks, LedgerError> {
    let mut known = read(ledger)?;
    if !known.contains(look) {
        let mut line = serde_json::to_vec(look).expect("a look is a plain struct");
        line.push(b'\n');
        // One write of one line, so that two processes at once do not mix their lines.
        let mut file =
            OpenOptions::new().create(true).append(true).open(ledger).with_path("open", ledger)?;
        file.write_all(&line).with_path("write", ledger)?;
        known.push(look.clone());
    }
    Ok(TestSetLooks::of(&known, &look.test_set))
}

/// All entries, in order; none if there is no ledger yet.
///
/// # Errors
/// When the ledger cannot be read, or a line is not a valid entry.
pub fn read(ledger: &Path) -> Result<Vec<TestSetLook>, LedgerError> {
    if !ledger.exists() {
        return Ok(Vec::new());
    }
    let text = artifact::read_text(ledger)?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|source| LedgerError::Line {
                path: ledger.to_owned(),
                line: index + 1,
                source,
            })
        })
        .collect()
}

impl TestSetLooks {
    /// The summary of a test set in a ledger.
    pub fn of(looks: &[TestSetLook], test_set: &Digest) -> Self {
        let of_set = looks.iter().filter(|look| look.test_set == *test_set);
        // Only a model's last entry counts: scoring the same weights again shows nothing new.
        let models: BTreeMap<&Digest, &TestSetLook> =
            of_set.map(|look| (&look.model, look)).collect();
        let accuracy = models.values().map(|look| look.accuracy).sum::<f64>();
        let accuracy = accuracy / models.len().max(1) as f64;
        let groups = models.values().map(|look| look.groups).max().unwrap_or(1).max(1);
        let standard_error = (accuracy * (1.0 - accuracy) / groups as f64).sqrt();
        let best_by_chance = expected_maximum(models.len()) * standard_error;
        Self { models: models.len(), best_by_chance }
    }
}

/// `looked at 17 times: …`
impl fmt::Display for TestSetLooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.models {
            0 | 1 => f.write_str("this test set was scored with one model"),
            models => write!(
                f,
                "this test set was scored with {models} different models; the best of so many equally \
                 good ones is ahead by up to {:.3} by chance alone",
                self.best_by_chance
            ),
        }
    }
}

/// The mean of the largest of `count` independent standard normal numbers: the integral of 1 −
/// Φ(x)ⁿ over x > 0, less that of Φ(x)ⁿ over x < 0, by the trapezoid rule.
fn expected_maximum(count: usize) -> f64 {
    const STEP: f64 = 0.001;
    const END: f64 = 8.0;
    if count < 2 {
        return 0.0;
    }
    let steps = (END / STEP) as usize;
    let power = |x: f64| normal_cdf(x).powi(i32::try_from(count).unwrap_or(i32::MAX));
    let value = |step: usize| {
        let x = step as f64 * STEP;
        (1.0 - power(x)) - power(-x)
    };
    let inner: f64 = (1..steps).map(value).sum();
    STEP * (f64::midpoint(value(0), value(steps)) + inner)
}

fn normal_cdf(x: f64) -> f64 {
    libm::erfc(-x / std::f64::consts::SQRT_2) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(test: u8, model: u8, accuracy: f64) -> TestSetLook {
        TestSetLook {
            test_set: Digest::of(&[test]),
            model: Digest::of(&[model]),
            accuracy,
            groups: 100,
        }
    }

    #[test]
    fn the_expected_maximum_is_that_of_the_tables() {
        // Harter 1961: 0.5642 of two, 1.5388 of ten, 2.5076 of a hundred.
        for (count, expected) in [(1, 0.0), (2, 0.564_19), (10, 1.538_75), (100, 2.507_59)] {
            assert!((expected_maximum(count) - expected).abs() < 1e-4, "{count}");
        }
    }

    #[test]
    fn models_are_counted_once_and_by_test_set() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join(LEDGER_FILE);
        assert_eq!(note(&ledger, &look(1, 1, 0.8)).unwrap().models, 1);
        assert_eq!(note(&ledger, &look(1, 1, 0.8)).unwrap().models, 1);
        assert_eq!(note(&ledger, &look(2, 2, 0.8)).unwrap().models, 1);
        let looks = note(&ledger, &look(1, 3, 0.8)).unwrap();
        assert_eq!(looks.models, 2);
        // Two of equal skill, 0.8 of 100: 0.5642 standard errors of 0.04.
        assert!((looks.best_by_chance - 0.5642 * 0.04).abs() < 1e-4, "{looks:?}");
        assert_eq!(read(&ledger).unwrap().len(), 3);
    }

    #[test]
    fn a_damaged_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join(LEDGER_FILE);
        note(&ledger, &look(1, 1, 0.8)).unwrap();
        let text = std::fs::read_to_string(&ledger).unwrap() + "{\"test_set\"\n";
        std::fs::write(&ledger, text).unwrap();
        let message = note(&ledger, &look(1, 2, 0.8)).unwrap_err().to_string();
        assert!(message.contains("line 2") && message.contains(LEDGER_FILE), "{message}");
    }

    #[test]
    fn a_temporary_workspace_writes_into_the_ledger_of_its_project() {
        let of = |folder: &str| ledger_of(Path::new(folder));
        assert_eq!(of("/home/a/study"), Path::new("/home/a/study/test_looks.jsonl"));
        let workspace = "/home/a/study/.dvc/tmp/exps/standalone/tmp1";
        assert_eq!(of(workspace), Path::new("/home/a/study/test_looks.jsonl"));
    }
}
