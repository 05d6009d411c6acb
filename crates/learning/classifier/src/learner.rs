//! Training: one optimizer step after another, on activations.

use artifact::Digest;
use config::DescentParams;
use tch::{Kind, Reduction, Tensor};

use crate::Result;
use crate::architecture::{Architecture, STANDARDISE_MEAN, STANDARDISE_SCALE, STANDARDISE_STD};
use crate::backend::Backend;
use crate::bases::STATISTICS;
use crate::network::{Mode, Network, StepRows, rows, to_device, to_host, upload};
use crate::tensors::TensorMap;

mod average;
mod gradients;
mod optimizer;
mod standardisation;

/// Tensors of a checkpoint that are fitted, and do not follow a gradient.
const NOT_LEARNT: [&str; 3] = [STANDARDISE_MEAN, STANDARDISE_SCALE, STANDARDISE_STD];

/// Whether a tensor of a checkpoint follows a gradient: it is neither fitted nor the statistics of a
/// normalisation.
fn learns(name: &str) -> bool {
    !NOT_LEARNT.contains(&name) && !STATISTICS.iter().any(|end| name.ends_with(end))
}

use average::Average;
pub use gradients::{Gradients, StepPart};
use optimizer::Optimizer;
pub use standardisation::Standardisation;

/// Loss and accuracy over some images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Mean loss per image.
    pub loss: f64,
    /// Share of images whose most probable class is the right one (top-1 accuracy).
    pub accuracy: f64,
}

/// What a [`Score`] is made of: the sum of the losses, the number of right answers, and of images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoreSums(pub [f64; 3]);

impl ScoreSums {
    /// The means.
    pub fn score(self) -> Score {
        let Self([loss, right, images]) = self;
        Score { loss: loss / images.max(1.0), accuracy: right / images.max(1.0) }
    }
}

/// Activations and labels of a few images, in ordinary memory.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    /// One activation after the other.
    pub activations: &'a [f32],
    /// One class index per activation.
    pub labels: &'a [i64],
}

/// A network that learns. Its random choices (dropout) depend only on the key given to each step.
#[derive(Debug)]
pub struct Learner {
    network: Network,
    optimizer: Optimizer,
    /// The average that is used in place of the network's own weights, if weights are averaged.
    average: Option<Average>,
    class_weights: Option<Tensor>,
    label_smoothing: f64,
    /// Since the last [`take_score`](Self::take_score): loss sum and right answers, on the device,
    /// so that a step need not wait for them.
    totals: Tensor,
    images: u64,
}

impl Learner {
    /// Starts from the weights of a whole model, as `prepare-base` wrote it.
    ///
    /// `class_weights` has one value per class, or none for equal weights.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape; `origin` names the file.
    pub fn new(
        architecture: &Architecture,
        weights: &TensorMap,
        backend: Backend,
        params: &DescentParams,
        class_weights: Option<&[f64]>,
        origin: &str,
    ) -> Result<Self> {
        let mut network = Network::of_activations(architecture, weights, backend, origin)?;
        let names: Vec<String> =
            network.learnt().keys().filter(|name| learns(name)).cloned().collect();
        for name in &names {
            let parameter = network.learnt()[name].f_set_requires_grad(true)?;
            network.set_learnt(name, parameter);
        }
        let class_weights = class_weights
            .map(|weights| {
                Tensor::f_from_slice(weights)?.f_to_kind(Kind::Float)?.f_to_device(backend.device)
            })
            .transpose()?;
        Ok(Self {
            average: Average::start(params.average, &network, &names),
            optimizer: Optimizer::new(params, names),
            class_weights,
            label_smoothing: params.label_smoothing,
            totals: zero_totals(backend)?,
            images: 0,
            network,
        })
    }

    /// Length of an activation, as [`crate::features::Extractor`] makes them for this network.
    pub fn activation_length(&self) -> usize {
        self.network.activation_length()
    }

