use std::path::PathBuf;

use artifact::Digest;
use config::Config;

/// A zip file on this machine.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) path: PathBuf,
    pub(super) sha256: Digest,
}

/// The digest that the archive must have, if the configuration gives one.
pub(super) fn digest_of(config: &Config) -> Option<Digest> {
    // The configuration has been checked, so the value can be parsed.
    config.data.source.sha256().and_then(|text| text.to_lowercase().parse().ok())
}
