//! What the score is worth: the model is compared with baselines that cannot know anything about
//! tumours, on the same images.

use std::collections::BTreeMap;

use dataset::{BaselineKind, BaselinePredictions, ClassIndices, FittedOn};
use metrics::{Bootstrap, Difference, Estimate, LabelledError, Predictions, Scorer};
use scoring::TestSet;
use serde::Serialize;

pub(crate) mod deeper;
pub(crate) mod finding;
pub(crate) mod leak;
pub(crate) mod look_alikes;
pub(crate) mod probes;
mod refits;
pub(crate) mod shift;
pub(crate) mod split_audit;
pub(crate) mod thumbnail;
pub(crate) mod training_pictures;
mod verdict;
pub(crate) mod waterfall;
mod words;

pub(crate) use deeper::ExaminedScore;
use leak::Leak;
pub(crate) use refits::{NO_REFIT, NO_REFIT_OF_MANY, Refits, Trainings, mean_over};
pub(crate) use verdict::WorthVerdict;
pub(crate) use words::score;

/// The first entry of `scores.json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Worth {
    /// The answer, in a sentence or two.
    pub(crate) in_words: String,
    /// The answer, for programs.
    pub(crate) verdict: WorthVerdict,
    /// A note about the unit of the counts.
    pub(crate) unit: String,
    /// Top-1 accuracy of the model.
    pub(crate) accuracy: Estimate,
    /// The baseline with the highest accuracy on these images: choosing it here favours it.
    pub(crate) best_baseline: Option<Comparison>,
    /// The best of the baselines that only see shortcuts.
    pub(crate) best_shortcut: Option<Comparison>,
    /// Top-1 accuracy of every baseline.
    pub(crate) baselines: BTreeMap<String, BaselineScore>,
    /// The score on images without a copy in training; none if no image has a copy.
    pub(crate) without_copies: Option<WithoutCopies>,
    /// The effect of the copies.
    pub(crate) leak: Leak,
    /// Where the score comes from.
    #[serde(flatten)]
    pub(crate) deeper: ExaminedScore,
}

/// A baseline's score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct BaselineScore {
    pub(crate) kind: BaselineKind,
    /// The number of training images it was fitted on, and the number for the model.
    pub(crate) fitted_on: FittedOn,
    pub(crate) accuracy: Estimate,
}

/// The model compared with a baseline, both on the same images and the same resamples of them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Comparison {
    /// The baseline.
    pub(crate) name: String,
    pub(crate) kind: BaselineKind,
    /// Top-1 accuracy, model minus baseline.
    pub(crate) accuracy: Difference,
    /// Recall, model minus baseline, by class.
    pub(crate) recall: BTreeMap<String, Difference>,
}

/// The score on images without a copy in training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct WithoutCopies {
    /// Number of remaining images.
    pub(crate) images: usize,
    /// Images with a copy in training.
    pub(crate) left_out: usize,
    /// Top-1 accuracy on the remaining images.
    pub(crate) accuracy: Estimate,
}

/// The inputs of a comparison.
pub(crate) struct Contest<'a> {
    pub(crate) classes: &'a ClassIndices,
    pub(crate) test: &'a TestSet,
    pub(crate) predictions: &'a Predictions,
    pub(crate) bootstrap: Bootstrap,
    /// Whether the model was trained on shuffled labels.
    pub(crate) is_control: bool,
}

/// A baseline, with a row for each test image.
pub(crate) struct Rival {
    pub(crate) name: String,
    pub(crate) kind: BaselineKind,
    pub(crate) fitted_on: FittedOn,
    pub(crate) predictions: Predictions,
}

