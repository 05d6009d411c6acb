use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use artifact::WithPath;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::artifact_place::{ArtifactOwner, ArtifactPlace, Proxy, shown, unknown_place};
use crate::client::Client;
use crate::error::Failure;
use crate::transport::Call;
use crate::wire;
use crate::{ArtifactPath, Error, LoggedModel, ModelVersion, Result, Run, RunId};

const UPLOAD: &str = "upload the artifact";
const DOWNLOAD: &str = "download the artifact";
const LIST: &str = "list the artifacts";

/// The folder of artifacts of a run, a logged model, or a version of a registered model.
///
/// Three kinds of storage are supported: storage that the server passes files to and from
/// (`mlflow-artifacts:`, the default of `mlflow server`), folders on this machine (`file:`), and,
/// for uploads only, cloud stores that the server signs addresses for (`s3:` and others).
#[derive(Debug)]
pub struct Artifacts<'a> {
    client: &'a Client,
    uri: String,
    place: ArtifactPlace,
}

/// A file or folder among the artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its path.
    pub path: ArtifactPath,
    /// Its length in bytes; none for a folder.
    pub kind: ArtifactKind,
}

/// A file or a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactKind {
    /// A file, with its length.
    File {
        /// In bytes.
        bytes: u64,
    },
    /// A folder.
    Folder,
}

#[derive(Debug, Deserialize)]
struct Listing {
    #[serde(default)]
    files: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    path: String,
    #[serde(default)]
    is_dir: bool,
    #[serde(default, deserialize_with = "wire::optional_integer")]
    file_size: Option<i64>,
}

impl Client {
    /// The artifacts of a run.
    ///
    /// # Errors
    /// When this client cannot reach their storage.
    pub fn run_artifacts(&self, run: &Run) -> Result<Artifacts<'_>> {
        self.artifacts(&run.artifact_uri, ArtifactOwner::Run(run.id.clone()))
    }

    /// The files of a logged model.
    ///
    /// # Errors
    /// When this client cannot reach their storage.
    pub fn model_artifacts(&self, model: &LoggedModel) -> Result<Artifacts<'_>> {
        self.artifacts(&model.artifact_uri, ArtifactOwner::Model(model.id.clone()))
    }

    /// The files of a version of a registered model, whatever it was made from.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached, or this client cannot reach their storage.
    pub fn version_artifacts(&self, version: &ModelVersion) -> Result<Artifacts<'_>> {
        #[derive(Deserialize)]
        struct ArtifactPlace {
            artifact_uri: String,
        }
        let number = version.version.to_string();
        let call = Call::get("find the model's files", "model-versions/get-download-uri")
            .query("name", version.name.as_str())
            .query("version", &number);
        let ArtifactPlace { artifact_uri } = self.transport.send(&call)?;
        self.artifacts(&artifact_uri, ArtifactOwner::Version)
    }

    /// The artifacts of a run whose storage is known.
    pub(crate) fn artifacts_at(&self, uri: &str, run: &RunId) -> Result<Artifacts<'_>> {
        self.artifacts(uri, ArtifactOwner::Run(run.clone()))
    }

    fn artifacts(&self, uri: &str, owner: ArtifactOwner) -> Result<Artifacts<'_>> {
        let place = ArtifactPlace::of(uri, owner, self.server()).map_err(|reason| {
            Error::ArtifactStore { action: "open the artifacts", location: shown(uri), reason }
        })?;
        Ok(Artifacts { client: self, uri: shown(uri), place })
    }
}

