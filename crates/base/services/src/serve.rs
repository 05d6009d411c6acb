use std::net::SocketAddr;
use std::path::PathBuf;

use config::{DeviceChoice, Refusal, require};
use serde::{Deserialize, Serialize};

use crate::operation::{DriftConfig, FollowConfig, StoreRule, TrainingJob, TrainingPlace};

/// The prediction server. None of it affects a result of the pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// The address it listens on. An address that other machines reach needs keys.
    pub address: SocketAddr,
    /// The device that the model runs on.
    pub device: DeviceChoice,
    /// The most images in one batch of the model.
    pub batch_images: usize,
    /// The most requests for predictions accepted at a time; the next one is asked to retry later.
    pub queue_requests: usize,
    /// Seconds after which a request for a prediction is abandoned.
    pub deadline_seconds: f64,
    /// Seconds without a complete request head after which a connection is closed. Longer than a
    /// load balancer keeps its connections, which is often 60.
    pub idle_seconds: f64,
    /// Seconds that running requests have to finish when the server is asked to stop.
    pub shutdown_seconds: f64,
    /// The response to an image that is not of the kind the model was trained on.
    pub foreign_images: ForeignImages,
    /// The folder for what the server needs to train again, and for the previous model.
    pub folder: PathBuf,
    /// Scans to try on the page, in folders named after their classes.
    pub samples: PathBuf,
    /// The database of predictions: `sqlite:<file>` or `postgres://…`. `DATABASE_URL` in the
    /// environment overrides it.
    pub database: String,
    /// Which images are kept.
    pub store_images: StoreImages,
    /// Where images are kept: a folder, `s3://<bucket>/<prefix>` or `gs://<bucket>/<prefix>`.
    pub image_store: String,
    /// Days after which kept images, file names and notes of corrections are removed.
    pub retention_days: u32,
    /// Limits on a request.
    pub limits: ServeLimits,
    /// Origins of other web pages that may call the server, such as `https://ward.example.org`.
    pub cors_origins: Vec<String>,
    /// Certificate and key, if it uses TLS.
    pub tls: Option<TlsConfig>,
    /// The keys of callers. None: only this machine may call, and may do everything.
    pub keys: Vec<ApiKeyConfig>,
    /// Number of corrections with a kept image since the last training above which a new training
    /// is due.
    pub retrain_after: u64,
    /// Serves the registry's champion instead of a folder, and follows it. Absent: the model folder
    /// is served until somebody asks for another.
    pub follow: Option<FollowConfig>,
    /// Whether predictions need the database.
    pub store: StoreRule,
    /// Where a training that a request starts runs.
    pub training: TrainingPlace,
    /// The way to start it, with `training: job`.
    pub training_job: Option<TrainingJob>,
    /// The watch for drift.
    pub drift: DriftConfig,
}

/// The response to an image that is not of the kind the model was trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ForeignImages {
    /// No prediction.
    Refuse,
    /// A prediction with a warning.
    Flag,
}

/// Which images the server keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreImages {
    /// None.
    Never,
    /// Those that a caller sends again with the right class.
    Feedback,
    /// All.
    All,
}

/// Limits on a request.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeLimits {
    /// Megabytes (10⁶ bytes) of its body.
    pub body_megabytes: f64,
    /// Megapixels of one image; an image whose header states more is refused before it is decoded.
    pub megapixels: f64,
    /// Images of one request.
    pub images: usize,
    /// Connections at a time. One more closes the connection that was idle longest.
    pub connections: usize,
    /// Requests a minute with one key, or from one address if there are no keys. 0: any number.
    pub requests_per_minute: u32,
}

/// Files that prove the server's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificates, the server's own first, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// A caller with a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyConfig {
    /// The owner; named in the records.
    pub name: String,
    /// What it allows.
    pub role: Role,
    /// SHA-256 of the key, as `serve key` prints it. The key itself is kept nowhere.
    pub sha256: String,
}

/// What a key allows. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Ask for predictions.
    Predict,
    /// See earlier predictions and correct them.
    Review,
    /// Train, and change the model that is served.
    Admin,
}

