//! Credentials from the environment, `.env` and `~/.kaggle`. They are never displayed: not in a
//! log, an error or a `Debug` form.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use artifact::{IoError, read_text};
use download::Authorization;
use serde::Deserialize;

/// The places where Kaggle credentials are searched, in this order.
pub(crate) const KAGGLE_PLACES: &str = "Kaggle credentials are looked for in KAGGLE_API_TOKEN, \
    KAGGLE_JSON (the text of kaggle.json, or its path) and KAGGLE_USERNAME with KAGGLE_KEY, in \
    the environment or in .env, and in ~/.kaggle/kaggle.json; kaggle.com/settings makes them";

const VARIABLES: [&str; 4] = ["KAGGLE_API_TOKEN", "KAGGLE_JSON", "KAGGLE_USERNAME", "KAGGLE_KEY"];

/// Credentials that exist and cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CredentialsError {
    #[error(transparent)]
    File(#[from] IoError),
    // The parsers' own messages are dropped: both quote the text that they could not read.
    #[error("read .env: something in it is not NAME=value")]
    DotEnv,
    #[error(
        "read {place}: not the JSON that Kaggle gives out, {{\"username\": …, \"key\": …}} (line {line}, column {column})"
    )]
    Json { place: String, line: usize, column: usize },
    #[error("log in to Kaggle: {present} is set and {missing} is not")]
    Half { present: &'static str, missing: &'static str },
}

/// The relevant variables, and the home folder.
pub(crate) struct Environment {
    variables: BTreeMap<&'static str, String>,
    home: Option<PathBuf>,
}

impl Environment {
    /// The process's environment, and after it `.env` in the folder that the program runs in.
    pub(crate) fn load() -> Result<Self, CredentialsError> {
        let mut variables = BTreeMap::new();
        let dot_env = Path::new(".env");
        if dot_env.is_file() {
            for pair in dotenvy::from_path_iter(dot_env).map_err(|_| CredentialsError::DotEnv)? {
                let (name, value) = pair.map_err(|_| CredentialsError::DotEnv)?;
                if let Some(known) = VARIABLES.into_iter().find(|known| *known == name) {
                    variables.insert(known, value);
                }
            }
        }
        for known in VARIABLES {
            if let Ok(value) = env::var(known) {
                variables.insert(known, value);
            }
        }
        Ok(Self { variables, home: env::home_dir() })
    }

    fn get(&self, name: &'static str) -> Option<&str> {
        self.variables.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }
}

/// The content of Kaggle's `kaggle.json`. Without a `Debug` form on purpose.
#[derive(Deserialize)]
struct KaggleJson {
    username: String,
    key: String,
}

/// The first credentials for Kaggle, if there are any.
pub(crate) fn kaggle(environment: &Environment) -> Result<Option<Authorization>, CredentialsError> {
    if let Some(token) = environment.get("KAGGLE_API_TOKEN") {
        return Ok(Some(Authorization::Bearer(token.to_owned())));
    }
    if let Some(json) = environment.get("KAGGLE_JSON") {
        return if json.starts_with('{') {
            from_json(json, "KAGGLE_JSON").map(Some)
        } else {
            from_file(Path::new(json)).map(Some)
        };
    }
    match (environment.get("KAGGLE_USERNAME"), environment.get("KAGGLE_KEY")) {
        (Some(user), Some(key)) => return Ok(Some(basic(user, key))),
        (Some(_), None) => {
            let (present, missing) = ("KAGGLE_USERNAME", "KAGGLE_KEY");
            return Err(CredentialsError::Half { present, missing });
        }
        (None, Some(_)) => {
            let (present, missing) = ("KAGGLE_KEY", "KAGGLE_USERNAME");
            return Err(CredentialsError::Half { present, missing });
        }
        (None, None) => {}
    }
    let file = environment.home.as_ref().map(|home| home.join(".kaggle/kaggle.json"));
    file.filter(|file| file.is_file()).map(|file| from_file(&file)).transpose()
}

fn basic(user: &str, key: &str) -> Authorization {
    Authorization::Basic { user: user.to_owned(), password: key.to_owned() }
}

fn from_file(path: &Path) -> Result<Authorization, CredentialsError> {
    from_json(&read_text(path)?, &path.display().to_string())
}

fn from_json(text: &str, place: &str) -> Result<Authorization, CredentialsError> {
    let KaggleJson { username, key } = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        CredentialsError::Json { place: place.to_owned(), line, column }
    })?;
    Ok(basic(&username, &key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&'static str, &str)]) -> Environment {
        let variables = variables.iter().map(|(name, value)| (*name, (*value).to_owned()));
        Environment { variables: variables.collect(), home: None }
    }

    fn ada() -> Option<Authorization> {
        Some(basic("ada", "hush"))
    }

    const JSON: &str = r#"{"username": "ada", "key": "hush"}"#;

    #[test]
    fn kaggle_json_may_be_text_or_a_path() {
        assert_eq!(kaggle(&environment(&[("KAGGLE_JSON", JSON)])).unwrap(), ada());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kaggle.json");
        artifact::write_file(&path, JSON.as_bytes()).unwrap();
        let path = path.to_str().unwrap();
        assert_eq!(kaggle(&environment(&[("KAGGLE_JSON", path)])).unwrap(), ada());
    }

    #[test]
    fn user_name_and_key_belong_together() {
        let both = [("KAGGLE_USERNAME", "ada"), ("KAGGLE_KEY", "hush")];
        assert_eq!(kaggle(&environment(&both)).unwrap(), ada());
        let message = kaggle(&environment(&both[1..])).unwrap_err().to_string();
        assert!(message.contains("KAGGLE_USERNAME is not"), "{message}");
    }

    #[test]
    fn the_home_folder_comes_last() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join(".kaggle/kaggle.json");
        artifact::write_file(&file, JSON.as_bytes()).unwrap();
        let mut environment = environment(&[]);
        environment.home = Some(home.path().to_path_buf());
        assert_eq!(kaggle(&environment).unwrap(), ada());
        environment.variables.insert("KAGGLE_API_TOKEN", "token".into());
        assert_eq!(kaggle(&environment).unwrap(), Some(Authorization::Bearer("token".into())));
    }

    #[test]
    fn no_credentials_are_no_error() {
        assert_eq!(kaggle(&environment(&[("KAGGLE_KEY", " ")])).unwrap(), None);
    }

    #[test]
    fn bad_json_is_refused_without_being_quoted() {
        for json in [r#"{"username": "ada", "key": 4711}"#, r#"{"username": "hush"#] {
            let error = kaggle(&environment(&[("KAGGLE_JSON", json)])).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(!text.contains("4711") && !text.contains("hush"), "{text}");
        }
    }
}
