//! Weights trained on ImageNet, from the Hugging Face hub: the header and the base's tensors, 59
//! of the file's 553 MB.

use std::env;
use std::ops::Range;

use artifact::{Digest, WithPath};
use classifier::vgg16::TensorSpec;
use config::{Config, Pretrained};
use download::{
    Authorization, Downloader, Expect, FileRequest, RangePart, RangeReply, RangeRequest, Url,
};

use super::WeightsError;
use super::cache::Cache;
use super::card::Card;
use super::file::LocalFile;
use super::header::LENGTH_BYTES;
use super::loaded::Weights;
use super::select::{Selection, Stretches, select};

/// The digest of the file that [`Pretrained::default`] names, from its page on the hub.
const DEFAULT_FILE_SHA256: &str =
    "57b026918159a6bf9faf8405c3a551903768e7138989d9c6224a14227203fad8";

/// Obtains the base's tensors, from the cache if they were fetched before.
pub(super) fn load(config: &Config, specs: &[TensorSpec]) -> Result<Weights, WeightsError> {
    let file = HubFile::of(config)?;
    let cache = Cache::of(config);
    let selection = match cache.read(specs)? {
        Some(kept) => kept,
        None => {
            let downloader = Downloader::new(&config.download)?;
            let fetched = fetch(&downloader, &file, &cache, specs)
                .map_err(|error| missing(error, &config.pretrained))?;
            cache.keep(&fetched, &file.origin)?;
            fetched
        }
    };
    let card = Card::of(&selection.metadata, &file.origin)?;
    Ok(card.weights(selection.tensors, file.origin))
}

/// If the hub cannot be reached, there are no weights; the error names two ways out.
fn missing(error: WeightsError, pretrained: &Pretrained) -> WeightsError {
    match error {
        WeightsError::Download(source) if source.is_unreachable() => {
            WeightsError::Missing { source, file: pretrained.file.clone() }
        }
        other => other,
    }
}

/// A file of one commit of a repository.
#[derive(Debug)]
struct HubFile {
    url: Url,
    authorization: Option<Authorization>,
    sha256: Option<Digest>,
    /// `owner/name@commit/filename`.
    origin: String,
}

impl HubFile {
    /// `HF_ENDPOINT` and `HF_TOKEN` in the environment have the same meaning as for the hub's own
    /// client.
    fn of(config: &Config) -> Result<Self, WeightsError> {
        let Pretrained { repository, revision, filename, .. } = &config.pretrained;
        let endpoint =
            variable("HF_ENDPOINT").unwrap_or_else(|| config.endpoints.hugging_face.clone());
        let address = format!(
            "{}/{repository}/resolve/{revision}/{filename}",
            endpoint.trim_end_matches('/')
        );
        let url = Url::parse(&address).map_err(|_| WeightsError::Address { address })?;
        let default = Pretrained { file: config.pretrained.file.clone(), ..Pretrained::default() };
        let is_default = config.pretrained == default;
        Ok(Self {
            url,
            authorization: variable("HF_TOKEN").map(Authorization::Bearer),
            sha256: DEFAULT_FILE_SHA256.parse().ok().filter(|_| is_default),
            origin: format!("{repository}@{revision}/{filename}"),
        })
    }
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads the tensors by range or, if the server does not support ranges, from the whole file.
fn fetch(
    downloader: &Downloader,
    file: &HubFile,
    cache: &Cache,
    specs: &[TensorSpec],
) -> Result<Selection, WeightsError> {
    if let Some(mut remote) = RemoteFile::open(downloader, file)? {
        return select(&mut remote, specs);
    }
    tracing::info!("the server of {} knows no ranges; fetching the whole file", file.origin);
    let request = FileRequest {
        url: file.url.clone(),
        authorization: file.authorization.clone(),
        sha256: file.sha256,
        expect: Expect::Any,
        label: "VGG16 weights".to_owned(),
    };
    let whole = downloader.fetch_file(&request, &cache.whole_file())?.path;
    let selection = select(&mut LocalFile::open(&whole)?, specs);
    std::fs::remove_file(&whole).with_path("remove", &whole)?;
    selection
}

/// A file on the hub that is read by ranges.
#[derive(Debug)]
struct RemoteFile<'a> {
    downloader: &'a Downloader,
    file: &'a HubFile,
    /// The first bytes, with the size and version of the file they belong to.
    start: RangePart,
}

impl<'a> RemoteFile<'a> {
    /// Reads the first bytes; none if the server does not support ranges.
    fn open(downloader: &'a Downloader, file: &'a HubFile) -> Result<Option<Self>, WeightsError> {
        let reply = downloader.fetch_range(&file.range(0..LENGTH_BYTES))?;
        Ok(match reply {
            RangeReply::Part(start) => Some(Self { downloader, file, start }),
            RangeReply::Unsupported => None,
        })
    }
}

impl HubFile {
    fn range(&self, bytes: Range<u64>) -> RangeRequest {
        RangeRequest {
            url: self.url.clone(),
            authorization: self.authorization.clone(),
            bytes,
            label: "VGG16 weights".to_owned(),
        }
    }
}

impl Stretches for RemoteFile<'_> {
    fn read(&mut self, bytes: Range<u64>) -> Result<Vec<u8>, WeightsError> {
        if bytes == (0..LENGTH_BYTES) {
            return Ok(self.start.bytes.clone());
        }
        match self.downloader.fetch_range(&self.file.range(bytes))? {
            RangeReply::Part(part)
                if part.etag == self.start.etag && part.total_bytes == self.start.total_bytes =>
            {
                Ok(part.bytes)
            }
            _ => Err(WeightsError::Header {
                origin: self.file.origin.clone(),
                reason: "the file changed on the server meanwhile; run again".to_owned(),
            }),
        }
    }

    fn file_bytes(&self) -> Option<u64> {
        self.start.total_bytes
    }

    fn origin(&self) -> &str {
        &self.file.origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_digest_is_one() {
        assert!(DEFAULT_FILE_SHA256.parse::<Digest>().is_ok());
    }
}