impl Default for ServeConfig {
    fn default() -> Self {
        Self {
            address: SocketAddr::from(([127, 0, 0, 1], 8080)),
            device: DeviceChoice::Auto,
            batch_images: 16,
            queue_requests: 24,
            deadline_seconds: 30.0,
            idle_seconds: 75.0,
            shutdown_seconds: 30.0,
            foreign_images: ForeignImages::Refuse,
            folder: "artifacts/serve".into(),
            samples: "artifacts/data_ingestion/test".into(),
            database: "sqlite:artifacts/serve/predictions.db".into(),
            store_images: StoreImages::Never,
            image_store: "artifacts/serve/images".into(),
            retention_days: 30,
            limits: ServeLimits::default(),
            cors_origins: Vec::new(),
            tls: None,
            keys: Vec::new(),
            retrain_after: 50,
            follow: None,
            store: StoreRule::Required,
            training: TrainingPlace::Here,
            training_job: None,
            drift: DriftConfig::default(),
        }
    }
}

impl Default for ServeLimits {
    fn default() -> Self {
        Self {
            body_megabytes: 32.0,
            megapixels: 50.0,
            images: 32,
            connections: 1024,
            requests_per_minute: 600,
        }
    }
}

impl ServeLimits {
    /// The most bytes of a body.
    pub fn body_bytes(&self) -> usize {
        (self.body_megabytes * 1e6) as usize
    }

    /// The most pixels of an image.
    pub fn pixels(&self) -> u64 {
        (self.megapixels * 1e6) as u64
    }

    fn check(&self) -> Result<(), Refusal> {
        let is_usable = |value: f64| value.is_finite() && value > 0.0;
        require(
            is_usable(self.body_megabytes),
            "serve.limits.body_megabytes",
            self.body_megabytes,
            "more than 0",
        )?;
        require(
            is_usable(self.megapixels) && self.megapixels <= 100.0,
            "serve.limits.megapixels",
            self.megapixels,
            "more than 0, at most 100",
        )?;
        require(self.images > 0, "serve.limits.images", 0, "at least 1")?;
        require(self.connections > 0, "serve.limits.connections", 0, "at least 1")
    }
}

impl ServeConfig {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        require(
            (1..=256).contains(&self.batch_images),
            "serve.batch_images",
            self.batch_images,
            "1 to 256",
        )?;
        require(self.queue_requests > 0, "serve.queue_requests", 0, "at least 1")?;
        for (key, seconds) in [
            ("serve.deadline_seconds", self.deadline_seconds),
            ("serve.idle_seconds", self.idle_seconds),
            ("serve.shutdown_seconds", self.shutdown_seconds),
        ] {
            let is_usable = seconds > 0.0 && seconds <= 86_400.0;
            require(is_usable, key, seconds, "more than 0, at most a day (86400)")?;
        }
        self.limits.check()?;
        self.check_operation()?;
        for origin in &self.cors_origins {
            require(
                is_origin(origin),
                "serve.cors_origins",
                format!("{origin:?}"),
                "an origin such as https://ward.example.org, without a path; * is not allowed",
            )?;
        }
        self.check_keys()
    }

    fn check_operation(&self) -> Result<(), Refusal> {
        self.drift.check()?;
        self.follow.as_ref().map_or(Ok(()), FollowConfig::check)?;
        self.training_job.as_ref().map_or(Ok(()), TrainingJob::check)?;
        require(
            (self.training == TrainingPlace::Job) == self.training_job.is_some(),
            "serve.training_job",
            if self.training_job.is_some() { "set" } else { "missing" },
            "set if serve.training is job, and only then",
        )?;
        require(
            self.training != TrainingPlace::Here || self.follow.is_none(),
            "serve.training",
            "here",
            "off or job where serve.follow is set: a model that is trained here is in the model \
             folder, and the registry's champion is served",
        )
    }

    fn check_keys(&self) -> Result<(), Refusal> {
        for (index, key) in self.keys.iter().enumerate() {
            let at = format!("serve.keys[{index}]");
            require(!key.name.trim().is_empty(), &format!("{at}.name"), "empty", "a name")?;
            require(
                key.sha256.len() == 64 && key.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()),
                &format!("{at}.sha256"),
                // The value may be a key that was put here by mistake.
                "something else",
                "64 hexadecimal digits, as `serve key` prints them; never the key itself",
            )?;
            let is_new = self.keys[..index].iter().all(|other| other.name != key.name);
            require(is_new, &format!("{at}.name"), format!("{:?}", key.name), "a name only once")?;
        }
        Ok(())
    }
}

