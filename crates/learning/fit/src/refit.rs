use std::path::Path;

use anyhow::{Context, Result, bail};
use classifier::architecture::BaseDescription;
use classifier::backend::Backend;
use classifier::features::{Extractor, ImageRequest, StoreSettings, Views};
use classifier::learner::Learner;
use classifier::model::Model;
use classifier::solved::{Solved, SolvedHead};
use classifier::tensors::TensorMap;
use config::{DescentParams, Flip, TrainParams};
use dataset::{Manifest, Split};
use imaging::Preprocessing;
use ranks::Ranks;

use crate::solve::{Examples, SolveInputs, solver_of};
use crate::{Epoch, History, TrainingImages, standardise};

/// Everything except the images that a training starts from: the inputs of `train`.
#[derive(Debug)]
pub struct Refit {
    /// The network.
    pub base: BaseDescription,
    /// Its first weights, including the fresh head's.
    pub weights: TensorMap,
    /// Section `train`, as used.
    pub params: TrainParams,
    /// How the head was solved; none if it learnt by epochs.
    solved: Option<Solved>,
    /// Device and number format.
    pub backend: Backend,
    preprocessing: Preprocessing,
    extractor: Extractor,
}

/// How long a refit trains; for heads that learn by epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Length {
    /// As `train` does; the head of the epoch that `select` would choose is used.
    BestEpoch,
    /// This many epochs, without scoring the validation images.
    Epochs(u32),
}

/// A head that was trained again.
#[derive(Debug)]
pub struct RefitHead<'a> {
    answers: Answers,
    extractor: &'a Extractor,
    batch_size: usize,
    /// The epoch after which it was taken.
    pub epoch: u32,
}

/// The part that predicts.
#[derive(Debug)]
enum Answers {
    Learnt(Learner),
    Solved(SolvedHead),
}

impl Refit {
    /// The inputs of a model's training, with the base that it belongs to, and the store of frozen
    /// features: the features that `train` left there make a refit cheap.
    ///
    /// # Errors
    /// When the base is another one, or has changed since it was written, or the store cannot be
    /// opened.
    pub fn of_model(model: &Model, base_folder: &Path, features: &StoreSettings) -> Result<Self> {
        let base = BaseDescription::read(base_folder)
            .context("find the base of the model; run prepare-base first")?;
        let description = model.description();
        if !model.is_single() {
            bail!(
                "train the head again: the model is an ensemble; its members have heads, each with \
                 a base of its own"
            );
        }
        if base.base_sha256 != description.digests.base
            || base.architecture != description.architecture
        {
            bail!(
                "train the head again: {} is not the base that the model was trained on; run train and select",
                base_folder.display()
            );
        }
        let weights = base.read_weights(base_folder)?;
        let (params, backend) = (description.training.clone(), model.backend());
        let views = Views { augmentation: params.augmentation(), seed: params.seed };
        let preprocessing = description.preprocessing;
        let extractor =
            Extractor::new(&base, &weights, backend, preprocessing, views, Some(features))?;
        let solved = description.solved.clone();
        Ok(Self { base, weights, params, solved, backend, preprocessing, extractor })
    }

    /// Computes the output of the frozen part for images. Activations that `train` left in the
    /// store are not computed again.
    pub fn extractor(&self) -> &Extractor {
        &self.extractor
    }

    /// The same for flipped pictures.
    ///
    /// # Errors
    /// When the store of features cannot be opened.
    pub fn extractor_of_flipped(&self, flip: Flip, features: &StoreSettings) -> Result<Extractor> {
        let preprocessing = Preprocessing { flip, ..self.preprocessing };
        let views = Views { augmentation: self.params.augmentation(), seed: self.params.seed };
        let (base, weights) = (&self.base, &self.weights);
        Ok(Extractor::new(base, weights, self.backend, preprocessing, views, Some(features))?)
    }

    /// Whether only the head learns, so that training it again takes seconds.
    pub fn is_cheap(&self) -> bool {
        self.base.architecture.is_frozen()
    }

    /// Whether the head is solved, so that training it again takes about a second.
    pub fn is_solved(&self) -> bool {
        self.solved.is_some() && self.params.descent.is_none()
    }