    /// One optimizer step. `dropout_key` decides which units are dropped.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn step(
        &mut self,
        batch: Batch<'_>,
        learning_rate: f64,
        dropout_key: &Digest,
    ) -> Result<()> {
        let _few_threads = self.network.few_threads();
        seed_generator(dropout_key);
        self.exchange_average()?;
        let (activations, labels) = self.upload(batch)?;
        let logits = self.training_logits(&activations, StepRows::all(labels.size()[0]))?;
        let loss = logits.f_cross_entropy_loss(
            &labels,
            self.class_weights.as_ref(),
            Reduction::Mean,
            -100,
            self.label_smoothing,
        )?;
        let gradients = self.optimizer.gradients(&self.network, &loss)?;
        self.change(&gradients, learning_rate)?;
        self.exchange_average()?;
        let images = labels.size()[0];
        tch::no_grad(|| self.add(&(loss.f_detach()? * images as f64), &logits, &labels))
    }

    fn training_logits(&self, activations: &Tensor, rows: StepRows) -> Result<Tensor> {
        let mode = Mode::Training(rows);
        self.network.logits(&self.network.head_inputs(activations, mode)?, mode)
    }

    /// Changes the network's own weights, which it must hold, and takes them into the average.
    fn change(&mut self, gradients: &[Tensor], learning_rate: f64) -> Result<()> {
        self.optimizer.follow(&mut self.network, gradients, learning_rate)?;
        self.average.as_mut().map_or(Ok(()), |average| average.take_in(&self.network))
    }

    /// Adds the cross-entropy and the right answers of a batch to the score, without learning;
    /// class weights and label smoothing are not applied. Returns the logits, one row per
    /// activation.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn score(&mut self, batch: Batch<'_>) -> Result<Vec<Vec<f32>>> {
        let _few_threads = self.network.few_threads();
        let _no_grad = tch::no_grad_guard();
        let (activations, labels) = self.upload(batch)?;
        let logits = self
            .network
            .logits(&self.network.head_inputs(&activations, Mode::Prediction)?, Mode::Prediction)?;
        let none = None::<&Tensor>;
        let loss = logits.f_cross_entropy_loss(&labels, none, Reduction::Sum, -100, 0.0)?;
        self.add(&loss, &logits, &labels)?;
        rows(&logits)
    }

    /// Logits of activations, without learning: one row per activation, one value per class.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn logits(&self, activations: &[f32]) -> Result<Vec<Vec<f32>>> {
        let _few_threads = self.network.few_threads();
        let _no_grad = tch::no_grad_guard();
        let activations = self.upload_activations(activations)?;
        let logits = self
            .network
            .logits(&self.network.head_inputs(&activations, Mode::Prediction)?, Mode::Prediction)?;
        rows(&logits)
    }

    /// The head's input for activations, without learning: one row of [`Architecture::head_inputs`]
    /// values per activation, one after the other.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn head_inputs(&self, activations: &[f32]) -> Result<Vec<f32>> {
        let _no_grad = tch::no_grad_guard();
        let head_inputs =
            self.network.head_inputs(&self.upload_activations(activations)?, Mode::Prediction)?;
        Ok(to_host(&head_inputs)?.values().to_vec())
    }

    /// Loss and accuracy over the batches since the last call; waits for the device.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn take_score(&mut self) -> Result<Score> {
        Ok(self.take_score_sums()?.score())
    }

    /// The same as sums, which several processes add up.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn take_score_sums(&mut self) -> Result<ScoreSums> {
        let sums = self.score_sums()?;
        self.totals = zero_totals(self.network.backend())?;
        self.images = 0;
        Ok(sums)
    }

    /// Like [`take_score`](Self::take_score), but without resetting the sums.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn peek_score(&self) -> Result<Score> {
        Ok(self.score_sums()?.score())
    }

    fn score_sums(&self) -> Result<ScoreSums> {
        let totals = Vec::<f64>::try_from(&self.totals.f_to_device(tch::Device::Cpu)?)?;
        Ok(ScoreSums([totals[0], totals[1], self.images as f64]))
    }

    /// The tensors of a checkpoint.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn checkpoint(&self) -> Result<TensorMap> {
        self.network
            .learnt()
            .iter()
            .map(|(name, tensor)| Ok((name.clone(), to_host(tensor)?)))
            .collect()
    }

    /// Everything that the next step depends on: the checkpoint's tensors, the optimizer's and, if
    /// weights are averaged, the network's own.
    ///
    /// # Errors
    /// When libtorch fails.
    pub fn state(&self) -> Result<LearnerState> {
        let mut tensors = self.checkpoint()?;
        tensors.extend(self.optimizer.state()?);
        if let Some(average) = &self.average {
            tensors.extend(average.state()?);
        }
        Ok(LearnerState { tensors, steps: self.optimizer.steps() })
    }

    /// Returns to a state that [`state`](Self::state) returned.
    ///
    /// # Errors
    /// When a tensor is missing or of another shape; `origin` names the file.
    pub fn restore(&mut self, state: &LearnerState, origin: &str) -> Result<()> {
        let backend = self.network.backend();
        let (optimizer, rest): (TensorMap, TensorMap) =
            state.tensors.clone().into_iter().partition(|(name, _)| Optimizer::owns(name));
        let (average, own): (TensorMap, TensorMap) =
            rest.into_iter().partition(|(name, _)| Average::owns(name));
        crate::tensors::check(&own, &self.network.architecture().checkpoint_specs(), origin)?;
        for (name, tensor) in &own {
            let learns = self.network.learnt()[name].requires_grad();
            let restored = to_device(tensor, backend)?.f_set_requires_grad(learns)?;
            self.network.set_learnt(name, restored);
        }
        match &mut self.average {
            Some(own) => own.restore(&average, state.steps, &self.network, origin)?,
            None => crate::tensors::check(&average, &[], origin)?,
        }
        self.optimizer.restore(&optimizer, state.steps, &self.network, origin)
    }

    fn exchange_average(&mut self) -> Result<()> {
        self.average.as_mut().map_or(Ok(()), |average| average.exchange(&mut self.network))
    }

    fn add(&mut self, loss_sum: &Tensor, logits: &Tensor, labels: &Tensor) -> Result<()> {
        let right = logits.f_argmax(1, false)?.f_eq_tensor(labels)?.f_sum(Kind::Double)?;
        let loss_sum = loss_sum.f_to_kind(Kind::Double)?;
        self.totals = self.totals.f_add(&Tensor::f_stack(&[loss_sum, right], 0)?)?;
        self.images += labels.size()[0] as u64;
        Ok(())
    }

    fn upload(&self, batch: Batch<'_>) -> Result<(Tensor, Tensor)> {
        let device = self.network.backend().device;
        let labels = upload(&Tensor::f_from_slice(batch.labels)?, device)?;
        Ok((self.upload_activations(batch.activations)?, labels))
    }

    fn upload_activations(&self, activations: &[f32]) -> Result<Tensor> {
        let length = self.activation_length();
        self.network.upload(activations, &[(activations.len() / length) as i64, length as i64])
    }
}

