//! Which classes are told apart without looking at the anatomy.

use serde::Serialize;

use crate::baseline::Baseline;
use crate::giveaway::Giveaway;

pub(crate) mod evidence;

/// Classes count as told apart from this one-against-one AUROC on: in four of five pairs of
/// images the baseline knows which is which. What is below may be a difference in anatomy that shows
/// in brightness, such as a large mass.
pub const PAIR_AUROC_LIMIT: f64 = 0.80;

/// The chance, over all baselines and pairs together, of a claim where there is nothing: one of a
/// thousand data sets. A class with fewer than about ten images outside of training is never told
/// from another, however well it is.
pub const SIGNIFICANCE: f64 = 0.001;

/// Which classes are told apart without looking at the anatomy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Images of validation and test that were judged.
    pub images: usize,
    /// Images of these splits that were not, because training has a copy of them.
    pub copies_left_out: usize,
    /// [`PAIR_AUROC_LIMIT`].
    pub auroc_limit: f64,
    /// [`SIGNIFICANCE`].
    pub significance: f64,
    /// Every baseline that gives verdicts, [`Baseline::JUDGING`], with every pair of classes.
    pub pairs: Vec<PairVerdict>,
    /// What was found; empty where nothing was. A class that is distinguished from several others is one
    /// finding.
    pub shortcuts: Vec<Shortcut>,
    /// The same in sentences: first whether there are shortcuts, then one for each.
    pub in_words: Vec<String>,
}

/// Whether a baseline tells a pair of classes apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairVerdict {
    /// The baseline.
    pub baseline: Baseline,
    /// The names of the classes.
    pub classes: [String; 2],
    /// Groups of each that were judged: patients or scans where known, else images.
    pub groups: [usize; 2],
    /// AUROC of p(first) / (p(first) + p(second)), each group counting once by the mean of its
    /// images. None where a class has no image.
    pub auroc: Option<f64>,
    /// The chance of such an AUROC where there is nothing (Mann-Whitney, one-sided), times the
    /// number of tests; at most 1.
    pub p_value: Option<f64>,
    /// Whether the AUROC reaches the limit and the chance stays below the significance.
    pub is_told_apart: bool,
}

/// A class that is distinguished from others without looking at the anatomy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shortcut {
    /// By what.
    pub baseline: Baseline,
    /// The class.
    pub class: String,
    /// The classes that it is distinguished from.
    pub others: Vec<String>,
    /// The lowest AUROC of the class against one of these.
    pub lowest_auroc: f64,
    /// The single measurement that tells most. None where none tells much, and only several
    /// together do.
    pub giveaway: Option<Giveaway>,
    /// All of it in a sentence.
    pub in_words: String,
}
