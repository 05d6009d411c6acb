//! Where the score comes from: every examination beyond the comparison with baselines.

use anyhow::Result;
use classifier::ModelInput;
use classifier::calibration::PositiveClasses;
use dataset::{BaselineKind, Manifest, Split, ValidatedManifest};
use fit::Refit;
use metrics::{Predictions, Temperature};
use scoring::{Mask, Prediction, TestSet};
use serde::Serialize;

use super::finding::{Finding, FindingContest};
use super::leak::Leak;
use super::look_alikes::{LookAlikes, RefitWithoutCopies, Search, TestAnswers};
use super::probes::{Alterations, Answer, Prober, Probes};
use super::refits::{Chance, Compared, Copies};
use super::shift::Shift;
use super::split_audit::ModelSplitAudit;
use super::training_pictures::TrainingPictures;
use super::waterfall::{StepInput, StepKind, Waterfall};
use super::{Contest, Refits, Rival, Trainings};

/// The results. A result that could not be computed is none.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct ExaminedScore {
    /// How the scores have moved between the validation and the test images.
    pub(crate) shift: Option<Shift>,
    /// The model and the best shortcut on the finding of interest.
    pub(crate) finding: Option<FindingContest>,
    /// The score by the similarity of test and training images.
    pub(crate) look_alikes: Option<LookAlikes>,
    /// The headline score, less copies, look-alikes, shortcuts and chance.
    pub(crate) waterfall: Option<Waterfall>,
    /// The score with something removed from the images.
    pub(crate) probes: Option<Probes>,
    /// The score with splits that are drawn; none for heads that learn by epochs.
    pub(crate) split_audit: Option<ModelSplitAudit>,
}

/// The inputs of the examinations.
pub(crate) struct ScoreExamination<'a> {
    pub(crate) contest: &'a Contest<'a>,
    pub(crate) rivals: &'a [Rival],
    /// The model's predictions for the test images.
    pub(crate) predictions: &'a [Prediction],
    /// Its predictions for the validation images; none if there are none.
    pub(crate) validation: Option<&'a Predictions>,
    pub(crate) positive: Option<&'a PositiveClasses>,
    pub(crate) temperature: Temperature,
    /// Why heads are not trained again, where `refit` is none.
    pub(crate) why_no_refit: &'static str,
    pub(crate) params: config::EvaluateParams,
}

/// The facts about the training images.
pub(crate) struct Training<'a> {
    pub(crate) validated: &'a ValidatedManifest,
    pub(crate) pictures: &'a TrainingPictures,
    pub(crate) refit: Option<&'a Refit>,
    /// Training images that are copies of others.
    pub(crate) copies: &'a Copies,
    /// The effect of the copies, and the trainings that show it.
    pub(crate) leak: (&'a Leak, Option<&'a Trainings>),
}

impl ExaminedScore {
    /// The sentences that the report must begin with.
    pub(crate) fn first_lines(&self) -> Vec<&str> {
        let shift = self.shift.as_ref().filter(|it| it.is_shown).map(|it| it.in_words.as_str());
        let finding =
            self.finding.as_ref().filter(|it| it.is_as_good).map(|it| it.in_words.as_str());
        shift.into_iter().chain(finding).collect()
    }
}

