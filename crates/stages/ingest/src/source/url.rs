//! A zip file behind an http or https address.

use anyhow::Context;
use config::Config;
use download::{Downloader, Expect, FileRequest, Url};

use super::archive::Archive;
use super::cache::Slot;

/// Downloads the archive; also returns its address without possible secrets.
pub(super) fn fetch(config: &Config, address: &str) -> anyhow::Result<(String, Archive)> {
    let url = Url::parse(address).with_context(|| format!("understand the address {address:?}"))?;
    let name = without_secrets(&url);
    let file = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let stem = file.strip_suffix(".zip").unwrap_or(file);
    let archive = Slot::of(config, stem, &["url", address]).fill(|target, sha256| {
        tracing::info!("downloading {name}");
        let label = if file.is_empty() { "download" } else { file }.to_owned();
        let request = FileRequest {
            url: url.clone(),
            authorization: None,
            sha256,
            expect: Expect::Zip,
            label,
        };
        Ok(Downloader::new(&config.download)?.fetch_file(&request, target)?)
    })?;
    Ok((name, archive))
}

/// Credentials before the host and a signature after the `?` must stay secret.
fn without_secrets(url: &Url) -> String {
    let mut shown = url.clone();
    // Only an address without a host rejects these, and http always has one.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_told_without_its_secrets() {
        let url = Url::parse("https://ada:hush@host/a/b.zip?X-Signature=hush#c").unwrap();
        assert_eq!(without_secrets(&url), "https://host/a/b.zip");
    }
}