/// Everything that the next step depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnerState {
    /// The checkpoint's tensors; under `optimizer.` the optimizer's, under `own.` the weights that
    /// are averaged.
    pub tensors: TensorMap,
    /// Optimizer steps taken.
    pub steps: u64,
}

fn zero_totals(backend: Backend) -> Result<Tensor> {
    Ok(Tensor::f_zeros([2], (Kind::Double, backend.device))?)
}

fn seed_generator(key: &Digest) {
    let bytes = key.as_bytes();
    let mut first = [0; 8];
    first.copy_from_slice(&bytes[..8]);
    tch::manual_seed(i64::from_le_bytes(first));
}

#[cfg(test)]
mod tests {
    use config::{Freeze, HeadKind, Optimizer as Kind};

    use super::optimizer::tests::params;
    use super::*;
    use crate::architecture::tests::architecture;
    use crate::network::tests::{cpu, weights};

    fn learner(freeze: Freeze, class_weights: Option<&[f64]>) -> Learner {
        let architecture = architecture(HeadKind::GlobalPool, 0, freeze);
        let params = DescentParams { learning_rate: 0.05, ..params(Kind::Adam) };
        let weights = weights(&architecture);
        Learner::new(&architecture, &weights, cpu(), &params, class_weights, "test").unwrap()
    }