impl Artifacts<'_> {
    /// Their URI, as it may be displayed.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Uploads a file, and replaces an existing one.
    ///
    /// # Errors
    /// When the file cannot be read, or the server refuses or cannot be reached.
    pub fn upload(&self, path: &ArtifactPath, file: &Path) -> Result<()> {
        let transport = &self.client.transport;
        match &self.place {
            ArtifactPlace::Proxied(proxy) => transport.put_file(UPLOAD, &proxy.url(path), file),
            ArtifactPlace::Folder(folder) => copy(file, &below(folder, path)).map(drop),
            ArtifactPlace::Signed(owner) => {
                let (url, headers) = self.signed(path, owner)?;
                transport.put_file_signed(UPLOAD, &url, &headers, file)
            }
        }
    }

    /// Uploads a file of these bytes.
    ///
    /// # Errors
    /// As [`upload`](Self::upload), or when no temporary file can be written.
    pub fn upload_bytes(&self, path: &ArtifactPath, bytes: &[u8]) -> Result<()> {
        let temporary = std::env::temp_dir();
        let mut file = tempfile::NamedTempFile::new_in(&temporary)
            .with_path("create a file in", &temporary)?;
        file.write_all(bytes).with_path("write", file.path())?;
        self.upload(path, file.path())
    }

    /// The files and folders in a folder, in order of their names; `None` is the root folder. A
    /// missing folder counts as empty.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached, or names a path outside the folder.
    pub fn list(&self, folder: Option<&ArtifactPath>) -> Result<Vec<Artifact>> {
        let mut found = match &self.place {
            ArtifactPlace::Proxied(proxy) => self.list_proxied(proxy, folder)?,
            ArtifactPlace::Folder(place) => list_folder(place, folder)?,
            ArtifactPlace::Signed(_) => return Err(self.cannot(LIST)),
        };
        found.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found)
    }

    /// Downloads a file: under a temporary name beside `to`, renamed when it is complete. Returns
    /// its length in bytes.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached, or the file cannot be written.
    pub fn download(&self, path: &ArtifactPath, to: &Path) -> Result<u64> {
        match &self.place {
            ArtifactPlace::Proxied(proxy) => {
                self.client.transport.get_file(DOWNLOAD, &proxy.url(path), to)
            }
            ArtifactPlace::Folder(folder) => copy(&below(folder, path), to),
            ArtifactPlace::Signed(_) => Err(self.cannot(DOWNLOAD)),
        }
    }

    /// Downloads every file, into the same folders below `to`. Returns their paths, in order.
    ///
    /// # Errors
    /// As [`list`](Self::list) and [`download`](Self::download). Files downloaded before the error
    /// stay.
    pub fn download_all(&self, to: &Path) -> Result<Vec<ArtifactPath>> {
        let mut files = Vec::new();
        let mut folders = vec![None];
        while let Some(folder) = folders.pop() {
            for artifact in self.list(folder.as_ref())? {
                match artifact.kind {
                    ArtifactKind::Folder => folders.push(Some(artifact.path)),
                    ArtifactKind::File { .. } => {
                        self.download(&artifact.path, &below(to, &artifact.path))?;
                        files.push(artifact.path);
                    }
                }
            }
        }
        files.sort();
        Ok(files)
    }

    fn list_proxied(&self, proxy: &Proxy, folder: Option<&ArtifactPath>) -> Result<Vec<Artifact>> {
        let url = proxy.listing(folder);
        let listing: Listing = self.client.transport.get_json(LIST, &url)?;
        let under = |name: &str| match folder {
            Some(folder) => ArtifactPath::new(format!("{folder}/{name}")),
            None => ArtifactPath::new(name),
        };
        listing
            .files
            .into_iter()
            .map(|entry| {
                let bytes = entry.file_size.unwrap_or_default();
                let kind = if entry.is_dir {
                    ArtifactKind::Folder
                } else {
                    ArtifactKind::File { bytes: u64::try_from(bytes).unwrap_or_default() }
                };
                Ok(Artifact { path: under(&entry.path)?, kind })
            })
            .collect()
    }

    /// A signed address for one upload, with its headers.
    fn signed(
        &self,
        path: &ArtifactPath,
        owner: &ArtifactOwner,
    ) -> Result<(Url, Vec<(String, String)>)> {
        #[derive(Deserialize)]
        struct Signed {
            presigned_url: String,
            #[serde(default)]
            headers: BTreeMap<String, String>,
        }
        const ACTION: &str = "ask for a signed address to upload to";
        let body = match owner {
            ArtifactOwner::Run(id) => json!({ "run_id": id, "path": path }),
            ArtifactOwner::Model(id) => json!({ "model_id": id, "path": path }),
            ArtifactOwner::Version => return Err(self.cannot(UPLOAD)),
        };
        let call = Call::post(ACTION, "artifacts/presigned-upload-url").json(&body);
        let signed: Signed = self.client.transport.send(&call).map_err(|error| {
            // A server before MLflow 3.12, or a store without signed addresses.
            if matches!(error.status(), Some(404 | 405 | 501)) {
                self.cannot(UPLOAD)
            } else {
                error
            }
        })?;
        let url = Url::parse(&signed.presigned_url).map_err(|error| {
            let failure = Failure::Unreadable { reason: error.to_string() };
            Error::request(ACTION, self.client.server().to_string(), failure)
        })?;
        Ok((url, signed.headers.into_iter().collect()))
    }

    fn cannot(&self, action: &'static str) -> Error {
        let reason = unknown_place(self.client.server());
        Error::ArtifactStore { action, location: self.uri.clone(), reason }
    }
}

/// An artifact's path in a folder of this machine.
fn below(folder: &Path, path: &ArtifactPath) -> PathBuf {
    path.segments().fold(folder.to_path_buf(), |folder, segment| folder.join(segment))
}

fn copy(from: &Path, to: &Path) -> Result<u64> {
    let mut source = fs::File::open(from).with_path("open", from)?;
    artifact::write_through(to, |file| Ok(io::copy(&mut source, file).with_path("write", to)?))
}

fn list_folder(place: &Path, folder: Option<&ArtifactPath>) -> Result<Vec<Artifact>> {
    let path = folder.map_or_else(|| place.to_path_buf(), |folder| below(place, folder));
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Ok(Err(error).with_path("read folder", &path)?),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_path("read folder", &path)?;
        let metadata = entry.metadata().with_path("look at", entry.path())?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let full = folder.map_or_else(|| name.clone(), |folder| format!("{folder}/{name}"));
        let kind = if metadata.is_dir() {
            ArtifactKind::Folder
        } else {
            ArtifactKind::File { bytes: metadata.len() }
        };
        found.push(Artifact { path: ArtifactPath::new(full)?, kind });
    }
    Ok(found)
}
