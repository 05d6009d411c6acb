//! The storage of artifacts.

use std::path::PathBuf;

use url::Url;

use crate::{ArtifactPath, LoggedModelId, RunId, ServerAddress};

const SERVICE: &str = "mlflow-artifacts/artifacts";

/// A kind of storage, with the data needed to reach it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ArtifactPlace {
    /// Behind the server.
    Proxied(Proxy),
    /// On this machine.
    Folder(PathBuf),
    /// In a cloud store that the server signs addresses for.
    Signed(ArtifactOwner),
}

/// A folder behind a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    /// `…/api/2.0/mlflow-artifacts/artifacts`.
    service: Url,
    /// The folder, by segments.
    root: Vec<String>,
}

impl Proxy {
    /// The address of a file.
    pub(crate) fn url(&self, path: &ArtifactPath) -> Url {
        let mut url = self.service.clone();
        url.path_segments_mut()
            .expect("http: and https: addresses have a path")
            .extend(self.root.iter().map(String::as_str).chain(path.segments()));
        url
    }

    /// The address that lists a folder.
    pub(crate) fn listing(&self, folder: Option<&ArtifactPath>) -> Url {
        let segments = folder.into_iter().flat_map(ArtifactPath::segments);
        let path: Vec<&str> = self.root.iter().map(String::as_str).chain(segments).collect();
        let mut url = self.service.clone();
        url.query_pairs_mut().append_pair("path", &path.join("/"));
        url
    }
}

/// The owner of the artifacts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ArtifactOwner {
    Run(RunId),
    Model(LoggedModelId),
    /// A version of a registered model: files are only read.
    Version,
}

impl ArtifactPlace {
    /// Reads the storage from its URI, or returns why it cannot be reached.
    pub(crate) fn of(
        uri: &str,
        owner: ArtifactOwner,
        server: &ServerAddress,
    ) -> Result<Self, String> {
        if uri.starts_with('/') {
            return on_this_machine(PathBuf::from(uri), server);
        }
        let parsed = Url::parse(uri).map_err(|_| unknown_place(server))?;
        match parsed.scheme() {
            "mlflow-artifacts" => Ok(Self::Proxied(Proxy {
                service: service(&parsed, server)?,
                root: segments(parsed.path()),
            })),
            "http" | "https" => match parsed.path().split_once(SERVICE) {
                Some((before, root)) => {
                    let mut service = parsed.clone();
                    service.set_path(&format!("{before}{SERVICE}"));
                    Ok(Self::Proxied(Proxy { service, root: segments(root) }))
                }
                None => Err(unknown_place(server)),
            },
            "file" => {
                let folder = parsed.to_file_path().map_err(|()| unknown_place(server))?;
                on_this_machine(folder, server)
            }
            _ => Ok(Self::Signed(owner)),
        }
    }
}

/// The address that artifacts pass through: on our server, or on the one that the URI names.
fn service(uri: &Url, server: &ServerAddress) -> Result<Url, String> {
    let mut service = server.join("api/2.0".split('/').chain(SERVICE.split('/')));
    if let Some(host) = uri.host_str().filter(|host| !host.is_empty()) {
        service.set_host(Some(host)).map_err(|_| unknown_place(server))?;
        service.set_port(uri.port()).map_err(|()| unknown_place(server))?;
    }
    Ok(service)
}

fn segments(path: &str) -> Vec<String> {
    path.split('/')
        .filter(|segment| !segment.is_empty())
        .map(|segment| {
            percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned()
        })
        .collect()
}

/// A folder of the server, if it is also one of this machine's. On another machine, files would go
/// to a local folder of the same name, and nobody would find them.
fn on_this_machine(folder: PathBuf, server: &ServerAddress) -> Result<ArtifactPlace, String> {
    // `<root>/<experiment>/<run>/artifacts`
    let is_shared =
        || folder.ancestors().nth(3).is_some_and(|root| root.parent().is_some() && root.is_dir());
    if server.is_loopback() || is_shared() {
        return Ok(ArtifactPlace::Folder(folder));
    }
    Err(format!(
        "that is a folder of {server} which this machine does not have; \
         start the server so that it passes artifacts on (mlflow server --serve-artifacts)"
    ))
}

pub(crate) fn unknown_place(server: &ServerAddress) -> String {
    format!(
        "this client does not know how to reach that place; \
         start {server} so that it passes artifacts on (mlflow server --serve-artifacts)"
    )
}

/// Without user, password and query.
pub(crate) fn shown(uri: &str) -> String {
    Url::parse(uri).map_or_else(
        |_| uri.to_owned(),
        |mut url| {
            // A URL that cannot have them has nothing to remove.
            let _ = url.set_username("");
            let _ = url.set_password(None);
            url.set_query(None);
            url.to_string()
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(uri: &str, server: &str) -> Result<ArtifactPlace, String> {
        let (server, _) = ServerAddress::parse(server).unwrap();
        ArtifactPlace::of(uri, ArtifactOwner::Version, &server)
    }

    #[test]
    fn artifacts_behind_the_server_have_an_address_there() {
        let server = "https://host.example/ml";
        let expected = |address: &str, root: &[&str]| {
            let service = Url::parse(&format!("{address}/api/2.0/mlflow-artifacts/artifacts"));
            let root = root.iter().map(|&segment| segment.to_owned()).collect();
            Ok(ArtifactPlace::Proxied(Proxy { service: service.unwrap(), root }))
        };
        assert_eq!(
            place("mlflow-artifacts:/1/r%201/artifacts", server),
            expected(server, &["1", "r 1", "artifacts"])
        );
        assert_eq!(
            place("mlflow-artifacts://other.example:8443/1/r", server),
            expected("https://other.example:8443/ml", &["1", "r"])
        );
        assert_eq!(
            place("http://x.example:1/api/2.0/mlflow-artifacts/artifacts/1/r", server),
            expected("http://x.example:1", &["1", "r"])
        );
    }

    #[test]
    fn a_folder_of_another_machine_is_not_taken_for_one_of_ours() {
        let nowhere = "file:///no-such-folder/1/r/artifacts";
        let folder = ArtifactPlace::Folder("/no-such-folder/1/r/artifacts".into());
        assert_eq!(place(nowhere, "http://127.0.0.1:5000"), Ok(folder));
        let reason = place(nowhere, "http://host.example").unwrap_err();
        assert!(reason.contains("--serve-artifacts"), "{reason}");
        let shared = tempfile::tempdir().unwrap();
        let uri = format!("{}/1/r/artifacts", shared.path().display());
        assert_eq!(place(&uri, "http://host.example"), Ok(ArtifactPlace::Folder(uri.into())));
        // The root folder exists on every machine.
        assert!(place("/1/r/artifacts", "http://host.example").is_err());
    }

    #[test]
    fn other_places_are_shown_without_what_may_be_secret() {
        assert_eq!(
            place("s3://bucket/1/r", "http://h.example"),
            Ok(ArtifactPlace::Signed(ArtifactOwner::Version))
        );
        assert_eq!(shown("ftp://ada:hush@host.example/1?k=hush"), "ftp://host.example/1");
        assert_eq!(shown("/a/b"), "/a/b");
    }
}
