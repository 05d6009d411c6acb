use config::{Refusal, require};
use serde::{Deserialize, Serialize};

/// Where models are registered. None of it affects a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegistryConfig {
    /// The registered model that `register` adds versions to.
    pub model: String,
}

impl Default for RegistryConfig {
    fn default() -> Self {
        Self { model: "tumour-classifier".into() }
    }
}

impl RegistryConfig {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        require(
            !self.model.trim().is_empty() && !self.model.contains(['/', ':']),
            "registry.model",
            format!("{:?}", self.model),
            "a name without / and :",
        )
    }
}

/// The rule by which a newly registered model becomes the champion.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromotionConfig {
    /// The score that decides.
    pub metric: PromotionMetric,
    /// The lowest score allowed, with or without a champion.
    pub minimum: f64,
    /// The smallest gain over the champion.
    pub min_gain: f64,
    /// The test of whether the gain could be chance.
    pub test: PromotionTest,
    /// The accepted probability of error: the test's two-sided p-value must not be above it.
    pub alpha: f64,
    /// What happens if the model does not beat every baseline that `validate` made.
    pub baselines: BaselineRule,
}

/// A score; higher is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromotionMetric {
    /// The share of images whose class was predicted.
    Accuracy,
    /// The mean of the classes' recalls.
    BalancedAccuracy,
    /// The mean of the classes' F1.
    MacroF1,
    /// The mean of the classes' one-against-rest AUROC.
    Auroc,
    /// The mean of the classes' average precisions.
    AveragePrecision,
    /// Agreement beyond chance.
    CohenKappa,
    /// Matthews' correlation.
    MatthewsCorrelation,
}

/// The test of whether a gain could be chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromotionTest {
    /// Both models on the same resamples of patients, or of images where patients are unknown.
    PairedBootstrap,
    /// McNemar's exact test, of accuracy only; it treats every image as independent.
    Mcnemar,
}

/// What happens if a model does not beat every baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BaselineRule {
    /// A warning is logged, and the model may still become the champion.
    Warn,
    /// It stays a challenger.
    Require,
}

impl Default for PromotionConfig {
    fn default() -> Self {
        Self {
            metric: PromotionMetric::Accuracy,
            minimum: 0.5,
            min_gain: 0.0,
            test: PromotionTest::PairedBootstrap,
            alpha: 0.05,
            baselines: BaselineRule::Warn,
        }
    }
}

impl PromotionConfig {
    /// The smallest `promotion.alpha` that 2,000 resamples can resolve.
    pub const SMALLEST_ALPHA: f64 = 0.001;

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        require(
            (-1.0..=1.0).contains(&self.minimum),
            "promotion.minimum",
            self.minimum,
            "a score, between -1 and 1",
        )?;
        require(
            (0.0..=1.0).contains(&self.min_gain),
            "promotion.min_gain",
            self.min_gain,
            "between 0 and 1",
        )?;
        require(
            (Self::SMALLEST_ALPHA..=0.5).contains(&self.alpha),
            "promotion.alpha",
            self.alpha,
            "between 0.001 and 0.5",
        )?;
        require(
            self.test == PromotionTest::PairedBootstrap || self.metric == PromotionMetric::Accuracy,
            "promotion.test",
            "mcnemar",
            "McNemar's test compares accuracy; for another promotion.metric take paired_bootstrap",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let refused = |promotion: PromotionConfig| promotion.check().unwrap_err().key;
        let usual = PromotionConfig::default();
        usual.check().unwrap();
        assert_eq!(refused(PromotionConfig { minimum: 51.0, ..usual }), "promotion.minimum");
        assert_eq!(refused(PromotionConfig { min_gain: -0.1, ..usual }), "promotion.min_gain");
        assert_eq!(refused(PromotionConfig { alpha: 0.0, ..usual }), "promotion.alpha");
        assert_eq!(refused(PromotionConfig { alpha: f64::NAN, ..usual }), "promotion.alpha");
        let mcnemar = PromotionConfig { test: PromotionTest::Mcnemar, ..usual };
        mcnemar.check().unwrap();
        let of_auroc = PromotionConfig { metric: PromotionMetric::Auroc, ..mcnemar };
        assert_eq!(refused(of_auroc), "promotion.test");
        let named = |model: &str| RegistryConfig { model: model.into() }.check().is_ok();
        assert!(named("Lunge links") && !named(" ") && !named("a/b"));
    }
}
