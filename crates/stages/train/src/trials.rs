//! Scores of heads for a search that goes on outside: one request a line on standard input, one
//! answer a line on standard output, all in one process on features that are computed once.
//!
//! ```text
//! {"score": {"head": "kernel", "train": {…section train…}}}       → {"score": {"log_loss": …, …}}
//! {"nest": {"folds": 5, "seed": 1, "objective": "log_loss", "trials": [{"head": …}, …]}}
//!                                                                  → {"nest": {"accuracy": …, …}}
//! ```
//!
//! A trial is scored by the grouped cross-validation of its own section `train`, on the training
//! images alone. What cannot be scored is answered by `{"refused": "why"}`.

use std::io::{BufRead, Write};

use anyhow::{Context, Result, bail};
use classifier::architecture::BaseDescription;
use config::{HeadKind, Params, SolveParams, TrainParams};
use dataset::GroupNumber;
use fit::TrainingImages;
use fit::solve::{Examples, SolveInputs, solver_of};
use serde::{Deserialize, Serialize};
use solvers::{Candidate, Search};

/// A line of standard input.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Score(Box<Trial>),
    Nest(Nest),
}

/// One choice of a head and of how it is solved.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trial {
    head: HeadKind,
    train: TrainParams,
}

/// How good is the best of these trials, where it is chosen without the images it is scored on?
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nest {
    folds: usize,
    seed: u64,
    /// What the best trial is best by.
    objective: Objective,
    trials: Vec<Trial>,
}

/// A score of a candidate on held-out images.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Objective {
    LogLoss,
    Accuracy,
    Auroc,
}

impl Objective {
    /// Smaller for a better candidate; an undefined score is the worst.
    fn cost(self, candidate: &Candidate) -> f64 {
        match self {
            Self::LogLoss => candidate.log_loss,
            Self::Accuracy => -candidate.accuracy,
            Self::Auroc => candidate.auroc.map_or(f64::INFINITY, |auroc| -auroc),
        }
    }
}

/// A line of standard output.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Score(Score),
    Nest(NestedScore),
    Refused(String),
}

/// The chosen candidate of a trial.
#[derive(Debug, Serialize)]
struct Score {
    #[serde(flatten)]
    candidate: Candidate,
    images: usize,
    groups: usize,
    folds: usize,
}

/// The scores of choosing and solving, on images that had no part in either.
#[derive(Debug, Serialize)]
struct NestedScore {
    accuracy: f64,
    log_loss: f64,
    /// The trial that was chosen without each fold.
    chosen: Vec<usize>,
}

/// What all trials have in common.
pub(crate) struct Trials<'a> {
    pub(crate) base: &'a BaseDescription,
    pub(crate) params: &'a Params,
    pub(crate) images: &'a TrainingImages,
    /// The training images' activations.
    pub(crate) examples: Examples,
    /// The group of each training image.
    pub(crate) groups: Vec<GroupNumber>,
}

impl Trials<'_> {
    /// Answers every line, until there are no more.
    pub(crate) fn answer(&self, requests: impl BufRead, mut answers: impl Write) -> Result<()> {
        for line in requests.lines() {
            let line = line.context("read a request")?;
            let answer =
                self.answer_to(&line).unwrap_or_else(|error| Answer::Refused(format!("{error:#}")));
            let answer = serde_json::to_string(&answer).context("write an answer")?;
            writeln!(answers, "{answer}").context("write an answer")?;
            answers.flush().context("write an answer")?;
        }
        Ok(())
    }

    fn answer_to(&self, line: &str) -> Result<Answer> {
        Ok(match serde_json::from_str(line).context("understand the request")? {
            Request::Score(trial) => Answer::Score(self.score(&trial)?),
            Request::Nest(nest) => Answer::Nest(self.nest(&nest)?),
        })
    }

    fn score(&self, trial: &Trial) -> Result<Score> {
        let Search { candidates, chosen, images, groups, folds, .. } =
            self.search(trial, &self.examples, &self.groups)?;
        let candidate = candidates[chosen].clone();
        Ok(Score { candidate, images, groups, folds })
    }

    fn nest(&self, nest: &Nest) -> Result<NestedScore> {
        if nest.trials.is_empty() {
            bail!("choose among no trials");
        }
        let labels = self.examples.labels();
        let outer = solvers::folds::assign(labels, &self.groups, nest.folds, nest.seed)?;
        let (mut right, mut loss, mut chosen) = (0, 0.0, Vec::new());
        for fold in 0..outer.count() {
            let (others, held) = outer.divide(fold);
            let (examples, groups) = (self.examples.at(&others), at(&self.groups, &others));
            let scored = nest.trials.iter().map(|trial| self.search(trial, &examples, &groups));
            let scored: Vec<Search> = scored.collect::<Result<_>>()?;
            let costs = scored.iter().map(|it| nest.objective.cost(&it.candidates[it.chosen]));
            let best = least(costs);
            let candidate = &scored[best].candidates[scored[best].chosen];
            let problem = self.problem(&nest.trials[best], &examples)?;
            let held = self.examples.at(&held);
            let logits = problem.fit(&candidate.choice)?.logits(&held.rows()?)?;
            for (logits, label) in logits.iter().zip(held.labels()) {
                let tempered: Vec<f32> =
                    logits.iter().map(|it| it / candidate.temperature as f32).collect();
                let probabilities = classifier::model::softmax(&tempered);
                let is_right = probabilities.iter().all(|it| *it <= probabilities[*label]);
                right += usize::from(is_right);
                loss -= probabilities[*label].max(f64::MIN_POSITIVE).ln();
            }
            chosen.push(best);
        }
        let images = labels.len() as f64;
        Ok(NestedScore { accuracy: right as f64 / images, log_loss: loss / images, chosen })
    }

    /// The parameters of a trial, checked as if they were in `params.yaml`.
    fn solve_params<'t>(&self, trial: &'t Trial) -> Result<&'t SolveParams> {
        let mut tried = self.params.clone();
        tried.prepare_base.head.kind = trial.head;
        tried.train = trial.train.clone();
        let origin = "the trial".as_ref();
        tried.check_as(origin)?;
        tried.check_training_as(origin)?;
        let solve = trial.train.solve.as_ref().context("score a head that is not solved")?;
        classifier::solved::check_cuts(self.base.architecture.base, &solve.cuts)?;
        Ok(solve)
    }

    fn problem<'t>(&'t self, trial: &Trial, examples: &'t Examples) -> Result<SolveInputs<'t>> {
        let kind = solver_of(trial.head).context("score a head that is not solved")?;
        Ok(SolveInputs::new(kind, examples, self.images, &trial.train))
    }

    fn search(&self, trial: &Trial, examples: &Examples, groups: &[GroupNumber]) -> Result<Search> {
        let solve = self.solve_params(trial)?;
        self.problem(trial, examples)?.search(groups, solve)
    }
}

fn at(groups: &[GroupNumber], places: &[usize]) -> Vec<GroupNumber> {
    places.iter().map(|place| groups[*place]).collect()
}

/// The position of the first of the smallest values.
fn least(values: impl Iterator<Item = f64>) -> usize {
    let smallest = values.enumerate().min_by(|(_, one), (_, other)| one.total_cmp(other));
    smallest.map_or(0, |(place, _)| place)
}