/// Only scheme, host and port.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty() && !host.contains(['/', '*', '?', '#', '@', ' ']) && host.is_ascii()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(yaml: &str) -> String {
        let config: ServeConfig = serde_yaml::from_str(yaml).unwrap();
        config.check().unwrap_err().key
    }

    #[test]
    fn what_is_not_said_has_a_usable_default() {
        let config: ServeConfig = serde_yaml::from_str("{}").unwrap();
        config.check().unwrap();
        assert!(config.address.ip().is_loopback());
        assert_eq!(config.store_images, StoreImages::Never);
        assert_eq!(config.limits.body_bytes(), 32_000_000);
    }

    #[test]
    fn values_that_cannot_be_meant_are_refused_by_key() {
        assert_eq!(refused("batch_images: 0"), "serve.batch_images");
        assert_eq!(refused("queue_requests: 0"), "serve.queue_requests");
        assert_eq!(refused("deadline_seconds: .nan"), "serve.deadline_seconds");
        assert_eq!(refused("idle_seconds: 0"), "serve.idle_seconds");
        assert_eq!(refused("shutdown_seconds: -1"), "serve.shutdown_seconds");
        assert_eq!(refused("limits: {megapixels: 101}"), "serve.limits.megapixels");
        assert_eq!(refused("limits: {images: 0}"), "serve.limits.images");
        assert_eq!(refused("limits: {connections: 0}"), "serve.limits.connections");
    }

    #[test]
    fn settings_that_contradict_each_other_are_refused() {
        assert_eq!(refused("training: job"), "serve.training_job");
        assert_eq!(refused("training_job: {command: [sbatch]}"), "serve.training_job");
        assert_eq!(refused("follow: {}"), "serve.training");
        assert_eq!(
            refused("{follow: {poll_seconds: 0}, training: off}"),
            "serve.follow.poll_seconds"
        );
        let job = |job: &str| refused(&format!("{{training: job, training_job: {job}}}"));
        assert_eq!(job("{command: []}"), "serve.training_job.command");
        assert_eq!(job("{webhook: example.org}"), "serve.training_job.webhook");
        assert_eq!(refused("drift: {window_hours: 5}"), "serve.drift.window_hours");
        assert_eq!(refused("drift: {least_images: 1}"), "serve.drift.least_images");
        assert_eq!(refused("drift: {false_alarm_days: 0}"), "serve.drift.false_alarm_days");
    }

    #[test]
    fn a_server_may_follow_the_registry_and_hand_trainings_over() {
        let yaml = "{follow: {}, store: best_effort, training: job, \
                    training_job: {command: [sbatch, train.sh]}}";
        let config: ServeConfig = serde_yaml::from_str(yaml).unwrap();
        config.check().unwrap();
        assert_eq!(config.follow, Some(FollowConfig { poll_seconds: 5.0 }));
        assert_eq!(config.store, StoreRule::BestEffort);
    }

    #[test]
    fn every_origin_may_not_be_allowed_at_once() {
        for origin in ["*", "https://*", "https://a.example/path", "ward.example.org"] {
            assert_eq!(refused(&format!("cors_origins: ['{origin}']")), "serve.cors_origins");
        }
        let config: ServeConfig =
            serde_yaml::from_str("cors_origins: ['https://a.example:8443']").unwrap();
        config.check().unwrap();
    }

    #[test]
    fn a_key_that_stands_there_itself_is_refused_and_not_repeated() {
        let yaml = "keys: [{name: ward, role: predict, sha256: hk_secret}]";
        let config: ServeConfig = serde_yaml::from_str(yaml).unwrap();
        let refusal = config.check().unwrap_err();
        assert_eq!(refusal.key, "serve.keys[0].sha256");
        assert!(!refusal.value.contains("hk_secret"));
    }

    #[test]
    fn two_keys_need_two_names() {
        let key = format!("{{name: ward, role: admin, sha256: {}}}", "0a".repeat(32));
        assert_eq!(refused(&format!("keys: [{key}, {key}]")), "serve.keys[1].name");
    }

    #[test]
    fn an_admin_may_do_what_others_may() {
        assert!(Role::Admin > Role::Review && Role::Review > Role::Predict);
    }
}
