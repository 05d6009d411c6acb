//! Classifiers that cannot know anything about tumours, and their scores.
//!
//! If one of them distinguishes classes, so can any network, and a good score is no evidence about
//! tumours. Each sees only one of these parts of a picture, by a random forest, by the nearest
//! neighbour, and by a kernel as in the model's head:
//!
//! | name | sees | a shortcut? |
//! |---|---|---|
//! | `majority_class` | nothing, and predicts the most frequent class | |
//! | `metadata` | width, height, colour mode, format, bytes per pixel | yes |
//! | `grey_histogram` | shares of 32 bins of grey | yes |
//! | `grey_histogram_256` | shares of 256 levels of grey | yes |
//! | `frame` | the outermost eighth, at 16×16 | yes |
//! | `together` | metadata, 32 bins of grey and the frame | yes |
//! | `thumbnail` | the picture at 16×16; at 32×32 for neighbours | a coarse look |
//!
//! A thumbnail shows large lesions, so that it may distinguish classes for a good reason: it shows
//! how far a coarse look gets, and is never called a shortcut. In CT the frame lies outside of the
//! body, or nearly; it can show a mark, a collimator or a crop, but no lesion.
//!
//! ```text
//! facts of all pictures, with class, split and groups            LabelledPicture
//!   ↓ one classifier for each baseline, on all training images     Baselines
//!   │    ├─ numbers in bins, trees that cut between them             table, tree, forest
//!   │    ├─ the nearest of all known rows                            rows, neighbour
//!   │    └─ strength and width by grouped cross-validation           kernel, crate fit
//!   ↓ probabilities for all other pictures                         Prediction
//!   ├─ accuracy, AUROC: overall, by class, by pair, by split       scores
//!   └─ pairs distinguished: clearly and by much                    significance, verdict::evidence
//!        └─ by which measurement, and in words                     giveaway::search, words
//! the same, with splits that are drawn                             audit
//! ```
//!
//! # Every training image
//!
//! A baseline is fitted on every training image that a model is fitted on. A model would beat a
//! neighbour that saw only half of them for that reason alone. The number that each one saw is
//! stored with its predictions ([`dataset::FittedOn`]), and every comparison reads it.
//!
//! The best of so many baselines on the test images is a little better than any single one of them.
//! That favours the baselines, on purpose.
//!
//! # When a shortcut is claimed
//!
//! The forests on metadata, histogram and frame ([`Baseline::JUDGING`]) decide it, for a pair of
//! classes, on all validation and test images together that have no copy in training. A shortcut is
//! claimed when the AUROC of the one class against the other is 0.80 or more
//! ([`PAIR_AUROC_LIMIT`]), *and* a Mann-Whitney test shows that it is above one half with p < 0.001
//! ([`SIGNIFICANCE`]), after multiplying p by the number of such tests (Bonferroni). The unit of
//! the test is the group (patient, scan, copies), whose images count once, by their mean: thirty
//! slices of a patient are one observation. Of a thousand sets without a shortcut, about one gets a
//! false claim; a set that is too small to decide gets none. The other baselines see nothing that
//! these three do not; with them there would be five times as many tests, and weaker shortcuts
//! would be missed. They are only compared by accuracy.
//!
//! # Cost
//!
//! The time of forests grows in proportion to the number of images, except for a logarithm. The
//! time of nearest neighbours grows with training images times predicted images. Kernels are exact
//! up to the limit of the crate `fit`, and use landmarks beyond, as the model's head does. They
//! make their choices on about 2,000 training images, and are fitted on all. The result depends on
//! the images, their order and the seed, not on the number of threads.

mod audit;
mod baseline;
mod baselines;
mod features;
mod forest;
mod giveaway;
mod kernel;
mod neighbour;
mod picture;
mod random;
mod report;
mod rows;
mod scores;
mod significance;
mod table;
mod tree;
mod verdict;
mod words;

pub use audit::{DrawnSplits, MOST_AUDITED_IMAGES, audit_split};
pub use baseline::{Baseline, Learner, View};
pub use baselines::{Baselines, FitError, Prediction};
pub use giveaway::Giveaway;
pub use picture::LabelledPicture;
pub use report::{BaselineReport, Findings, ShortcutReport};
pub use scores::{ClassScore, PairScore, Scores, SplitScores};
pub use verdict::{PAIR_AUROC_LIMIT, PairVerdict, SIGNIFICANCE, Shortcut, Verdict};
