//! Heads that are solved: their training data, and the resulting head.

use anyhow::{Context, Result, anyhow};
use classifier::architecture::BaseDescription;
use classifier::backend::Backend;
use classifier::bases::Base;
use classifier::features::Extractor;
use classifier::learner::Learner;
use classifier::solved::{self, SolvedHead};
use classifier::tensors::TensorMap;
use config::{HeadKind, SolveParams, TrainParams};
use dataset::{GroupNumber, Split};
use solvers::{Choice, Fitted, Kind, Labelled, Rows, Search, SearchSpace};

use crate::TrainingImages;

/// The activations of a split, in the order of the manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Examples {
    activations: Vec<f32>,
    columns: usize,
    labels: Vec<usize>,
    /// The base whose cut points the columns are from.
    base: &'static Base,
}

impl Examples {
    /// Computes or finds the activations of a split, with its own progress bar.
    ///
    /// # Errors
    /// When an image cannot be used, or libtorch fails.
    pub fn gather(extractor: &Extractor, images: &TrainingImages, split: Split) -> Result<Self> {
        let requests = images.requests_in_order(split);
        let columns = extractor.activation_length();
        let mut activations = Vec::with_capacity(requests.len() * columns);
        let bar =
            terminal::items_bar(requests.len() as u64, &format!("features of {split} images"));
        extractor.for_each_batch(&requests, images.batch_size(), |batch| {
            activations.extend_from_slice(batch);
            bar.inc((batch.len() / columns) as u64);
            Ok(())
        })?;
        bar.finish_and_clear();
        let labels = images.labels_in_order(split);
        Ok(Self { activations, columns, labels, base: extractor.base() })
    }

    /// The head's first input for the training images, when layers below the head are going to
    /// learn.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn through(
        learner: &Learner,
        extractor: &Extractor,
        images: &TrainingImages,
    ) -> Result<Self> {
        let requests = images.requests_in_order(Split::Train);
        let bar = terminal::items_bar(requests.len() as u64, "what the head sees at first");
        let (mut activations, mut seen) = (Vec::new(), 0);
        extractor.for_each_batch(&requests, images.batch_size(), |batch| {
            activations.extend(learner.head_inputs(batch)?);
            seen += batch.len() / extractor.activation_length();
            bar.set_position(seen as u64);
            Ok(())
        })?;
        bar.finish_and_clear();
        let columns = activations.len() / requests.len().max(1);
        let labels = images.labels_in_order(Split::Train);
        Ok(Self { activations, columns, labels, base: extractor.base() })
    }

    /// Only those at the given positions, in that order.
    #[must_use]
    pub fn at(&self, places: &[usize]) -> Self {
        let activation = |place: &usize| &self.activations[place * self.columns..][..self.columns];
        Self {
            activations: places.iter().flat_map(activation).copied().collect(),
            columns: self.columns,
            labels: places.iter().map(|place| self.labels[*place]).collect(),
            base: self.base,
        }
    }

    /// One activation after the other.
    pub fn activations(&self) -> &[f32] {
        &self.activations
    }

    /// Row by row.
    ///
    /// # Errors
    /// When there are no columns.
    pub fn rows(&self) -> Result<Rows<'_>> {
        Ok(Rows::new(&self.activations, self.columns)?)
    }

    /// The class of each image.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }
}

/// The inputs of solving a head, beside the values to choose.
#[derive(Debug, Clone)]
pub struct SolveInputs<'a> {
    /// Linear or kernel.
    pub kind: Kind,
    /// The training images.
    pub examples: &'a Examples,
    /// The names of the classes, in the order of their labels.
    pub class_names: &'a [String],
    /// A weight per class, or none for equal weights.
    pub class_weights: Option<Vec<f64>>,
    /// Seed of the folds and of the landmarks.
    pub seed: u64,
}

/// The solver's kind for a head; `None` for a head that learns by epochs.
pub fn solver_of(head: HeadKind) -> Option<Kind> {
    match head {
        HeadKind::Linear => Some(Kind::Linear),
        HeadKind::Kernel => Some(Kind::Kernel),
        HeadKind::Flatten | HeadKind::GlobalPool | HeadKind::MultiScale => None,
    }
}

impl<'a> SolveInputs<'a> {
    /// The training images of `images`, whose activations are `examples`.
    pub fn new(
        kind: Kind,
        examples: &'a Examples,
        images: &'a TrainingImages,
        params: &TrainParams,
    ) -> Self {
        let class_weights = images.class_weights(params.class_weights);
        let class_names = images.class_names();
        Self { kind, examples, class_names, class_weights, seed: params.seed }
    }

    /// Chooses by cross-validation; `groups` has the group of each training image.
    ///
    /// # Errors
    /// When there is too little data to choose by, such as a class in one group alone.
    pub fn search(&self, groups: &[GroupNumber], params: &SolveParams) -> Result<Search> {
        let space = SearchSpace {
            folds: params.folds as usize,
            seed: self.seed,
            strengths: params.strengths.clone(),
            widths: params.widths.clone(),
            cuts: params.cuts.clone(),
        };
        let bar = terminal::items_bar(0, "cross-validation");
        let progress = |done: usize, of: usize| {
            bar.set_length(of as u64);
            bar.set_position(done as u64);
        };
        let data = self.labelled()?;
        let searched = solvers::search(
            self.kind,
            &data,
            groups,
            &solved::cuts(self.examples.base),
            &space,
            &progress,
        )
        .map_err(|error| anyhow!(error.in_words(self.class_names)))
        .context("choose by cross-validation")?;
        bar.finish_and_clear();
        Ok(searched.search)
    }

    /// Solves it with a choice.
    ///
    /// # Errors
    /// When it cannot be solved, or libtorch fails.
    pub fn solve(
        &self,
        choice: &Choice,
        base: &BaseDescription,
        weights: &TensorMap,
        backend: Backend,
    ) -> Result<SolvedHead> {
        let head = solved::tensors_of(&self.fit(choice)?);
        Ok(SolvedHead::new(&base.architecture, weights, head, backend)?)
    }

    /// The same, on plain rows.
    ///
    /// # Errors
    /// When it cannot be solved.
    pub fn fit(&self, choice: &Choice) -> Result<Fitted> {
        solvers::fit(
            self.kind,
            &self.labelled()?,
            &solved::cuts(self.examples.base),
            choice,
            self.seed,
        )
        .context("solve the head")
    }

    fn labelled(&self) -> Result<Labelled<'_>> {
        let Examples { activations, columns, labels, base: _ } = self.examples;
        Ok(Labelled {
            rows: Rows::new(activations, *columns)?,
            labels,
            classes: self.class_names.len(),
            class_weights: self.class_weights.as_deref(),
        })
    }
}
