//! Classifiers that cannot know anything about tumours, and what they score.
//!
//! Where one of them tells classes apart, so can any network, and a good score says nothing about
//! tumours. They look at what is known of a picture without looking at what it shows:
//!
//! | baseline | looks at | classifier | a verdict? |
//! |---|---|---|---|
//! | `majority_class` | nothing | the most frequent class | |
//! | `metadata` | width, height, colour mode, format, bytes per pixel | random forest | yes |
//! | `grey_histogram` | shares of 32 bins of grey | random forest | yes |
//! | `frame` | the outermost eighth, at 16×16 | random forest | yes |
//! | `thumbnail_neighbour` | the picture at 32×32 | nearest neighbour | |
//! | `thumbnail_forest` | the picture at 16×16 | random forest | |
//!
//! A thumbnail shows large lesions, so that it may rightly tell classes apart: the last two are told
//! as how far a coarse look gets, and never as a shortcut. In CT the frame lies outside of
//! the body, or nearly; what stands there is a mark, a collimator or a crop, and no lesion.
//!
//! ```text
//! facts of all pictures, with class, split and groups            LabelledPicture
//!   ↓ those of training, at most 2,000, every class in its share   sample
//!   ↓ one classifier for each baseline                             Baselines
//!   ↓ probabilities for all other pictures                         Prediction
//!   ├─ accuracy, AUROC: overall, by class, by pair, by split       scores
//!   └─ pairs told apart: clearly and by much                       significance, verdict
//!        └─ by which measurement, in words                         giveaway
//! ```
//!
//! # When a shortcut is claimed
//!
//! For a baseline that gives verdicts and a pair of classes, on all validation and test images
//! together that have no copy in training: when the AUROC of the one class against the other is
//! 0.80 or more ([`PAIR_AUROC_LIMIT`]), *and* a Mann-Whitney test says with p < 0.001
//! ([`SIGNIFICANCE`]), multiplied by the number of such tests (Bonferroni), that it is above one
//! half. The unit of the test is the group (patient, scan, copies), whose images count once, by
//! their mean: thirty slices of a patient are one observation. Of a thousand sets that have no
//! shortcut about one is accused; one that is too small to tell is not.
//!
//! # Cost
//!
//! Trees grow on at most [`MOST_TRAINING_IMAGES`] images, a stratified draw keyed by the seed, and
//! the nearest neighbour is looked for among these: the work is bounded for fitting and linear in
//! the images that are asked for. The result depends on the images, their order and the seed, not on
//! the number of threads.

mod baselines;
mod features;
mod forest;
mod giveaway;
mod neighbour;
mod picture;
mod report;
mod sample;
mod scores;
mod significance;
mod tree;
mod verdict;
mod words;

pub use baselines::{Baseline, Baselines, FitError, Prediction};
pub use giveaway::Giveaway;
pub use picture::LabelledPicture;
pub use report::{BaselineReport, Findings, ShortcutReport};
pub use sample::MOST_TRAINING_IMAGES;
pub use scores::{ClassScore, PairScore, Scores, SplitScores};
pub use verdict::{PAIR_AUROC_LIMIT, PairVerdict, SIGNIFICANCE, Shortcut, Verdict};