impl Contest<'_> {
    /// Compares the model with each baseline.
    pub(crate) fn decide(&self, rivals: &[Rival], leak: Leak) -> Worth {
        let groups = self.test.groups();
        let scorer = Scorer::new(self.predictions);
        let accuracy = scorer.estimates(&self.bootstrap, &groups).accuracy;
        let scores: BTreeMap<_, _> = rivals
            .iter()
            .map(|rival| {
                let summary = Scorer::new(&rival.predictions).estimates(&self.bootstrap, &groups);
                let (kind, fitted_on) = (rival.kind, rival.fitted_on);
                let score = BaselineScore { kind, fitted_on, accuracy: summary.accuracy };
                (rival.name.clone(), score)
            })
            .collect();
        let best = |of_kind: fn(BaselineKind) -> bool| {
            let best = best_of(rivals, of_kind)?;
            Some(self.compare(&scorer, best, &groups))
        };
        let best_baseline = best(|_| true);
        let best_shortcut = best(|kind| kind != BaselineKind::CoarseLook);
        let (verdict, in_words) =
            self.verdict(best_baseline.as_ref(), best_shortcut.as_ref(), rivals);
        Worth {
            in_words,
            verdict,
            unit: self.test.unit.in_words().into(),
            accuracy,
            best_baseline,
            best_shortcut,
            baselines: scores,
            without_copies: self.without_copies(),
            leak,
            deeper: ExaminedScore::default(),
        }
    }

    /// The baselines with predictions for every image.
    ///
    /// # Errors
    /// When a baseline's values are not probabilities.
    pub(crate) fn rivals(
        &self,
        baselines: &[BaselinePredictions],
    ) -> Result<Vec<Rival>, LabelledError> {
        let mut rivals = Vec::new();
        for baseline in baselines {
            let rows: Option<Vec<_>> = self
                .test
                .images
                .iter()
                .map(|image| Some((image.actual, baseline.images.get(&image.name)?)))
                .collect();
            let Some(rows) = rows else {
                tracing::warn!(
                    "{} has not predicted every test image; run validate again",
                    baseline.name
                );
                continue;
            };
            rivals.push(Rival {
                name: baseline.name.clone(),
                kind: baseline.kind,
                fitted_on: baseline.fitted_on,
                predictions: Predictions::new(self.classes.len(), rows)?,
            });
        }
        Ok(rivals)
    }

    fn compare(&self, model: &Scorer<'_>, rival: &Rival, groups: &metrics::Groups) -> Comparison {
        let rival_scorer = Scorer::new(&rival.predictions);
        let differences = model.differences(&rival_scorer, &self.bootstrap, groups);
        let recalls = differences.classes.into_iter().map(|class| class.recall);
        Comparison {
            name: rival.name.clone(),
            kind: rival.kind,
            accuracy: differences.accuracy,
            recall: self.classes.names().iter().cloned().zip(recalls).collect(),
        }
    }

    fn without_copies(&self) -> Option<WithoutCopies> {
        let places = self.test.places(|image| !image.has_copy_in_training);
        let left_out = self.test.images.len() - places.len();
        if left_out == 0 || places.is_empty() {
            return None;
        }
        let rest = self.predictions.select(&places);
        let groups = self.test.select(&places).groups();
        let accuracy = Scorer::new(&rest).estimates(&self.bootstrap, &groups).accuracy;
        Some(WithoutCopies { images: places.len(), left_out, accuracy })
    }
}

/// The most accurate rival of some kinds; of equals the first.
fn best_of(rivals: &[Rival], of_kind: impl Fn(BaselineKind) -> bool) -> Option<&Rival> {
    rivals
        .iter()
        .filter(|rival| of_kind(rival.kind))
        .reduce(|best, it| if it.accuracy() > best.accuracy() { it } else { best })
}

impl Rival {
    fn accuracy(&self) -> f64 {
        self.predictions.confusion_matrix().accuracy()
    }
}

impl Worth {
    /// Adds where the score comes from. Findings that must not be overlooked come first.
    #[must_use]
    pub(crate) fn deepened(mut self, deeper: ExaminedScore) -> Self {
        // For a control nothing else matters.
        if self.verdict != WorthVerdict::Control {
            let told = deeper.first_lines().into_iter().chain([self.in_words.as_str()]);
            self.in_words = told.collect::<Vec<_>>().join(" ");
        }
        self.deeper = deeper;
        self
    }
}

impl Comparison {
    /// Whether the model is better by more than chance.
    pub(crate) fn is_won(&self) -> bool {
        self.accuracy.difference.interval.is_some_and(|interval| interval.low > 0.0)
    }
}

