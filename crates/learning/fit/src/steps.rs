//! The optimizer steps of an epoch, alone or shared with other processes.

use artifact::Digest;
use classifier::Result;
use classifier::features::ImageRequest;
use classifier::learner::{Batch, Learner, StepPart};
use ranks::Ranks;

/// The steps of an epoch. Each has the same images whatever the number of processes; a process has
/// a part of each.
#[derive(Debug)]
pub(crate) struct Steps<'a> {
    labels: &'a [i64],
    batch_size: usize,
    ranks: &'a Ranks,
    done: usize,
}

impl<'a> Steps<'a> {
    /// The steps over images with these labels, in the order of the epoch.
    pub(crate) fn new(labels: &'a [i64], batch_size: usize, ranks: &'a Ranks) -> Self {
        Self { labels, batch_size, ranks, done: 0 }
    }

    /// How many steps were taken.
    pub(crate) fn done(&self) -> usize {
        self.done
    }

    /// The images of this process: its part of each step.
    pub(crate) fn own(&self, requests: &[ImageRequest]) -> Vec<ImageRequest> {
        requests
            .chunks(self.batch_size)
            .flat_map(|step| step[self.ranks.part_of(step.len())].to_vec())
            .collect()
    }

    /// How many images of a step this process has; fewer of the last step.
    pub(crate) fn own_batch_size(&self) -> usize {
        self.ranks.part_of(self.batch_size).len().max(1)
    }

    /// Takes the next step with the activations of this process's own images, and returns how many
    /// images it had in all processes.
    pub(crate) fn take(
        &mut self,
        learner: &mut Learner,
        activations: &[f32],
        learning_rate: f64,
        dropout_key: &Digest,
    ) -> Result<usize> {
        let labels = self.labels_of_next();
        let own = self.ranks.part_of(labels.len());
        self.done += 1;
        let batch = Batch { activations, labels: &labels[own.clone()] };
        if self.ranks.is_alone() {
            learner.step(batch, learning_rate, dropout_key)?;
        } else {
            let part = StepPart { own: batch, labels, first: own.start };
            let mut gradients = learner.gradients(part, dropout_key)?;
            self.ranks.sum_f32(&mut gradients.0);
            learner.follow(&gradients, learning_rate)?;
        }
        Ok(labels.len())
    }

    /// Takes the steps in which only other processes have images: the last one can have fewer images
    /// than there are processes.
    pub(crate) fn take_those_without_images(
        &mut self,
        learner: &mut Learner,
        learning_rate: f64,
    ) -> Result<()> {
        while self.done * self.batch_size < self.labels.len() {
            self.take(learner, &[], learning_rate, &Digest::of(&[]))?;
        }
        Ok(())
    }

    fn labels_of_next(&self) -> &'a [i64] {
        let start = self.done * self.batch_size;
        &self.labels[start..self.labels.len().min(start + self.batch_size)]
    }
}