    /// Trains a head on the training images of `manifest`, from the same first weights; a solved
    /// head is solved again with the choice made for the model.
    ///
    /// # Errors
    /// As in training.
    pub fn train(&self, manifest: &Manifest, length: Length) -> Result<RefitHead<'_>> {
        self.train_on(&self.images(manifest)?, length)
    }

    /// The same on shuffled labels, so that there is nothing true to learn. `seed` decides the
    /// shuffle.
    ///
    /// # Errors
    /// As in training.
    pub fn train_on_shuffled_labels(
        &self,
        manifest: &Manifest,
        length: Length,
        seed: u64,
    ) -> Result<RefitHead<'_>> {
        self.train_on(&self.images(manifest)?.with_shuffled_labels(seed), length)
    }

    fn images(&self, manifest: &Manifest) -> Result<TrainingImages> {
        let classes = self.base.architecture.class_indices();
        TrainingImages::new(manifest, &classes, &self.params)
    }

    fn train_on(&self, images: &TrainingImages, length: Length) -> Result<RefitHead<'_>> {
        let (answers, epoch) = match (&self.solved, &self.params.descent) {
            (Some(solved), None) => (Answers::Solved(self.solve(images, solved)?), 1),
            (None, Some(descent)) => self.learn(images, descent, length)?,
            _ => bail!("train the head again: layers below a solved head were trained too"),
        };
        let batch_size = images.batch_size();
        Ok(RefitHead { answers, extractor: &self.extractor, batch_size, epoch })
    }

    fn solve(&self, images: &TrainingImages, solved: &Solved) -> Result<SolvedHead> {
        let kind = solver_of(self.base.architecture.head.kind)
            .context("train the head again: it learns by epochs, and its model says otherwise")?;
        let examples = Examples::gather(&self.extractor, images, Split::Train)?;
        let problem = SolveInputs::new(kind, &examples, images, &self.params);
        problem.solve(&solved.choice, &self.base, &self.weights, self.backend)
    }

    fn learn(
        &self,
        images: &TrainingImages,
        descent: &DescentParams,
        length: Length,
    ) -> Result<(Answers, u32)> {
        let mut learner = Learner::new(
            &self.base.architecture,
            &self.weights,
            self.backend,
            descent,
            images.class_weights(self.params.class_weights).as_deref(),
            BaseDescription::UPDATED_BASE_FILE,
        )?;
        standardise(&mut learner, &self.extractor, images, &Ranks::alone())?;
        let epoch = run_epochs(&mut learner, &self.extractor, images, descent, length)?;
        Ok((Answers::Learnt(learner), epoch))
    }
}

/// Leaves the learner in the state after the chosen epoch, and returns that epoch.
fn run_epochs(
    learner: &mut Learner,
    extractor: &Extractor,
    images: &TrainingImages,
    params: &DescentParams,
    length: Length,
) -> Result<u32> {
    let mut history = History::default();
    let mut best = None;
    let next = |history: &History| match length {
        Length::BestEpoch => history.next_epoch(params),
        Length::Epochs(epochs) => {
            let done = history.rows().len() as u32;
            (done < epochs).then_some(done + 1)
        }
    };
    while let Some(number) = next(&history) {
        // The schedule is the one of the whole training, however many epochs this one has.
        let epoch = Epoch::new(params, number, params.epochs);
        let report = epoch.run(learner, extractor, images, &Ranks::alone())?;
        tracing::debug!("refit, {report}");
        history.push(report.row);
        if length == Length::BestEpoch && history.best().is_some_and(|best| best.epoch == number) {
            best = Some((learner.state()?, number));
        }
    }
    match best {
        Some((state, number)) => {
            learner.restore(&state, "the state kept in memory")?;
            Ok(number)
        }
        None => Ok(history.rows().len() as u32),
    }
}

impl RefitHead<'_> {
    /// Logits of images: one row per image, one value per class.
    ///
    /// # Errors
    /// When an image cannot be used, or libtorch fails.
    pub fn logits(&self, images: &[ImageRequest]) -> Result<Vec<Vec<f32>>> {
        self.logits_through(self.extractor, images)
    }

    /// The same of images as another extractor of the same base sees them.
    ///
    /// # Errors
    /// As [`logits`](Self::logits).
    pub fn logits_through(
        &self,
        extractor: &Extractor,
        images: &[ImageRequest],
    ) -> Result<Vec<Vec<f32>>> {
        let mut rows = Vec::with_capacity(images.len());
        extractor.for_each_batch(images, self.batch_size, |activations| {
            rows.extend(match &self.answers {
                Answers::Learnt(learner) => learner.logits(activations)?,
                Answers::Solved(head) => head.logits(activations)?,
            });
            Ok(())
        })?;
        Ok(rows)
    }
}