impl ScoreExamination<'_> {
    /// Makes every examination that is possible.
    ///
    /// # Errors
    /// When an image cannot be used, a head cannot be trained, or the network cannot run.
    pub(crate) fn look(
        &self,
        training: Option<&Training<'_>>,
        input: &ModelInput,
        answer: &Answer<'_>,
    ) -> Result<ExaminedScore> {
        let mut deeper = ExaminedScore {
            shift: self.validation.and_then(|validation| {
                Shift::of(self.contest.classes, validation, self.contest.predictions)
            }),
            finding: self.finding()?,
            ..ExaminedScore::default()
        };
        let Some(training) = training else { return Ok(deeper) };
        let search = Search {
            test: self.contest.test,
            classes: self.contest.classes,
            training: training.pictures,
            bootstrap: self.contest.bootstrap,
        };
        let mut again = None;
        if let Some(found) = search.find()? {
            let without_copies = training.without_copies();
            again = match training.refit {
                Some(refit) => {
                    let refits = &self.refits(refit);
                    search.train_again(
                        &found,
                        &RefitWithoutCopies { refits, without_copies: &without_copies },
                    )?
                }
                None => Some(Err(self.why_no_refit.into())),
            };
            deeper.look_alikes = Some(search.tell(&found, &self.answers(), again.as_ref()));
        }
        let chance = match training.refit {
            Some(refit) => self.refits(refit).chance(&training.validated.included())?,
            None => None,
        };
        let again = (deeper.look_alikes.is_some(), again.as_ref());
        let steps = self.steps(training, again, chance);
        let right = right(self.contest.predictions);
        let (bootstrap, test) = (&self.contest.bootstrap, self.contest.test);
        deeper.waterfall = Some(Waterfall::of(bootstrap, test, &right, steps));
        deeper.probes = Some(self.probes(training, input, answer)?);
        Ok(deeper)
    }

    fn refits<'a>(&'a self, refit: &'a Refit) -> Refits<'a> {
        let (test, params) = (self.contest.test, self.params);
        Refits { refit, test, temperature: self.temperature, params }
    }

    fn finding(&self) -> Result<Option<FindingContest>> {
        let Some(positive) = self.positive else { return Ok(None) };
        let finding = Finding {
            names: &positive.classes,
            indices: &positive.indices(self.contest.classes)?,
            bootstrap: self.contest.bootstrap,
            groups: &self.contest.test.groups(),
        };
        Ok(FindingContest::of(&finding, self.contest.predictions, self.rivals))
    }

    /// The most accurate rival of some kinds.
    fn best(&self, of_kind: impl Fn(BaselineKind) -> bool) -> Option<&Rival> {
        super::best_of(self.rivals, of_kind)
    }

    /// The answers of the model, the best baseline and the best shortcut.
    fn answers(&self) -> Vec<TestAnswers<'_>> {
        let mut answers =
            vec![TestAnswers { name: "model", right: right(self.contest.predictions) }];
        let best = [self.best(|_| true), self.best(|kind| kind != BaselineKind::CoarseLook)];
        for rival in best.into_iter().flatten() {
            if answers.iter().all(|known| known.name != rival.name) {
                answers.push(TestAnswers { name: &rival.name, right: right(&rival.predictions) });
            }
        }
        answers
    }

    /// The steps of the waterfall.
    fn steps(
        &self,
        training: &Training<'_>,
        (knows_look_alikes, again): (bool, Option<&Compared>),
        chance: Option<Chance>,
    ) -> Vec<StepInput> {
        let nothing = vec![0.0; self.contest.test.images.len()];
        let (how, worth) = match training.leak {
            (Leak::NoCopies, _) => ("there are none".into(), Some(nothing.clone())),
            (Leak::NotMeasured { reason, .. }, _) => (reason.clone(), None),
            (Leak::Measured(effect), trainings) => (
                format!("a head trained without {} training images", effect.left_out),
                trainings.map(Trainings::accuracy_gains),
            ),
        };
        let copies = StepInput { kind: StepKind::Copies, how, worth };
        let (how, worth) = match again {
            None if !knows_look_alikes => ("training has one class only".into(), None),
            None => ("there are none beside copies".into(), Some(nothing)),
            Some(Err(reason)) => (reason.clone(), None),
            Some(Ok(trainings)) => (
                format!("a head trained without {} training images more", trainings.left_out),
                Some(trainings.accuracy_gains()),
            ),
        };
        let look_alikes = StepInput { kind: StepKind::LookAlikes, how, worth };
        [copies, look_alikes].into_iter().chain(self.shortcuts_and_chance(chance)).collect()
    }

    fn shortcuts_and_chance(&self, chance: Option<Chance>) -> [StepInput; 2] {
        let classes = self.contest.classes.len();
        let images = self.contest.test.images.len();
        let majority = self.best(|kind| kind == BaselineKind::Majority);
        let (how, chance) = match (chance, majority) {
            (Some(Chance { heads, right }), _) => {
                (format!("the mean of {heads} heads trained on shuffled labels"), right)
            }
            (None, Some(majority)) => {
                ("always the most frequent class of training".into(), right(&majority.predictions))
            }
            (None, None) => ("one class of all, drawn".into(), vec![1.0 / classes as f64; images]),
        };
        let shortcut = self.best(|kind| kind == BaselineKind::Shortcut);
        let (how_shortcuts, worth) = match shortcut {
            Some(best) => {
                let mut beyond = right(&best.predictions);
                beyond.iter_mut().zip(&chance).for_each(|(right, chance)| *right -= chance);
                let name = best.name.replace('_', " ");
                (format!("the best of them, {name}, beyond chance"), Some(beyond))
            }
            None => ("there are no baselines on these images".into(), None),
        };
        [
            StepInput { kind: StepKind::Shortcuts, how: how_shortcuts, worth },
            StepInput { kind: StepKind::Chance, how, worth: Some(chance) },
        ]
    }

    fn probes(
        &self,
        training: &Training<'_>,
        input: &ModelInput,
        answer: &Answer<'_>,
    ) -> Result<Probes> {
        if !self.params.probes {
            return Ok(Probes::NotMade { reason: "evaluate.probes is false".into() });
        }
        let pictures = training.pictures;
        let prober = Prober {
            test: self.contest.test,
            input,
            temperature: self.temperature,
            alterations: Alterations {
                levels: pictures.levels.clone(),
                mask: Mask::new(input, pictures.levels.mean_level()),
                side: pictures.common_side.min(input.largest_side()),
            },
            bootstrap: self.contest.bootstrap,
        };
        Ok(Probes::Made { probes: prober.probe_all(self.predictions, answer)? })
    }
}

impl Training<'_> {
    fn without_copies(&self) -> Manifest {
        let manifest = self.validated.included();
        manifest
            .filtered(|image| image.split != Split::Train || !self.copies.contains_key(&image.path))
    }
}

/// 1 if the class is right, else 0, by image.
fn right(predictions: &Predictions) -> Vec<f64> {
    (0..predictions.len())
        .map(|image| f64::from(u8::from(predictions.predicted(image) == predictions.actual(image))))
        .collect()
}

/// The model's validation images; none if there are none.
pub(crate) fn validation_set(
    validated: &ValidatedManifest,
    classes: &dataset::ClassIndices,
) -> Option<TestSet> {
    TestSet::of(validated, classes, Split::Valid).ok()
}
