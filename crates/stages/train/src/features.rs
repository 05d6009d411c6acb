//! The features of the images, or of one share of them, and nothing else.
//!
//! They are kept by the content of the image and by everything else that they depend on, so that
//! processes and machines that share the folder, or whose folders are put together, divide the work
//! without talking to each other.

use anyhow::{Result, bail};
use classifier::backend::Backend;
use classifier::features::{ActivationCounts, ImageRequest};
use dataset::Split;
use fit::TrainingImages;
use program::{Settings, Shard, ShardChoice};
use serde_json::json;

use crate::inputs::Inputs;
use crate::{Arguments, new_extractor};

/// The splits that a training reads.
const SPLITS: [Split; 2] = [Split::Train, Split::Valid];

/// Computes the features that are not there yet.
///
/// # Errors
/// When nothing would be kept, the environment does not say which shard, an image cannot be used, or
/// the disk is full.
pub(crate) fn keep(
    arguments: &Arguments,
    settings: &Settings,
    inputs: &Inputs,
    backend: Backend,
) -> Result<()> {
    let shard = arguments.shard.map(ShardChoice::resolve).transpose()?;
    let params = &settings.params.train;
    let extractor = new_extractor(inputs, backend, settings)?;
    if !extractor.keeps_activations() {
        bail!(
            "compute features: none would be kept, because {}",
            if settings.config.features.limit_gigabytes > 0.0 {
                "no layer of the base is frozen (prepare_base.freeze)"
            } else {
                "features.limit_gigabytes is 0"
            }
        );
    }
    let classes = inputs.base.architecture.class_indices();
    let images = TrainingImages::new(&inputs.manifest, &classes, params)?;
    let all: Vec<ImageRequest> =
        SPLITS.iter().flat_map(|split| images.requests_that_recur(*split)).collect();
    let share: Vec<ImageRequest> = all.iter().filter(|it| holds(shard, it)).cloned().collect();
    let what =
        shard.map_or_else(|| "features".into(), |shard| format!("features of shard {shard}"));
    let bar = terminal::items_bar(share.len() as u64, &what);
    let length = extractor.activation_length();
    extractor.for_each_batch(&share, images.batch_size(), |batch| {
        bar.inc((batch.len() / length) as u64);
        Ok(())
    })?;
    bar.finish_and_clear();
    let ActivationCounts { computed, found } = extractor.activation_counts();
    let folder = &settings.config.paths.features;
    let text = format!(
        "{what}: {} of {} images; {computed} computed, {found} there already\n{}",
        share.len(),
        all.len(),
        folder.display()
    );
    let facts = json!({
        "program": "train",
        "output": folder,
        "shard": shard.map(|shard| shard.to_string()),
        "images": share.len(),
        "of": all.len(),
        "computed": computed,
        "found": found,
    });
    arguments.common.print(&text, &facts)
}

fn holds(shard: Option<Shard>, image: &ImageRequest) -> bool {
    shard.is_none_or(|shard| shard.holds(&image.sha256))
}
