//! Which classes can be distinguished without looking at the anatomy.

use serde::Serialize;

use crate::baseline::Baseline;
use crate::giveaway::Giveaway;

pub(crate) mod evidence;

/// Classes count as distinguished from this one-against-one AUROC on: in four of five pairs of
/// images the baseline knows which is which. A lower value may come from a difference in anatomy
/// that affects brightness, such as a large mass.
pub const PAIR_AUROC_LIMIT: f64 = 0.80;

/// The chance of a false claim, over all baselines and pairs together: one of a thousand data sets.
/// A class with fewer than about ten images outside of training never counts as distinguished from
/// another, however clear the difference is.
pub const SIGNIFICANCE: f64 = 0.001;

/// Which classes can be distinguished without looking at the anatomy.
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
    /// The findings; empty if there are none. A class that is distinguished from several others is
    /// one finding.
    pub shortcuts: Vec<Shortcut>,
    /// The same in sentences: first whether there are shortcuts, then one for each.
    pub in_words: Vec<String>,
}

/// Whether a baseline distinguishes a pair of classes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairVerdict {
    /// The baseline.
    pub baseline: Baseline,
    /// The names of the classes.
    pub classes: [String; 2],
    /// Groups of each that were judged: patients or scans where known, else images.
    pub groups: [usize; 2],
    /// AUROC of p(first) / (p(first) + p(second)); each group counts once by the mean of its
    /// images. None if a class has no image.
    pub auroc: Option<f64>,
    /// The chance of such an AUROC without a shortcut (Mann-Whitney, one-sided), times the number
    /// of tests; at most 1.
    pub p_value: Option<f64>,
    /// Whether the AUROC reaches the limit and the chance is below the significance.
    pub is_told_apart: bool,
}

/// A class that is distinguished from others without looking at the anatomy.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shortcut {
    /// The baseline that distinguishes it.
    pub baseline: Baseline,
    /// The class.
    pub class: String,
    /// The classes that it is distinguished from.
    pub others: Vec<String>,
    /// The lowest AUROC of the class against one of these.
    pub lowest_auroc: f64,
    /// The single measurement that distinguishes it best. None if no measurement does so well
    /// alone, but only several together.
    pub giveaway: Option<Giveaway>,
    /// The finding in a sentence.
    pub in_words: String,
}
