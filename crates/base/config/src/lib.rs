//! Typed, validated `config.yaml` (where things are) and `params.yaml` (what may be tuned).
//!
//! Both files are read and checked completely: an unknown key, a wrong type, a value out of its
//! range or a missing key is a [`ConfigError`] that names the file, the key and what is allowed.
//! There are no hidden defaults in `params.yaml`: every value that affects a result is in the file,
//! where DVC sees it.
//!
//! Three sections of `config.yaml` belong to programs that are not stages: see crate `services`.

mod classes;
mod error;
mod features;
mod flip;
mod launcher;
mod load;
mod params;
mod refusal;
mod structure;
mod tracking;

pub use classes::ClassMap;
pub use error::ConfigError;
pub use features::{FeaturesConfig, OnFullDisk};
pub use flip::Flip;
pub use launcher::{Launcher, LauncherConfig};
pub use load::load_yaml;
pub use params::{
    Augmentation, CalibrateParams, ClassWeights, DescentParams, DeviceChoice, EarlyStopping,
    EvaluateParams, FillMode, FindingPolicy, Freeze, HeadKind, HeadParams, IngestParams,
    NormalisationChoice, NoticePolicy, OnUnreadable, Optimizer, Params, Precision,
    PrepareBaseParams, SampleParams, Schedule, ScheduleKind, SelectParams, SolveParams,
    SplitRatios, TrainParams, ValidationParams, ValidationPolicy, WeightsSource,
};
pub use refusal::{Refusal, require};
pub use structure::{
    Config, DataConfig, DownloadConfig, Endpoints, ExtractionLimits, OtherSection, Paths, Patients,
    Pretrained, SourceConfig,
};
pub use tracking::TrackingConfig;
