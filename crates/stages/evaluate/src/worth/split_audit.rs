//! How much of the model's score is due to the split: its head is trained again with splits that
//! are drawn, and compared with the baselines of `validate`'s audit.

use anyhow::Result;
use classifier::features::ImageRequest;
use dataset::{
    BaselineAudit, ClassIndices, DrawnScores, ImageRecord, Manifest, ScoreDifference, Split,
    SplitAudit, ValidatedManifest,
};
use fit::{Length, Refit};
use serde::Serialize;
use shortcuts::DrawnSplits;

/// Number of splits drawn, of each kind: each needs a training.
const DRAWS: usize = 5;

/// The scores of the model's head with each kind of split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ModelSplitAudit {
    /// In two sentences.
    pub(crate) in_words: String,
    /// The model's head, trained with the choice made for it.
    pub(crate) model: BaselineAudit,
    /// Baselines, on splits drawn in the same way.
    pub(crate) baselines: Vec<BaselineAudit>,
}

/// The data to split.
pub(crate) struct SplitAuditor<'a> {
    pub(crate) validated: &'a ValidatedManifest,
    pub(crate) classes: &'a ClassIndices,
    pub(crate) refit: &'a Refit,
    pub(crate) seed: u64,
}

impl SplitAuditor<'_> {
    /// Trains the head with every drawn split. `given` is the model's accuracy; `audit` has
    /// `validate`'s results for simple baselines. `None` if no split can be drawn.
    ///
    /// # Errors
    /// When a head cannot be trained.
    pub(crate) fn audit(&self, given: f64, audit: &SplitAudit) -> Result<Option<ModelSplitAudit>> {
        let manifest = self.validated.included();
        let records = manifest.records();
        let by_path = self.validated.by_path();
        let groups: Vec<_> =
            records.iter().map(|image| by_path[image.path.as_str()].group).collect();
        let labels: Vec<usize> = records
            .iter()
            .map(|image| Ok(self.classes.index(&image.class)?.0))
            .collect::<Result<_>>()?;
        let splits: Vec<Split> = records.iter().map(|image| image.split).collect();
        let drawn =
            DrawnSplits::of(&labels, &splits, &groups, self.classes.len(), DRAWS, self.seed);
        tracing::info!("training the head {} times, with splits that are drawn", 2 * DRAWS);
        let bar = terminal::items_bar(2 * DRAWS as u64, "drawn splits");
        let scores = |splits: &[Vec<Split>]| -> Result<Option<DrawnScores>> {
            let mut found = Vec::new();
            for splits in splits {
                found.extend(self.score(&manifest, splits)?);
                bar.inc(1);
            }
            Ok(DrawnScores::of(found))
        };
        let scores = [scores(&drawn.grouped)?, scores(&drawn.random)?];
        bar.finish_and_clear();
        let [Some(grouped), Some(random)] = scores else { return Ok(None) };
        let model = BaselineAudit {
            baseline: "model".to_owned(),
            looks_at: "what the model sees".to_owned(),
            given,
            grouped_flatters_by: ScoreDifference::of(&grouped, given),
            random_flatters_by: ScoreDifference::of(&random, given),
            grouped,
            random,
        };
        let every = audit.among.iter().find(|among| among.is_every_class);
        let baselines = every.map(|among| among.baselines.clone()).unwrap_or_default();
        Ok(Some(ModelSplitAudit { in_words: in_words(&model, &baselines), model, baselines }))
    }

    /// The accuracy on the test images of a head trained with these splits; `None` if a class would
    /// have no training images, or there are no test images.
    fn score(&self, manifest: &Manifest, splits: &[Split]) -> Result<Option<f64>> {
        let drawn = manifest.with_splits(splits);
        let is_learnt = |class: &String| drawn.split(Split::Train).any(|it| it.class == *class);
        let test: Vec<&ImageRecord> = drawn.split(Split::Test).collect();
        let has_all = Split::ALL.iter().all(|split| drawn.split(*split).next().is_some());
        if !has_all || !self.classes.names().iter().all(is_learnt) {
            return Ok(None);
        }
        let head = self.refit.train(&drawn, Length::BestEpoch)?;
        let request = |image: &&ImageRecord| ImageRequest {
            path: drawn.file_of(image),
            sha256: image.sha256,
            view: None,
        };
        let logits = head.logits(&test.iter().map(request).collect::<Vec<_>>())?;
        let mut right = 0;
        for (image, row) in test.iter().zip(&logits) {
            let highest =
                (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best });
            right += usize::from(highest == self.classes.index(&image.class)?.0);
        }
        Ok(Some(right as f64 / test.len() as f64))
    }
}

fn in_words(model: &BaselineAudit, baselines: &[BaselineAudit]) -> String {
    let by = |flattery: &ScoreDifference| format!("{:+.3}", flattery.value).replace('-', "−");
    let mut text = format!(
        "With images split at random the head would score {:.3} instead of {:.3} ({}), with groups kept \
         whole {:.3} ({}).",
        model.random.mean,
        model.given,
        by(&model.random_flatters_by),
        model.grouped.mean,
        by(&model.grouped_flatters_by),
    );
    let most = baselines.iter().max_by(|a, b| {
        a.random_flatters_by.value.abs().total_cmp(&b.random_flatters_by.value.abs())
    });
    if let Some(baseline) = most {
        text.push_str(&format!(
            " A classifier that sees only {} scores {:.3}; with these splits {:.3} and {:.3}.",
            baseline.looks_at, baseline.given, baseline.random.mean, baseline.grouped.mean
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(name: &str, given: f64, draws: [f64; 3]) -> BaselineAudit {
        let drawn = DrawnScores::of(draws.to_vec()).unwrap();
        BaselineAudit {
            baseline: name.into(),
            looks_at: format!("a {name}"),
            given,
            grouped_flatters_by: ScoreDifference::of(&drawn, given),
            random_flatters_by: ScoreDifference::of(&drawn, given),
            grouped: drawn.clone(),
            random: drawn,
        }
    }

    #[test]
    fn the_baseline_that_depends_on_the_split_most_stands_beside_the_model() {
        let model = audit("model", 0.9, [0.94, 0.95, 0.96]);
        let baselines = [
            audit("histogram", 0.6, [0.6, 0.61, 0.62]),
            audit("thumbnail", 0.36, [0.8, 0.81, 0.82]),
        ];
        let told = in_words(&model, &baselines);
        assert!(told.contains("would score 0.950 instead of 0.900 (+0.050)"), "{told}");
        assert!(told.contains("only a thumbnail scores 0.360; with these splits 0.810"), "{told}");
    }
}
