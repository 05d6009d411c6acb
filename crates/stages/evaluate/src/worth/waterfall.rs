//! The headline score, with everything that is not skill at the anatomy subtracted step by step:
//! copies, look-alikes, shortcuts, chance.

use metrics::{Bootstrap, Estimate};
use scoring::TestSet;
use serde::Serialize;

use super::refits::mean_over;
use super::words::{difference_in_words, score};

/// The steps, and the remainder.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Waterfall {
    /// In a sentence.
    pub(crate) in_words: String,
    /// Top-1 accuracy on all test images.
    pub(crate) headline: Estimate,
    /// The subtracted steps, in this order.
    pub(crate) steps: Vec<Step>,
    /// The remainder. All steps are computed image by image, so that its interval uses the same
    /// resamples.
    pub(crate) left: Estimate,
}

/// A subtracted step.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Step {
    /// Its kind.
    pub(crate) kind: StepKind,
    /// How it was measured, or why it was not.
    pub(crate) how: String,
    /// The accuracy that it accounts for; none if it was not measured, and then nothing is
    /// subtracted.
    pub(crate) worth: Option<Estimate>,
}

/// The kind of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StepKind {
    /// Copies of test images in training.
    Copies,
    /// Training images that look like test images.
    LookAlikes,
    /// The best shortcut's right answers beyond chance.
    Shortcuts,
    /// The right answers of heads that were trained on shuffled labels; if none can be trained,
    /// those of always predicting the most frequent class.
    Chance,
}

/// The worth of a step for each test image, or the reason why it is not known.
pub(crate) struct StepInput {
    pub(crate) kind: StepKind,
    pub(crate) how: String,
    /// By test image; none if it was not measured.
    pub(crate) worth: Option<Vec<f64>>,
}

impl Waterfall {
    /// Subtracts the steps from the model's right answers, 1 or 0 by test image.
    pub(crate) fn of(
        bootstrap: &Bootstrap,
        test: &TestSet,
        right: &[f64],
        inputs: Vec<StepInput>,
    ) -> Self {
        let all: Vec<usize> = (0..test.images.len()).collect();
        let estimate = |values: &[f64]| mean_over(bootstrap, test, &all, values);
        let mut left = right.to_vec();
        let mut steps = Vec::with_capacity(inputs.len());
        for StepInput { kind, how, worth } in inputs {
            if let Some(worth) = &worth {
                left.iter_mut().zip(worth).for_each(|(left, worth)| *left -= worth);
            }
            steps.push(Step { kind, how, worth: worth.as_deref().map(estimate) });
        }
        let (headline, left) = (estimate(right), estimate(&left));
        Self { in_words: in_words(&headline, &steps, &left), headline, steps, left }
    }
}

impl StepKind {
    /// Its name, for display.
    pub(crate) fn in_words(self) -> &'static str {
        match self {
            Self::Copies => "copies",
            Self::LookAlikes => "look-alikes",
            Self::Shortcuts => "shortcuts",
            Self::Chance => "chance",
        }
    }
}

fn in_words(headline: &Estimate, steps: &[Step], left: &Estimate) -> String {
    let parts = steps.iter().filter_map(|step| {
        let value = step.worth.as_ref()?.value?;
        let value = format!("{value:.3}").replace('-', "−");
        Some(format!("{value} for {}", step.kind.in_words()))
    });
    let parts: Vec<String> = parts.collect();
    format!(
        "The accuracy of {}, less {}, leaves {}.",
        score(headline.value),
        parts.join(", "),
        difference_in_words(left)
    )
}

#[cfg(test)]
mod tests {
    use artifact::Digest;
    use dataset::ClassIndex;
    use scoring::{TestImage, Unit};

    use super::*;

    fn test_set() -> TestSet {
        let image = |number: u32| TestImage {
            name: number.to_string(),
            file: number.to_string().into(),
            sha256: Digest::of(&number.to_le_bytes()),
            actual: ClassIndex(0),
            group: number,
            has_copy_in_training: false,
        };
        TestSet { images: (0..100).map(image).collect(), unit: Unit::Slices }
    }

    /// 1 for the first `count` of a hundred images.
    fn first(count: usize) -> Vec<f64> {
        (0..100).map(|number| f64::from(u8::from(number < count))).collect()
    }

    #[test]
    fn what_is_left_is_the_headline_less_every_step() {
        let step = |kind, worth| StepInput { kind, how: String::new(), worth };
        let inputs = vec![
            step(StepKind::Copies, Some(first(5))),
            step(StepKind::LookAlikes, None),
            step(StepKind::Shortcuts, Some(first(30))),
            step(StepKind::Chance, Some(first(25))),
        ];
        let bootstrap = Bootstrap { seed: 17, resamples: 300 };
        let found = Waterfall::of(&bootstrap, &test_set(), &first(90), inputs);
        assert!((found.headline.value.unwrap() - 0.9).abs() < 1e-12);
        assert!((found.left.value.unwrap() - 0.3).abs() < 1e-12, "{found:?}");
        let interval = found.left.interval.unwrap();
        assert!(interval.low < 0.3 && interval.high > 0.3, "{interval:?}");
        assert_eq!(found.steps[1].worth, None);
        assert!(
            found.in_words.starts_with(
                "The accuracy of 0.900, less 0.050 for copies, 0.300 for shortcuts, 0.250 for chance, \
                 leaves +0.300"
            ),
            "{}",
            found.in_words
        );
    }
}