#[cfg(test)]
mod tests {
    use artifact::Digest;
    use dataset::ClassIndex;

    use super::*;
    use scoring::{TestImage, Unit};

    const IMAGES: usize = 60;

    fn test_set() -> TestSet {
        let image = |number: usize| TestImage {
            name: format!("{number}.png"),
            file: format!("{number}.png").into(),
            sha256: Digest::of(&number.to_le_bytes()),
            actual: ClassIndex(number % 2),
            group: number as u32,
            has_copy_in_training: number < 10,
        };
        TestSet { images: (0..IMAGES).map(image).collect(), unit: Unit::Slices }
    }

    /// Right on the first `right` images, wrong on the others.
    fn row(number: usize, right: usize) -> Vec<f64> {
        let shown = if number < right { number % 2 } else { 1 - number % 2 };
        (0..2).map(|class| if class == shown { 0.8 } else { 0.2 }).collect()
    }

    fn baseline(name: &str, kind: BaselineKind, right: usize) -> BaselinePredictions {
        let images = (0..IMAGES).map(|number| (format!("{number}.png"), row(number, right)));
        let fitted_on = FittedOn::all(5_301);
        BaselinePredictions { name: name.into(), kind, fitted_on, images: images.collect() }
    }

    fn decide(right: usize, baselines: &[BaselinePredictions]) -> Worth {
        decide_on(&test_set(), false, right, baselines)
    }

    fn decide_on(
        test: &TestSet,
        is_control: bool,
        right: usize,
        baselines: &[BaselinePredictions],
    ) -> Worth {
        let classes = ClassIndices::of_names(["a", "b"]);
        let images = 0..test.images.len();
        let rows = images.map(|number| (ClassIndex(number % 2), row(number, right)));
        let predictions = Predictions::new(2, rows).unwrap();
        let bootstrap = Bootstrap { seed: 17, resamples: 400 };
        let contest =
            Contest { classes: &classes, test, predictions: &predictions, bootstrap, is_control };
        contest.decide(&contest.rivals(baselines).unwrap(), Leak::NoCopies)
    }

    #[test]
    fn a_model_that_beats_all_is_told_so() {
        let baselines = [baseline("grey_histogram", BaselineKind::Shortcut, 30)];
        let worth = decide(55, &baselines);
        assert_eq!(worth.verdict, WorthVerdict::BeatsAllBaselines);
        assert!(worth.in_words.contains("grey histogram, 0.500 against the model's 0.917"));
    }

    #[test]
    fn few_images_or_few_patients_are_no_verdict_however_good_the_model() {
        let baselines = [baseline("grey_histogram", BaselineKind::Shortcut, 5)];
        let mut few = test_set();
        few.images.truncate(18);
        let worth = decide_on(&few, false, 18, &baselines);
        assert_eq!(worth.verdict, WorthVerdict::TooFewImages);
        let told = "Fewer than 10 test images of a class show nothing";
        assert!(worth.in_words.contains(told) && worth.in_words.contains("9 of a, 9 of b"));

        let mut two_patients = test_set();
        two_patients.unit = Unit::Patients;
        for image in &mut two_patients.images {
            image.group %= 2;
        }
        let worth = decide_on(&two_patients, false, 60, &baselines);
        assert_eq!(worth.verdict, WorthVerdict::TooFewImages);
        assert!(worth.in_words.contains("10 test patients"), "{}", worth.in_words);
    }

    #[test]
    fn a_model_of_shuffled_labels_is_called_the_control_whatever_it_scores() {
        let baselines = [baseline("grey_histogram", BaselineKind::Shortcut, 30)];
        let worth = decide_on(&test_set(), true, 55, &baselines);
        assert_eq!(worth.verdict, WorthVerdict::Control);
        assert!(worth.in_words.contains("shuffled labels"), "{}", worth.in_words);
        // This sentence stays first, whatever else was found.
        let finding = finding::FindingContest {
            in_words: "A shortcut is as good.".to_owned(),
            classes: Vec::new(),
            shortcut: "grey_histogram".to_owned(),
            auroc: worth.best_baseline.as_ref().unwrap().accuracy,
            is_as_good: true,
        };
        let deeper = ExaminedScore { finding: Some(finding), ..ExaminedScore::default() };
        let deepened = worth.clone().deepened(deeper);
        assert_eq!(deepened.in_words, worth.in_words);
    }

