use std::net::SocketAddr;
use std::path::PathBuf;

use config::{DeviceChoice, Refusal, require};
use serde::{Deserialize, Serialize};

/// The prediction server. None of it decides a result of the pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeConfig {
    /// Where it listens. An address that other machines reach needs keys.
    pub address: SocketAddr,
    /// Where the model runs.
    pub device: DeviceChoice,
    /// The most images in one pass of the model.
    pub batch_images: usize,
    /// Requests for predictions that are taken in at a time; the next one is told to come again.
    pub queue_requests: usize,
    /// Seconds after which a request for a prediction is given up.
    pub deadline_seconds: f64,
    /// Seconds after which a connection is closed on which no whole head of a request came. Longer
    /// than what a load balancer keeps its connections for, which is often 60.
    pub idle_seconds: f64,
    /// Seconds that requests in flight have to end when the server is asked to stop.
    pub shutdown_seconds: f64,
    /// What an image that is not of the kind the model was trained on gets.
    pub foreign_images: ForeignImages,
    /// Where the server keeps what it needs to train again, and the model that answered before.
    pub folder: PathBuf,
    /// Scans to try on the page, in folders named as their classes.
    pub samples: PathBuf,
    /// What is remembered of predictions: `sqlite:<file>` or `postgres://…`. `DATABASE_URL` in the
    /// environment wins.
    pub database: String,
    /// Which images are kept.
    pub store_images: StoreImages,
    /// Where images are kept: a folder, `s3://<bucket>/<prefix>` or `gs://<bucket>/<prefix>`.
    pub image_store: String,
    /// Days after which kept images, names of files and notes of corrections are removed.
    pub retention_days: u32,
    /// What a request may hold.
    pub limits: ServeLimits,
    /// Web pages of other origins that may call the server, such as `https://ward.example.org`.
    pub cors_origins: Vec<String>,
    /// Certificate and key, where it speaks TLS.
    pub tls: Option<TlsConfig>,
    /// Who may call. None: this machine alone, and it may do everything.
    pub keys: Vec<ApiKeyConfig>,
    /// Corrections with a kept image since the last training, above which a new one is due.
    pub retrain_after: u64,
}

/// What an image that is not of the kind the model was trained on gets.
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
    /// Those that somebody sends again with the right class.
    Feedback,
    /// All.
    All,
}

/// What a request may hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServeLimits {
    /// Megabytes (10⁶ bytes) of its body.
    pub body_megabytes: f64,
    /// Megapixels of one image; one that announces more is refused before it is decoded.
    pub megapixels: f64,
    /// Images of one request.
    pub images: usize,
    /// Connections at a time. One more closes the one that was silent longest.
    pub connections: usize,
    /// Requests a minute with one key, or from one address where there are no keys. 0: any number.
    pub requests_per_minute: u32,
}

/// Files that the server proves itself with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// Certificates, the server's own first, PEM.
    pub certificate: PathBuf,
    /// The private key, PEM.
    pub key: PathBuf,
}

/// One who may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyConfig {
    /// Whose it is; named in the records.
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

    fn check_keys(&self) -> Result<(), Refusal> {
        for (index, key) in self.keys.iter().enumerate() {
            let at = format!("serve.keys[{index}]");
            require(!key.name.trim().is_empty(), &format!("{at}.name"), "empty", "a name")?;
            require(
                key.sha256.len() == 64 && key.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()),
                &format!("{at}.sha256"),
                // The value may be a key that somebody put here by mistake.
                "something else",
                "64 hexadecimal digits, as `serve key` prints them; never the key itself",
            )?;
            let is_new = self.keys[..index].iter().all(|other| other.name != key.name);
            require(is_new, &format!("{at}.name"), format!("{:?}", key.name), "a name only once")?;
        }
        Ok(())
    }
}

/// Scheme, host and port alone.
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