    /// Four activations of 512 values: two of each class, which differ in the first value.
    fn activations() -> Vec<f32> {
        let activation = |sign: f32| (0..512).map(move |i| if i == 0 { sign } else { 0.01 });
        [1.0, -1.0, 1.0, -1.0].into_iter().flat_map(activation).collect()
    }

    const LABELS: [i64; 4] = [0, 1, 0, 1];

    fn step(learner: &mut Learner) {
        let batch = Batch { activations: &activations(), labels: &LABELS };
        learner.step(batch, 0.05, &Digest::of(b"step")).unwrap();
    }

    #[test]
    fn steps_lower_the_loss_and_reach_every_answer() {
        let mut learner = learner(Freeze::All, None);
        step(&mut learner);
        let first = learner.take_score().unwrap();
        for _ in 0..30 {
            step(&mut learner);
        }
        learner.take_score().unwrap();
        learner.score(Batch { activations: &activations(), labels: &LABELS }).unwrap();
        let last = learner.take_score().unwrap();
        assert!(last.loss < first.loss / 2.0, "{first:?} then {last:?}");
        assert_eq!(last.accuracy, 1.0);
    }

    #[test]
    fn what_is_scored_and_kept_is_the_average_and_steps_follow_the_weights_themselves() {
        let averaged = |average: f64| {
            let architecture = architecture(HeadKind::GlobalPool, 0, Freeze::All);
            let params = DescentParams { average, ..params(Kind::Sgd) };
            let weights = weights(&architecture);
            Learner::new(&architecture, &weights, cpu(), &params, None, "test").unwrap()
        };
        let (mut plain, mut smooth) = (averaged(0.0), averaged(0.5));
        let name = "classifier.0.bias";
        let value = |learner: &Learner| learner.checkpoint().unwrap()[name].values()[0];
        let start = value(&plain);
        // After one step 2/11 of the average are kept, after two 3/12.
        step(&mut plain);
        step(&mut smooth);
        let first = value(&plain);
        let expected = start * 2.0 / 11.0 + first * 9.0 / 11.0;
        assert!((value(&smooth) - expected).abs() < 1e-6);
        step(&mut plain);
        step(&mut smooth);
        let expected = expected * 0.25 + value(&plain) * 0.75;
        assert!((value(&smooth) - expected).abs() < 1e-6);
        let own = &smooth.state().unwrap().tensors[&format!("own.{name}")];
        assert_eq!(own.values()[0], value(&plain));

        let mut resumed = averaged(0.5);
        resumed.restore(&smooth.state().unwrap(), "test").unwrap();
        for learner in [&mut smooth, &mut resumed] {
            step(learner);
        }
        assert_eq!(smooth.state().unwrap(), resumed.state().unwrap());
    }

    #[test]
    fn a_score_is_the_mean_over_batches_of_any_size() {
        let mut learner = learner(Freeze::All, None);
        learner.score(Batch { activations: &activations(), labels: &LABELS }).unwrap();
        let whole = learner.take_score().unwrap();
        for (activations, labels) in
            [(&activations()[..512 * 3], &LABELS[..3]), (&activations()[512 * 3..], &LABELS[3..])]
        {
            learner.score(Batch { activations, labels }).unwrap();
        }
        let parts = learner.take_score().unwrap();
        assert!((whole.loss - parts.loss).abs() < 1e-6, "{whole:?} {parts:?}");
        assert_eq!(whole.accuracy, parts.accuracy);
    }

