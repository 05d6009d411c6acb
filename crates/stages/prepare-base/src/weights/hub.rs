//! Weights trained on ImageNet, from the Hugging Face hub: the header and the base's tensors, for
//! VGG16 59 of the file's 553 MB.

use std::env;
use std::ops::Range;

use artifact::{Digest, WithPath};
use classifier::TensorSpec;
use classifier::bases::Base;
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

/// Obtains the base's tensors, from the cache if they were fetched before.
pub(super) fn load(config: &Config, base: &'static Base) -> Result<Weights, WeightsError> {
    let source = Source::of(&config.pretrained, base)?;
    let file = HubFile::of(config, &source)?;
    let name = [&source.repository, &source.revision, &config.pretrained.filename];
    let cache = Cache::of(&config.paths.downloads, name.map(String::as_str));
    let specs = base.tensor_specs();
    let selection = match cache.read(&specs)? {
        Some(kept) => kept,
        None => {
            let downloader = Downloader::new(&config.download)?;
            let fetched = fetch(&downloader, &file, &cache, &specs)
                .map_err(|error| missing(error, &config.pretrained, base))?;
            cache.keep(&fetched, &file.origin)?;
            fetched
        }
    };
    let card = Card::of(&selection.metadata, &file.origin, base)?;
    Ok(card.weights(selection.tensors, file.origin, base))
}

/// The commit of a repository: that of `config.yaml`, or else that of the base.
#[derive(Debug)]
struct Source {
    repository: String,
    revision: String,
    /// The digest of the file; none if `config.yaml` names another file.
    sha256: Option<Digest>,
    base: &'static Base,
}

impl Source {
    fn of(pretrained: &Pretrained, base: &'static Base) -> Result<Self, WeightsError> {
        let published = base.published;
        let repository =
            pretrained.repository.clone().unwrap_or_else(|| published.repository.to_owned());
        let own = pretrained.revision.clone();
        let Some(revision) = own.or_else(|| published.revision.map(str::to_owned)) else {
            let file = pretrained.file_of(base.name);
            return Err(WeightsError::NoRevision { base: base.title, repository, file });
        };
        let usual = Pretrained::default();
        let is_published = repository == published.repository
            && Some(revision.as_str()) == published.revision
            && pretrained.filename == usual.filename;
        let sha256 = published.sha256.filter(|_| is_published).and_then(|it| it.parse().ok());
        Ok(Self { repository, revision, sha256, base })
    }
}

/// If the hub cannot be reached, there are no weights; the error names two ways out.
fn missing(error: WeightsError, pretrained: &Pretrained, base: &Base) -> WeightsError {
    match error {
        WeightsError::Download(source) if source.is_unreachable() => {
            let file = pretrained.file_of(base.name);
            WeightsError::Missing { source: Box::new(source), file, base: base.title }
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
    base: &'static Base,
}

impl HubFile {
    /// `HF_ENDPOINT` and `HF_TOKEN` in the environment have the same meaning as for the hub's own
    /// client.
    fn of(config: &Config, source: &Source) -> Result<Self, WeightsError> {
        let (Source { repository, revision, .. }, filename) = (source, &config.pretrained.filename);
        let endpoint =
            variable("HF_ENDPOINT").unwrap_or_else(|| config.endpoints.hugging_face.clone());
        let address = format!(
            "{}/{repository}/resolve/{revision}/{filename}",
            endpoint.trim_end_matches('/')
        );
        let url = Url::parse(&address).map_err(|_| WeightsError::Address { address })?;
        Ok(Self {
            url,
            authorization: variable("HF_TOKEN").map(Authorization::Bearer),
            sha256: source.sha256,
            origin: format!("{repository}@{revision}/{filename}"),
            base: source.base,
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
        label: file.label(),
    };
    let whole = downloader.fetch_file(&request, &cache.whole_file())?.path;
    let selection = select(&mut LocalFile::open(&whole, file.base)?, specs);
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
    fn label(&self) -> String {
        format!("{} weights", self.base.title)
    }

    fn range(&self, bytes: Range<u64>) -> RangeRequest {
        RangeRequest {
            url: self.url.clone(),
            authorization: self.authorization.clone(),
            bytes,
            label: self.label(),
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
    use classifier::bases::{self, Published};

    use super::*;

    #[test]
    fn the_published_commits_and_digests_are_such() {
        for base in bases::all() {
            let Published { revision, sha256, .. } = base.published;
            let is_commit =
                |it: &str| it.len() == 40 && it.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(revision.is_none_or(is_commit), "{}", base.name);
            assert!(sha256.is_none_or(|it| it.parse::<Digest>().is_ok()), "{}", base.name);
        }
    }

    #[test]
    fn a_base_without_a_known_commit_says_what_to_do() {
        let resnet = bases::named("resnet50").unwrap();
        let message = Source::of(&Pretrained::default(), resnet).unwrap_err().to_string();
        assert!(message.contains("no commit of timm/resnet50.a1_in1k"), "{message}");
        assert!(message.contains("weights/resnet50.safetensors"), "{message}");
    }

    #[test]
    fn the_digest_is_that_of_the_published_file_alone() {
        let of = |pretrained: &Pretrained| Source::of(pretrained, bases::vgg16()).unwrap().sha256;
        assert!(of(&Pretrained::default()).is_some());
        let revision = Some("0".repeat(40));
        assert!(of(&Pretrained { revision, ..Pretrained::default() }).is_none());
    }
}
