use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use crate::retry::RetryPolicy;
use crate::{Credentials, ExperimentChoice, RunId, Secret, ServerAddress, SettingsError};

/// The server, the login, the place of runs, and the timeouts: the environment variables of the
/// Python client.
///
/// | variable | meaning |
/// |---|---|
/// | `MLFLOW_TRACKING_URI` | the server: `http://127.0.0.1:5000`, `https://dagshub.com/user/repo.mlflow` |
/// | `MLFLOW_TRACKING_USERNAME`, `…_PASSWORD` | login; wins over the token |
/// | `MLFLOW_TRACKING_TOKEN` | access token |
/// | `MLFLOW_TRACKING_INSECURE_TLS` | `true`: take any certificate |
/// | `MLFLOW_TRACKING_SERVER_CERT_PATH` | PEM file of the only certificates to trust |
/// | `MLFLOW_TRACKING_CLIENT_CERT_PATH` | PEM file of our own certificate and key |
/// | `MLFLOW_EXPERIMENT_NAME`, `…_ID` | the experiment; the name wins, and is created if missing |
/// | `MLFLOW_RUN_ID` | the run to go on with |
/// | `MLFLOW_HTTP_REQUEST_MAX_RETRIES` | further attempts after a failure that may pass: 7 |
/// | `MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR` | pauses are 0, 2, 4, 8, … times this many seconds: 2 |
/// | `MLFLOW_HTTP_REQUEST_BACKOFF_JITTER` | up to so many seconds are added to each: 1 |
/// | `MLFLOW_HTTP_REQUEST_TIMEOUT` | seconds to wait for an answer: 120 |
///
/// An empty variable counts as unset. A user and password in the address itself override the
/// variables, as in Python.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The server.
    pub server: ServerAddress,
    /// The login.
    pub credentials: Credentials,
    /// The certificates to trust on an encrypted connection.
    pub tls: Tls,
    /// Our own certificate and key, for servers that require one.
    pub client_certificate: Option<PathBuf>,
    /// The experiment that new runs belong to.
    pub experiment: ExperimentChoice,
    /// The run to continue, instead of a new one.
    pub run: Option<RunId>,
    /// How often requests are retried.
    pub retries: RetryPolicy,
    /// The longest wait for an answer.
    pub timeout: Duration,
}

/// The certificates accepted from a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// Those that the system trusts.
    Verified,
    /// Only those in a PEM file.
    Only(PathBuf),
    /// Any: for a server with a self-signed certificate, in a trusted network.
    Unverified,
}