    /// Weights after a step of four images that is shared by processes with so many images each.
    fn after_shared_step(shares: &[usize], left_out: Option<usize>) -> Vec<f32> {
        let architecture = dropping_architecture();
        let params = DescentParams { label_smoothing: 0.1, ..params(Kind::Sgd) };
        let weights = weights(&architecture);
        let class_weights = [1.0, 3.0];
        let new = || {
            Learner::new(&architecture, &weights, cpu(), &params, Some(&class_weights), "test")
                .unwrap()
        };
        let (activations, key) = (activations(), Digest::of(b"step"));
        let labels = [0, 1, 1, 1];
        let mut learner = new();
        if shares.is_empty() {
            let batch = Batch { activations: &activations, labels: &labels };
            learner.step(batch, 0.05, &key).unwrap();
        } else {
            let (mut sum, mut first) = (Vec::new(), 0);
            for (process, share) in shares.iter().enumerate() {
                let own = first..first + share;
                let activations = &activations[own.start * 512..own.end * 512];
                let batch = Batch { activations, labels: &labels[own] };
                let part = StepPart { own: batch, labels: &labels, first };
                let Gradients(values) = new().gradients(part, &key).unwrap();
                sum.resize(values.len(), 0.0);
                if left_out != Some(process) {
                    sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                }
                first += share;
            }
            learner.follow(&Gradients(sum), 0.05).unwrap();
        }
        let checkpoint = learner.checkpoint().unwrap();
        checkpoint.values().flat_map(|tensor| tensor.values().to_vec()).collect()
    }

    fn dropping_architecture() -> Architecture {
        let mut architecture = architecture(HeadKind::GlobalPool, 64, Freeze::All);
        architecture.head.dropout = 0.5;
        architecture
    }

