//! The origin of a run: the tags that MLflow's pages show for its own runs.

use std::path::Path;
use std::process::{Command, Stdio};

use url::Url;

use crate::{Credentials, Settings, Tag};

/// The user, the program and the state of the source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provenance {
    /// The user.
    pub user: Option<String>,
    /// The program, or the file that started it.
    pub source_name: String,
    /// The commit that is checked out.
    pub git_commit: Option<String>,
    /// The branch, if one is checked out.
    pub git_branch: Option<String>,
    /// The address of the repository's remote, without user and password.
    pub git_repository: Option<String>,
    /// Whether tracked files differ from the commit.
    pub git_is_dirty: Option<bool>,
}

impl Provenance {
    /// Reads the user from the environment, and the state of the source around `folder` from `git`.
    /// Unknown values are left out. The user is the one of the login to the server, if there is a
    /// login, as in the Python client.
    pub fn find(
        source_name: &str,
        folder: &Path,
        settings: &Settings,
        lookup: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let user = match &settings.credentials {
            Credentials::Basic { username, .. } => Some(username.clone()),
            Credentials::Bearer(_) | Credentials::None => ["LOGNAME", "USER", "LNAME", "USERNAME"]
                .into_iter()
                .filter_map(lookup)
                .find(|name| !name.is_empty())
                .or_else(|| output(Command::new("id").arg("-un"))),
        };
        Self { user, ..Self::of_source(source_name, folder) }
    }

    /// Reads the state of the source around `folder` from `git`, without a user.
    pub fn of_source(source_name: &str, folder: &Path) -> Self {
        let git =
            |arguments: &[&str]| output(Command::new("git").arg("-C").arg(folder).args(arguments));
        let remote = git(&["remote"]);
        let remote = remote.as_deref().and_then(|names| {
            names.lines().find(|name| *name == "origin").or_else(|| names.lines().next())
        });
        Self {
            user: None,
            source_name: source_name.to_owned(),
            git_commit: git(&["rev-parse", "--verify", "HEAD"]),
            git_branch: git(&["symbolic-ref", "--short", "--quiet", "HEAD"]),
            git_repository: remote
                .and_then(|name| git(&["remote", "get-url", name]))
                .map(|address| without_login(&address)),
            git_is_dirty: status(folder),
        }
    }

    /// The tags, with the names of the Python client.
    pub fn tags(&self) -> Vec<Tag> {
        let dirty = self.git_is_dirty.map(|is_dirty| is_dirty.to_string());
        let optional = [
            ("mlflow.user", self.user.as_ref()),
            ("mlflow.source.name", Some(&self.source_name)),
            ("mlflow.source.git.commit", self.git_commit.as_ref()),
            ("mlflow.source.git.branch", self.git_branch.as_ref()),
            ("mlflow.source.git.repoURL", self.git_repository.as_ref()),
            ("mlflow.source.git.dirty", dirty.as_ref()),
        ];
        let known = optional.into_iter().filter_map(|(name, value)| Some(Tag::known(name, value?)));
        known.chain([Tag::known("mlflow.source.type", "LOCAL")]).collect()
    }
}

/// Whether tracked files differ from the commit; `None` outside a repository.
fn status(folder: &Path) -> Option<bool> {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["status", "--porcelain", "--untracked-files=no"]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then_some(!output.stdout.is_empty())
}

/// The first output of a program that succeeds and prints something.
fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// A repository's address without user, password and query, any of which may be a token.
/// `git@host:path` is unchanged: the part before the `@` is not a secret there.
fn without_login(address: &str) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return address.to_owned();
    };
    if url.cannot_be_a_base() {
        // `host:path`, which reads like a URL with the scheme `host`.
        return address.to_owned();
    }
    // A URL that cannot have them has nothing to remove.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::for_server("http://host.example", |_| None).unwrap()
    }

    fn git(folder: &Path, arguments: &[&str]) {
        let status = Command::new("git")
            .arg("-C")
            .arg(folder)
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@host.example"])
            .args(arguments)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "git {arguments:?}");
    }

    fn tags(folder: &Path) -> Vec<(String, String)> {
        let provenance = Provenance::find("train", folder, &settings(), |name| {
            (name == "USER").then(|| "ada".into())
        });
        let pair = |tag: &Tag| (tag.key.to_string(), tag.value().to_owned());
        provenance.tags().iter().map(pair).collect()
    }

    #[test]
    fn a_repositorys_address_loses_its_token() {
        let cases = [
            ("https://ada:hush@host.example/a/b.git", "https://host.example/a/b.git"),
            ("https://hush@host.example/a?private_token=hush#hush", "https://host.example/a"),
            ("git@host.example:a/b.git", "git@host.example:a/b.git"),
            ("ssh://git@host.example/a", "ssh://host.example/a"),
            ("/srv/git/a", "/srv/git/a"),
        ];
        for (address, expected) in cases {
            assert_eq!(without_login(address), expected);
        }
    }

    #[test]
    fn a_run_carries_the_state_of_its_repository() {
        let folder = tempfile::tempdir().unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let bare = tags(folder.path());
        assert!(bare.contains(&pair("mlflow.user", "ada")), "{bare:?}");
        assert!(bare.iter().all(|(name, _)| !name.contains("git")), "{bare:?}");

        git(folder.path(), &["init", "--quiet", "--initial-branch=trunk"]);
        git(folder.path(), &["remote", "add", "origin", "https://ada:hush@host.example/a.git"]);
        std::fs::write(folder.path().join("file"), "1").unwrap();
        git(folder.path(), &["add", "file"]);
        git(folder.path(), &["commit", "--quiet", "--message=one"]);
        let committed = tags(folder.path());
        let value = |name: &str| {
            committed.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
        };
        assert_eq!(value("mlflow.source.name"), Some("train"));
        assert_eq!(value("mlflow.source.type"), Some("LOCAL"));
        assert_eq!(value("mlflow.source.git.commit").map(str::len), Some(40));
        assert_eq!(value("mlflow.source.git.branch"), Some("trunk"));
        assert_eq!(value("mlflow.source.git.repoURL"), Some("https://host.example/a.git"));
        assert_eq!(value("mlflow.source.git.dirty"), Some("false"));

        std::fs::write(folder.path().join("file"), "2").unwrap();
        assert!(tags(folder.path()).contains(&pair("mlflow.source.git.dirty", "true")));
        git(folder.path(), &["checkout", "--quiet", "--detach"]);
        assert!(tags(folder.path()).iter().all(|(name, _)| name != "mlflow.source.git.branch"));
    }

    #[test]
    fn the_user_is_the_one_of_the_login() {
        let settings = Settings::for_server("http://bob:hush@host.example", |_| None).unwrap();
        let provenance =
            Provenance::find("train", Path::new("/"), &settings, |_| Some("ada".into()));
        assert_eq!(provenance.user.as_deref(), Some("bob"));
    }
}