impl Settings {
    /// The settings from the variables; `None` if `MLFLOW_TRACKING_URI` is not set, which means
    /// that tracking was not requested.
    ///
    /// `lookup` returns a variable's value; programs use [`environment`].
    ///
    /// # Errors
    /// When a variable has an unusable value.
    pub fn from_environment(
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, SettingsError> {
        match Variables(&lookup).text(URI) {
            Some(uri) => Self::for_server(&uri, lookup).map(Some),
            None => Ok(None),
        }
    }

    /// Like [`from_environment`](Self::from_environment), for a server that is named in another
    /// place than `MLFLOW_TRACKING_URI`.
    ///
    /// # Errors
    /// When the address or a variable has an unusable value.
    pub fn for_server(
        uri: &str,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, SettingsError> {
        let variables = Variables(&lookup);
        let (server, in_address) = ServerAddress::parse(uri)
            .map_err(|reason| SettingsError { variable: URI, reason: reason.to_string() })?;
        Ok(Self {
            server,
            credentials: match in_address {
                Credentials::None => variables.credentials()?,
                given => given,
            },
            tls: variables.tls()?,
            client_certificate: variables.text(CLIENT_CERTIFICATE).map(PathBuf::from),
            experiment: variables.experiment(),
            run: variables.parsed(RUN)?,
            retries: variables.retries()?,
            timeout: variables.timeout()?,
        })
    }
}

/// A variable of this process.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

const URI: &str = "MLFLOW_TRACKING_URI";
const USERNAME: &str = "MLFLOW_TRACKING_USERNAME";
const PASSWORD: &str = "MLFLOW_TRACKING_PASSWORD";
const TOKEN: &str = "MLFLOW_TRACKING_TOKEN";
const INSECURE_TLS: &str = "MLFLOW_TRACKING_INSECURE_TLS";
const SERVER_CERTIFICATE: &str = "MLFLOW_TRACKING_SERVER_CERT_PATH";
const CLIENT_CERTIFICATE: &str = "MLFLOW_TRACKING_CLIENT_CERT_PATH";
const EXPERIMENT_NAME: &str = "MLFLOW_EXPERIMENT_NAME";
const EXPERIMENT_ID: &str = "MLFLOW_EXPERIMENT_ID";
const RUN: &str = "MLFLOW_RUN_ID";
const MAX_RETRIES: &str = "MLFLOW_HTTP_REQUEST_MAX_RETRIES";
const BACKOFF_FACTOR: &str = "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR";
const BACKOFF_JITTER: &str = "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER";
const TIMEOUT: &str = "MLFLOW_HTTP_REQUEST_TIMEOUT";

struct Variables<F>(F);

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn text(&self, variable: &str) -> Option<String> {
        self.0(variable).filter(|value| !value.is_empty())
    }

    fn parsed<T: FromStr>(&self, variable: &'static str) -> Result<Option<T>, SettingsError>
    where
        T::Err: std::fmt::Display,
    {
        let Some(value) = self.text(variable) else { return Ok(None) };
        value.trim().parse().map(Some).map_err(|reason: T::Err| SettingsError {
            variable,
            reason: format!("{value:?}: {reason}"),
        })
    }

    /// Seconds, or a factor: a number that is not negative.
    fn amount(&self, variable: &'static str, otherwise: f64) -> Result<f64, SettingsError> {
        let value: f64 = self.parsed(variable)?.unwrap_or(otherwise);
        if value.is_finite() && value >= 0.0 {
            return Ok(value);
        }
        let reason = format!("{value} is not a number from 0 up");
        Err(SettingsError { variable, reason })
    }

    /// A value that goes into a header.
    fn line(&self, variable: &'static str) -> Result<Option<String>, SettingsError> {
        match self.text(variable) {
            Some(value) if value.contains(char::is_control) => Err(SettingsError {
                variable,
                reason: "a line break or another control character is in it".to_owned(),
            }),
            value => Ok(value),
        }
    }

    fn credentials(&self) -> Result<Credentials, SettingsError> {
        Ok(match (self.line(USERNAME)?, self.line(PASSWORD)?, self.line(TOKEN)?) {
            (Some(username), Some(password), _) => {
                Credentials::Basic { username, password: Secret::new(password) }
            }
            (_, _, Some(token)) => Credentials::Bearer(Secret::new(token)),
            _ => Credentials::None,
        })
    }

    fn tls(&self) -> Result<Tls, SettingsError> {
        let insecure = match self.text(INSECURE_TLS) {
            None => false,
            Some(value) => match value.to_ascii_lowercase().as_str() {
                "true" | "1" => true,
                "false" | "0" => false,
                _ => {
                    let reason = format!("{value:?} is neither true, 1, false nor 0");
                    return Err(SettingsError { variable: INSECURE_TLS, reason });
                }
            },
        };
        match (insecure, self.text(SERVER_CERTIFICATE)) {
            (true, Some(_)) => Err(SettingsError {
                variable: INSECURE_TLS,
                reason: format!(
                    "it takes any certificate, and {SERVER_CERTIFICATE} only some; set one of the two"
                ),
            }),
            (true, None) => Ok(Tls::Unverified),
            (false, Some(path)) => Ok(Tls::Only(path.into())),
            (false, None) => Ok(Tls::Verified),
        }
    }

    fn experiment(&self) -> ExperimentChoice {
        match (self.text(EXPERIMENT_NAME), self.text(EXPERIMENT_ID)) {
            (Some(name), _) => ExperimentChoice::Name(name),
            (None, Some(id)) => ExperimentChoice::Id(id.into()),
            (None, None) => ExperimentChoice::Unspecified,
        }
    }

    fn retries(&self) -> Result<RetryPolicy, SettingsError> {
        let usual = RetryPolicy::default();
        Ok(RetryPolicy {
            max_retries: self.parsed(MAX_RETRIES)?.unwrap_or(usual.max_retries),
            backoff_factor: self.amount(BACKOFF_FACTOR, usual.backoff_factor)?,
            backoff_jitter_seconds: self.amount(BACKOFF_JITTER, usual.backoff_jitter_seconds)?,
        })
    }

    fn timeout(&self) -> Result<Duration, SettingsError> {
        let seconds = self.amount(TIMEOUT, 120.0)?;
        Duration::try_from_secs_f64(seconds).ok().filter(|timeout| !timeout.is_zero()).ok_or_else(
            || SettingsError {
                variable: TIMEOUT,
                reason: format!("no answer comes within {seconds} s; name a number above 0"),
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let mut all = vec![(URI, "http://host.example:5000/ml/")];
        all.extend(variables);
        let lookup = |name: &str| {
            all.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        Settings::from_environment(lookup).map(|settings| settings.expect("a server is named"))
    }

    #[test]
    fn nobody_asks_for_tracking_without_a_server() {
        assert_eq!(Settings::from_environment(|_| None), Ok(None));
        assert_eq!(Settings::from_environment(|_| Some(String::new())), Ok(None));
    }

    #[test]
    fn defaults_are_those_of_the_python_client() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.server.to_string(), "http://host.example:5000/ml");
        assert_eq!(settings.credentials, Credentials::None);
        assert_eq!(settings.tls, Tls::Verified);
        assert_eq!(settings.experiment, ExperimentChoice::Unspecified);
        assert_eq!(settings.timeout, Duration::from_secs(120));
        let expected =
            RetryPolicy { max_retries: 7, backoff_factor: 2.0, backoff_jitter_seconds: 1.0 };
        assert_eq!(settings.retries, expected);
    }

    #[test]
    fn user_and_password_win_over_the_token_and_the_address_over_both() {
        let login = [(USERNAME, "ada"), (PASSWORD, "hush"), (TOKEN, "t")];
        let ada = Credentials::Basic { username: "ada".into(), password: Secret::new("hush") };
        assert_eq!(read(&login).unwrap().credentials, ada);
        // A user without a password does not count as a login, as in Python.
        let token = Credentials::Bearer(Secret::new("t"));
        assert_eq!(read(&[(USERNAME, "ada"), (TOKEN, "t")]).unwrap().credentials, token);
        let address = (URI, "http://bob:shh@host.example");
        let bob = Credentials::Basic { username: "bob".into(), password: Secret::new("shh") };
        assert_eq!(read(&[login[0], login[1], address]).unwrap().credentials, bob);
    }

    #[test]
    fn the_experiments_name_wins_over_its_number() {
        let both = read(&[(EXPERIMENT_NAME, "ct"), (EXPERIMENT_ID, "7")]).unwrap();
        assert_eq!(both.experiment, ExperimentChoice::Name("ct".into()));
        let id = read(&[(EXPERIMENT_ID, "7")]).unwrap();
        assert_eq!(id.experiment, ExperimentChoice::Id("7".to_owned().into()));
    }

    #[test]
    fn certificates_are_the_systems_those_of_a_file_or_any() {
        assert_eq!(read(&[(INSECURE_TLS, "True")]).unwrap().tls, Tls::Unverified);
        assert_eq!(read(&[(SERVER_CERTIFICATE, "a.pem")]).unwrap().tls, Tls::Only("a.pem".into()));
        let both = read(&[(INSECURE_TLS, "1"), (SERVER_CERTIFICATE, "a.pem")]).unwrap_err();
        assert!(both.reason.contains("one of the two"), "{both}");
    }

    #[test]
    fn a_variable_that_cannot_be_used_is_named_with_the_reason() {
        let cases = [
            (URI, "sqlite:///mlflow.db", "make mlflow"),
            (INSECURE_TLS, "yes", "neither true"),
            (RUN, "a/b", "a/b"),
            (MAX_RETRIES, "many", "many"),
            (BACKOFF_FACTOR, "-1", "from 0 up"),
            (TIMEOUT, "0", "above 0"),
            (TOKEN, "hush\n", "line break"),
        ];
        for (variable, value, expected) in cases {
            let error = read(&[(variable, value)]).unwrap_err();
            assert_eq!(error.variable, variable);
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!error.to_string().contains("hush"), "{error}");
        }
    }

    #[test]
    fn a_broken_address_is_refused_without_its_password() {
        let error = read(&[(URI, "ftp://ada:hush@host.example")]).unwrap_err();
        assert!(!error.to_string().contains("hush"), "{error}");
    }
}
