use anyhow::Result;
use classifier::features::Extractor;
use classifier::learner::Learner;
use dataset::Split;
use ranks::Ranks;

use crate::TrainingImages;

/// Fits the standardisation of the head's input, if it has one, on the training images as epoch 1
/// uses them. Processes that train together look at a part of them each.
///
/// # Errors
/// When an image cannot be used, or libtorch fails.
pub fn standardise(
    learner: &mut Learner,
    extractor: &Extractor,
    images: &TrainingImages,
    ranks: &Ranks,
) -> Result<()> {
    if !learner.needs_standardisation() {
        return Ok(());
    }
    let all = images.requests(Split::Train, 1);
    let requests = &all[ranks.part_of(all.len())];
    let bar = terminal::items_bar(requests.len() as u64, "first look");
    let mut fitted = learner.standardisation()?;
    extractor.for_each_batch(requests, images.batch_size(), |activations| {
        bar.inc((activations.len() / extractor.activation_length()) as u64);
        learner.collect(&mut fitted, activations)
    })?;
    bar.finish_and_clear();
    if !ranks.is_alone() {
        let mut sums = fitted.sums()?;
        ranks.sum_f64(&mut sums);
        fitted.set_sums(&sums)?;
    }
    learner.standardise(&fitted)?;
    Ok(())
}
