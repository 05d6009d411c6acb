use serde::{Deserialize, Serialize};

use crate::refusal::{Refusal, require};

/// How much is kept of a frozen base's features, under `paths.features`. None of it affects a
/// result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeaturesConfig {
    /// Gigabytes (10⁹ bytes) that they may take. Above that, the least recently used ones are
    /// removed. 0: none are kept.
    pub limit_gigabytes: f64,
    /// What happens when the disk is full.
    pub on_full_disk: OnFullDisk,
}

/// What happens when features cannot be kept because the disk is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFullDisk {
    /// The program stops and says how much space is missing.
    Fail,
    /// The program warns once and goes on; features that were not kept are computed again when
    /// needed.
    GoWithout,
}

impl Default for FeaturesConfig {
    fn default() -> Self {
        Self { limit_gigabytes: 20.0, on_full_disk: OnFullDisk::Fail }
    }
}

impl FeaturesConfig {
    /// The limit in bytes.
    pub fn limit_bytes(&self) -> u64 {
        (self.limit_gigabytes * 1e9) as u64
    }

    pub(crate) fn check(&self) -> Result<(), Refusal> {
        require(
            self.limit_gigabytes.is_finite() && self.limit_gigabytes >= 0.0,
            "features.limit_gigabytes",
            self.limit_gigabytes,
            "0 or more; 0 keeps none",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gigabyte_has_a_thousand_million_bytes() {
        let config: FeaturesConfig = serde_yaml::from_str("limit_gigabytes: 0.002").unwrap();
        assert_eq!(config.limit_bytes(), 2_000_000);
        assert_eq!(config.on_full_disk, OnFullDisk::Fail);
    }

    #[test]
    fn a_limit_below_nothing_or_that_is_no_number_is_refused() {
        for limit in ["-1", ".nan", ".inf"] {
            let text = format!("limit_gigabytes: {limit}");
            let config: FeaturesConfig = serde_yaml::from_str(&text).unwrap();
            assert_eq!(config.check().unwrap_err().key, "features.limit_gigabytes", "{limit}");
        }
        serde_yaml::from_str::<FeaturesConfig>("limit_gigabytes: 0").unwrap().check().unwrap();
    }
}