    #[test]
    fn a_step_that_processes_share_is_the_step_of_one() {
        let one = after_shared_step(&[], None);
        let most = |other: &[f32]| {
            one.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0_f32, f32::max)
        };
        for shares in [&[4][..], &[2, 2], &[3, 1], &[2, 1, 1], &[1, 1, 1, 1, 0]] {
            let difference = most(&after_shared_step(shares, None));
            assert!(difference < 1e-7, "{shares:?}: {difference}");
        }
        // The control: without the other process's gradients it is another step.
        let difference = most(&after_shared_step(&[2, 2], Some(1)));
        assert!(difference > 1e-4, "{difference}");
    }

    #[test]
    fn a_score_that_processes_share_is_the_score_of_one() {
        let (architecture, key) = (dropping_architecture(), Digest::of(b"step"));
        let weights = weights(&architecture);
        let class_weights = [1.0, 3.0];
        let params = params(Kind::Sgd);
        let mut learner =
            Learner::new(&architecture, &weights, cpu(), &params, Some(&class_weights), "test")
                .unwrap();
        let labels = [0, 1, 1, 1];
        let activations = activations();
        let mut sums = [0.0; 3];
        for own in [0..3, 3..4] {
            let batch = Batch {
                activations: &activations[own.start * 512..own.end * 512],
                labels: &labels[own.clone()],
            };
            let part = StepPart { own: batch, labels: &labels, first: own.start };
            learner.gradients(part, &key).unwrap();
            let ScoreSums(own) = learner.take_score_sums().unwrap();
            sums.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
        }
        let batch = Batch { activations: &activations, labels: &labels };
        learner.step(batch, 0.05, &key).unwrap();
        let (one, shared) = (learner.take_score().unwrap(), ScoreSums(sums).score());
        assert!((one.loss - shared.loss).abs() < 1e-6, "{one:?} {shared:?}");
        assert_eq!(one.accuracy, shared.accuracy);
    }

    #[test]
    fn a_restored_learner_takes_the_same_next_step() {
        let mut one = learner(Freeze::All, None);
        step(&mut one);
        let state = one.state().unwrap();
        step(&mut one);
        let mut other = learner(Freeze::All, None);
        other.restore(&state, "test").unwrap();
        step(&mut other);
        assert_eq!(one.state().unwrap(), other.state().unwrap());
    }

    #[test]
    fn a_state_of_another_network_is_refused_by_tensor() {
        let mut state = learner(Freeze::All, None).state().unwrap();
        state.tensors.remove("classifier.0.bias");
        let error = learner(Freeze::All, None).restore(&state, "state file").unwrap_err();
        assert!(error.to_string().contains("state file: tensor classifier.0.bias"), "{error}");
    }

    #[test]
    fn an_image_of_a_class_of_weight_zero_teaches_nothing() {
        let after = |activations: &[f32], labels: &[i64]| {
            let mut learner = learner(Freeze::All, Some(&[1.0, 0.0]));
            learner.step(Batch { activations, labels }, 0.05, &Digest::of(b"step")).unwrap();
            learner.checkpoint().unwrap()
        };
        let activations = activations();
        assert_eq!(after(&activations[..1024], &[0, 1]), after(&activations[..512], &[0]));
    }

    #[test]
    fn standardisation_is_mean_and_deviation_and_leaves_constants_unscaled() {
        let architecture = architecture(HeadKind::MultiScale, 0, Freeze::All);
        let weights = {
            let mut weights = crate::initialise::random_base(architecture.base, 5);
            weights.extend(crate::initialise::fresh_head(&architecture, 6));
            weights
        };
        let params = params(Kind::Adam);
        let mut learner =
            Learner::new(&architecture, &weights, cpu(), &params, None, "test").unwrap();
        // The first feature is 1, 2, 6 over three activations, all others are 4.
        let activation = |first: f32| (0..25_024).map(move |i| if i == 0 { first } else { 4.0 });
        let mut fitted = learner.standardisation().unwrap();
        for activations in [vec![1.0, 2.0], vec![6.0]] {
            let activations: Vec<f32> = activations.into_iter().flat_map(activation).collect();
            learner.collect(&mut fitted, &activations).unwrap();
        }
        learner.standardise(&fitted).unwrap();
        let checkpoint = learner.checkpoint().unwrap();
        assert_eq!(checkpoint[STANDARDISE_MEAN].values()[..2], [3.0, 4.0]);
        // Population variance: (4 + 1 + 9) / 3.
        assert!((checkpoint[STANDARDISE_STD].values()[0] - (14.0_f32 / 3.0).sqrt()).abs() < 1e-6);
        assert_eq!(checkpoint[STANDARDISE_STD].values()[1], 1.0);
    }

    #[test]
    fn a_feature_that_hardly_varies_is_not_scaled_up_without_bound() {
        let architecture = architecture(HeadKind::MultiScale, 0, Freeze::All);
        let mut weights = crate::initialise::random_base(architecture.base, 5);
        weights.extend(crate::initialise::fresh_head(&architecture, 6));
        let params = params(Kind::Adam);
        let mut learner =
            Learner::new(&architecture, &weights, cpu(), &params, None, "test").unwrap();
        // Standard deviations over two activations: 0.001, 1, 2 for the first three, 0 for the others.
        let spread = [0.001, 1.0, 2.0];
        let activation = |sign: f32| {
            (0..25_024).map(move |i| 5.0 + sign * spread.get(i).copied().unwrap_or_default())
        };
        let mut fitted = learner.standardisation().unwrap();
        let activations: Vec<f32> = [-1.0, 1.0].into_iter().flat_map(activation).collect();
        learner.collect(&mut fitted, &activations).unwrap();
        learner.standardise(&fitted).unwrap();
        let std = learner.checkpoint().unwrap()[STANDARDISE_STD].values()[..4].to_vec();
        for (found, expected) in std.iter().zip([0.1, 1.0, 2.0, 1.0]) {
            assert!((found - expected).abs() < 1e-5, "{std:?}");
        }
    }

    #[test]
    fn unfrozen_convolutions_learn_and_frozen_ones_stay() {
        let mut learner = learner(Freeze::Until("block5_conv2".into()), None);
        let before = learner.checkpoint().unwrap();
        let length = learner.activation_length();
        let activations: Vec<f32> = (0..2 * length).map(|i| (i as f32 * 0.3).sin().abs()).collect();
        learner
            .step(Batch { activations: &activations, labels: &[0, 1] }, 0.05, &Digest::of(b"x"))
            .unwrap();
        let after = learner.checkpoint().unwrap();
        assert_ne!(before["features.28.weight"], after["features.28.weight"]);
        assert!(!after.contains_key("features.26.weight"));
    }
}
