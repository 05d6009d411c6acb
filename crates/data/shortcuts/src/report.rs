use std::collections::{BTreeMap, BTreeSet};

use dataset::{BaselineKind, BaselinePredictions, ClassIndices, FittedOn, GroupNumber, Split};
use metrics::Predictions;
use serde::Serialize;

use crate::baseline::Baseline;
use crate::baselines::{Baselines, FitError, Prediction};
use crate::picture::LabelledPicture;
use crate::scores::{Scores, SplitScores};
use crate::verdict::Verdict;
use crate::verdict::evidence::Evidence;

/// The scores of baselines that cannot know anything about tumours, and their meaning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShortcutReport {
    /// Images of the training split.
    pub training_images: usize,
    /// Seed of the forests, and of the folds of the cross-validations.
    pub seed: u64,
    /// Every baseline, in the order of [`Baseline::all`].
    pub baselines: Vec<BaselineReport>,
    /// Which classes can be distinguished without looking at the anatomy.
    pub verdict: Verdict,
}

/// The scores of one baseline.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BaselineReport {
    /// The baseline.
    pub baseline: Baseline,
    /// What a good score of it means.
    pub kind: BaselineKind,
    /// Its input, for people.
    pub looks_at: String,
    /// How many of the training images it was fitted on.
    pub fitted_on: FittedOn,
    /// How its choices were made, or why it could not be fitted.
    pub remark: Option<String>,
    /// Validation and test, if they have images.
    pub scores: Vec<SplitScores>,
}

/// A report and the predictions that it is based on.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// The report.
    pub report: ShortcutReport,
    /// The predicted pictures, which are those outside of training: positions among the given
    /// pictures, ascending.
    pub predicted: Vec<usize>,
    /// The predictions of each baseline for these, in the order of [`Baseline::all`].
    pub predictions: Vec<Prediction>,
}

impl Findings {
    /// Fits every baseline on the training pictures and scores it on the others. The order of the
    /// pictures and the seed decide the result.
    ///
    /// # Errors
    /// When no picture is for training, or a label is beyond the last class.
    pub fn of(
        pictures: &[LabelledPicture<'_>],
        names: &ClassIndices,
        seed: u64,
    ) -> Result<Self, FitError> {
        let is_training = |at: &usize| pictures[*at].split == Split::Train;
        let (training, predicted): (Vec<usize>, Vec<usize>) =
            (0..pictures.len()).partition(is_training);
        for at in &predicted {
            let found = pictures[*at].class;
            if found.0 >= names.len() {
                return Err(FitError::UnknownClass { found, classes: names.len() });
            }
        }
        let known: Vec<_> = training.iter().map(|at| &pictures[*at]).collect();
        let baselines = Baselines::fit(names.len(), &known, seed)?;
        let asked: Vec<_> = predicted.iter().map(|at| pictures[*at].facts).collect();
        let predictions = baselines.predict(&asked);

        let judged = Judged::new(pictures, &training, &predicted);
        let evidence = Evidence {
            names,
            training: known,
            judged: judged
                .without_copies
                .iter()
                .map(|row| (*row, &pictures[predicted[*row]]))
                .collect(),
            copies_left_out: predicted.len() - judged.without_copies.len(),
            predictions: &predictions,
        };
        let report = ShortcutReport {
            training_images: training.len(),
            seed,
            baselines: predictions.iter().map(|it| judged.report(it, names)).collect(),
            verdict: evidence.verdict(),
        };
        Ok(Self { report, predicted, predictions })
    }

    /// The predictions for later stages, by the path that `path` gives to the picture at a
    /// position.
    pub fn by_path(&self, path: impl Fn(usize) -> String) -> Vec<BaselinePredictions> {
        let of_one = |prediction: &Prediction| {
            let rows = self.predicted.iter().zip(prediction.rows());
            let images: BTreeMap<String, Vec<f64>> =
                rows.map(|(at, row)| (path(*at), row.to_vec())).collect();
            let baseline = prediction.baseline;
            let fitted_on = prediction.fitted_on;
            BaselinePredictions { name: baseline.name(), kind: baseline.kind(), fitted_on, images }
        };
        self.predictions.iter().map(of_one).collect()
    }
}

/// The pictures that baselines are scored on.
struct Judged<'a> {
    pictures: Vec<&'a LabelledPicture<'a>>,
    /// Rows of the predictions whose picture has no copy in training.
    without_copies: Vec<usize>,
}

impl<'a> Judged<'a> {
    fn new(pictures: &'a [LabelledPicture<'a>], training: &[usize], predicted: &[usize]) -> Self {
        let learnt: BTreeSet<GroupNumber> =
            training.iter().filter_map(|at| pictures[*at].duplicate_group).collect();
        let pictures: Vec<_> = predicted.iter().map(|at| &pictures[*at]).collect();
        let is_new = |row: &usize| {
            pictures[*row].duplicate_group.is_none_or(|group| !learnt.contains(&group))
        };
        let without_copies = (0..pictures.len()).filter(is_new).collect();
        Self { pictures, without_copies }
    }

    fn report(&self, prediction: &Prediction, names: &ClassIndices) -> BaselineReport {
        let rows = self.pictures.iter().map(|picture| picture.class).zip(prediction.rows());
        let predictions = Predictions::new(names.len(), rows)
            .expect("baselines give probabilities, and labels were checked");
        let of_split = |split: Split| {
            let all: Vec<usize> = self.rows_of(split, 0..self.pictures.len());
            let new = self.rows_of(split, self.without_copies.iter().copied());
            let scores = |rows: &[usize]| Scores::of(&predictions.select(rows), names);
            let without_copies = (new.len() < all.len()).then(|| scores(&new)).flatten();
            Some(SplitScores { split, all: scores(&all)?, without_copies })
        };
        BaselineReport {
            baseline: prediction.baseline,
            kind: prediction.baseline.kind(),
            looks_at: prediction.baseline.looks_at(),
            fitted_on: prediction.fitted_on,
            remark: prediction.remark.clone(),
            scores: [Split::Valid, Split::Test].into_iter().filter_map(of_split).collect(),
        }
    }

    fn rows_of(&self, split: Split, rows: impl Iterator<Item = usize>) -> Vec<usize> {
        rows.filter(|row| self.pictures[*row].split == split).collect()
    }
}
