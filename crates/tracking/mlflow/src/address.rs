use std::fmt;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{Credentials, Secret};

/// The address of an MLflow server: `http://127.0.0.1:5000`, `https://host.example/ml`. It has no
/// user, password, query or fragment, so it may be displayed anywhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ServerAddress(Url);

/// An address that no MLflow server can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// Not a URL.
    #[error("not a valid address ({0}); expected one such as http://127.0.0.1:5000")]
    NotAUrl(String),
    /// A store that only the Python client can open without a server.
    #[error(
        "{0}: addresses are not served, only http: and https:; \
         start a server on that store (make mlflow, or mlflow server) and name its address"
    )]
    NotHttp(String),
}

impl ServerAddress {
    /// Parses an address, and separates its user and password, if it has them.
    ///
    /// # Errors
    /// When it is not a URL, or is not `http:` or `https:`.
    pub fn parse(text: &str) -> Result<(Self, Credentials), InvalidAddress> {
        let mut url = Url::parse(text.trim())
            .map_err(|reason| InvalidAddress::NotAUrl(reason.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidAddress::NotHttp(url.scheme().to_owned()));
        }
        let credentials = match (decoded(url.username()), url.password().map(decoded)) {
            (user, None) if user.is_empty() => Credentials::None,
            (username, password) => {
                Credentials::Basic { username, password: Secret::new(password.unwrap_or_default()) }
            }
        };
        // Cannot fail for a URL with a host, which every http: URL has.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_query(None);
        url.set_fragment(None);
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok((Self(url), credentials))
    }

    /// The address of something on this server, by the segments of its path below the server's own;
    /// each is encoded.
    pub(crate) fn join<'a>(&self, path: impl IntoIterator<Item = &'a str>) -> Url {
        let mut url = self.0.clone();
        url.path_segments_mut()
            .expect("http: and https: addresses have a path")
            .pop_if_empty()
            .extend(path);
        url
    }

    /// The name or number of the machine, without the port.
    pub(crate) fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether it is this machine.
    pub(crate) fn is_loopback(&self) -> bool {
        match self.0.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(number)) => number.is_loopback(),
            Some(url::Host::Ipv6(number)) => number.is_loopback(),
            None => false,
        }
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerAddress({self})")
    }
}

impl From<ServerAddress> for String {
    fn from(address: ServerAddress) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for ServerAddress {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).map(|(address, _)| address)
    }
}

/// An address as it may be displayed: without user, password, query and fragment, which may hold a
/// key or a signature.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_leave_the_address() {
        let (address, credentials) =
            ServerAddress::parse("https://ada:h%2Bu+s&h@host.example/ml/?key=hush#x").unwrap();
        assert_eq!(address.to_string(), "https://host.example/ml");
        let expected =
            Credentials::Basic { username: "ada".into(), password: Secret::new("h+u+s&h") };
        assert_eq!(credentials, expected);
        assert!(!format!("{address:?}").contains("ada"));
    }

    #[test]
    fn paths_are_joined_below_the_servers_own_and_encoded() {
        let (address, _) = ServerAddress::parse("http://dagshub.example/u/r.mlflow").unwrap();
        let url = address.join(["api", "2.0", "Größe 1/2?.png"]);
        let expected = "http://dagshub.example/u/r.mlflow/api/2.0/Gr%C3%B6%C3%9Fe%201%2F2%3F.png";
        assert_eq!(url.as_str(), expected);
        let (address, _) = ServerAddress::parse("http://127.0.0.1:5000/").unwrap();
        assert_eq!(address.join(["health"]).as_str(), "http://127.0.0.1:5000/health");
        assert_eq!(address.to_string(), "http://127.0.0.1:5000");
    }

    #[test]
    fn stores_without_a_server_are_refused_with_the_way_out() {
        for store in ["sqlite:///mlflow.db", "file:///tmp/mlruns", "databricks://profile"] {
            let message = ServerAddress::parse(store).unwrap_err().to_string();
            assert!(message.contains("make mlflow"), "{message}");
        }
        let message = ServerAddress::parse("127.0.0.1:5000").unwrap_err().to_string();
        assert!(message.contains("http://127.0.0.1:5000"), "{message}");
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        let is_loopback = |text: &str| ServerAddress::parse(text).unwrap().0.is_loopback();
        assert!(is_loopback("http://127.0.0.1:5000") && is_loopback("http://localhost"));
        assert!(is_loopback("http://[::1]:5000") && !is_loopback("http://10.0.0.1"));
    }
}