    #[test]
    fn nothing_is_better_than_baselines_that_saw_fewer_images() {
        let mut neighbour = baseline("thumbnail_neighbour", BaselineKind::CoarseLook, 40);
        neighbour.fitted_on.images = 2_000;
        let forest = baseline("grey_histogram", BaselineKind::Shortcut, 30);
        let worth = decide(55, &[forest.clone(), neighbour.clone()]);
        assert_eq!(worth.verdict, WorthVerdict::BaselinesSawFewer);
        assert!(worth.in_words.contains("thumbnail neighbour 2000 of 5301"), "{}", worth.in_words);
        assert!(!worth.in_words.contains("better than every"), "{}", worth.in_words);
        // It does not beat the coarse look, nor every shortcut.
        let good = baseline("thumbnail_forest", BaselineKind::CoarseLook, 56);
        let worth = decide(55, &[forest.clone(), neighbour.clone(), good]);
        assert_eq!(worth.verdict, WorthVerdict::BaselinesSawFewer);
        // A baseline that beats the model although it saw fewer images still beats it.
        neighbour.kind = BaselineKind::Shortcut;
        let worth = decide(20, &[forest, neighbour]);
        assert_eq!(worth.verdict, WorthVerdict::NotBetterThanAShortcut);
    }

    #[test]
    fn a_shortcut_that_does_as_well_is_named() {
        let baselines = [
            baseline("majority_class", BaselineKind::Majority, 30),
            baseline("file_metadata", BaselineKind::Shortcut, 50),
        ];
        let worth = decide(51, &baselines);
        assert_eq!(worth.verdict, WorthVerdict::NotBetterThanAShortcut);
        assert!(worth.in_words.contains("file metadata, 0.833"), "{}", worth.in_words);
        assert_eq!(worth.best_baseline, worth.best_shortcut);
    }

    #[test]
    fn a_model_that_is_clearly_worse_is_called_worse() {
        let words = |right, kind, rival| {
            let shortcut = baseline("grey_histogram", BaselineKind::Shortcut, 10);
            decide(right, &[shortcut, baseline("rival", kind, rival)]).in_words
        };
        let worse = words(30, BaselineKind::Shortcut, 50);
        assert!(worse.starts_with("The model is worse than a baseline"), "{worse}");
        let worse = words(30, BaselineKind::CoarseLook, 50);
        assert!(worse.contains("but worse than a coarse look"), "{worse}");
        let alike = words(49, BaselineKind::Shortcut, 50);
        assert!(alike.contains("not shown to be better than a baseline"), "{alike}");
    }

    #[test]
    fn a_coarse_look_is_not_called_a_shortcut() {
        let baselines = [
            baseline("grey_histogram", BaselineKind::Shortcut, 30),
            baseline("thumbnail_forest", BaselineKind::CoarseLook, 56),
        ];
        let worth = decide(55, &baselines);
        assert_eq!(worth.verdict, WorthVerdict::BeatsShortcutsOnly);
        assert_eq!(worth.best_shortcut.unwrap().name, "grey_histogram");
    }

    #[test]
    fn copies_are_left_out_of_the_second_score() {
        let rest = decide(30, &[]).without_copies.unwrap();
        assert_eq!((rest.images, rest.left_out), (50, 10));
        assert_eq!(rest.accuracy.value, Some(20.0 / 50.0));
    }

    #[test]
    fn a_baseline_that_lacks_an_image_is_not_compared() {
        let mut lacking = baseline("grey_histogram", BaselineKind::Shortcut, 30);
        lacking.images.remove("3.png");
        assert_eq!(decide(55, &[lacking]).verdict, WorthVerdict::NothingToCompare);
    }
}
