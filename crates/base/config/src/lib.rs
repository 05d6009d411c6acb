//! Typed, validated `config.yaml` (where things are) and `params.yaml` (what may be tuned).
//!
//! Both files are read whole and checked whole: an unknown key, a wrong type, a value out of its
//! range or a missing key is a [`ConfigError`] that names the file, the key and what is allowed.
//! There are no hidden defaults in `params.yaml`: what decides a result stands in the file, where
//! DVC sees it.

mod error;
mod features;
mod load;
mod params;
mod promotion;
mod serve;
mod structure;
mod tracking;

pub use error::ConfigError;
pub use features::{FeaturesConfig, OnFullDisk};
pub use params::{
    Augmentation, CalibrateParams, ClassWeights, DescentParams, DeviceChoice, EarlyStopping,
    EvaluateParams, FillMode, FindingPolicy, Freeze, HeadKind, HeadParams, IngestParams,
    NormalisationChoice, NoticePolicy, OnUnreadable, Optimizer, Params, Precision,
    PrepareBaseParams, SampleParams, Schedule, ScheduleKind, SelectParams, SolveParams,
    SplitRatios, TrainParams, ValidationParams, ValidationPolicy, WeightsSource,
};
pub use promotion::{
    BaselineRule, PromotionConfig, PromotionMetric, PromotionTest, RegistryConfig,
};
pub use serve::{
    ApiKeyConfig, ForeignImages, Role, ServeConfig, ServeLimits, StoreImages, TlsConfig,
};
pub use structure::{
    ClassMap, Config, DataConfig, DownloadConfig, Endpoints, ExtractionLimits, Paths, Patients,
    Pretrained, SourceConfig,
};
pub use tracking::TrackingConfig;
