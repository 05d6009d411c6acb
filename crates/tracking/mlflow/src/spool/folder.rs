use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use artifact::WithPath;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::spool::{Content, JournalWriter, journal};
use crate::{ArtifactPath, Error, ExperimentId, Result, RunId, ServerAddress, Timestamp};

const EVENTS: &str = "events.jsonl";
const STATE: &str = "state.json";
const REFUSED: &str = "refused.jsonl";
const FILES: &str = "files";
const DELIVERY_LOCK: &str = "delivery.lock";

/// The folder of one run's spool.
///
/// | file | content |
/// |---|---|
/// | `events.jsonl` | all events of the run, in order; only grows |
/// | `files/` | copies of artifacts that are not delivered yet |
/// | `state.json` | the run's ID, and how far the events are delivered |
/// | `refused.jsonl` | what the server refused for good, with the reason |
/// | `delivery.lock` | held by the one program that delivers |
#[derive(Debug, Clone)]
pub(crate) struct SpoolFolder {
    path: PathBuf,
}

/// How far a spool is delivered, and to which run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// The run, once it has been created.
    pub(crate) run: Option<RunPlace>,
    /// Bytes of `events.jsonl` that are delivered.
    pub(crate) delivered_bytes: u64,
    /// Artifacts among them that the server has not accepted yet.
    #[serde(default, skip_serializing_if = "VecDeque::is_empty")]
    pub(crate) postponed: VecDeque<PostponedArtifact>,
}

/// An artifact that has to be sent again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PostponedArtifact {
    pub(crate) path: ArtifactPath,
    pub(crate) content: Content,
}

/// The server and ID of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RunPlace {
    pub(crate) server: ServerAddress,
    pub(crate) experiment: ExperimentId,
    pub(crate) id: RunId,
    pub(crate) artifact_uri: String,
}

impl SpoolFolder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn events(&self) -> PathBuf {
        self.path.join(EVENTS)
    }

    /// Whether it contains a spool.
    pub(crate) fn is_spool(&self) -> bool {
        self.events().is_file()
    }

    /// Creates the folder if it is missing, and opens its journal.
    pub(crate) fn open_journal(&self) -> Result<JournalWriter> {
        let files = self.path.join(FILES);
        fs::create_dir_all(&files).with_path("create folder", &files)?;
        JournalWriter::open(&self.events())
    }

    /// Whether a program is appending to it.
    pub(crate) fn is_being_written(&self) -> Result<bool> {
        journal::is_being_written(&self.events())
    }

    /// Claims the delivery for this program, until the file is dropped; `None` if another one
    /// delivers.
    pub(crate) fn lock_delivery(&self) -> Result<Option<File>> {
        lock(&self.path.join(DELIVERY_LOCK))
    }

    pub(crate) fn state(&self) -> Result<State> {
        let path = self.path.join(STATE);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(State::default()),
            Err(error) => return Ok(Err(error).with_path("read", &path)?),
        };
        serde_json::from_slice(&bytes).map_err(|error| Error::Spool {
            folder: self.path.clone(),
            reason: format!("{STATE} is not what this program wrote ({error})"),
        })
    }

    pub(crate) fn save_state(&self, state: &State) -> Result<()> {
        let path = self.path.join(STATE);
        Ok(artifact::write_json(&path, state)?)
    }

    /// Copies a file into the spool.
    pub(crate) fn copy_in(&self, file: &Path) -> Result<Content> {
        let mut source = File::open(file).with_path("open", file)?;
        self.store(|to| io::copy(&mut source, to).map(drop))
    }

    /// Writes bytes into a file of the spool.
    pub(crate) fn write_in(&self, bytes: &[u8]) -> Result<Content> {
        self.store(|to| to.write_all(bytes))
    }

    fn store(&self, fill: impl FnOnce(&mut File) -> io::Result<()>) -> Result<Content> {
        let name = format!("{:016x}", rand::random::<u64>());
        let path = self.path.join(FILES).join(&name);
        // No rename is needed: the name is unknown until the event that contains it.
        let mut file = File::create_new(&path).with_path("create", &path)?;
        fill(&mut file).with_path("write", &path)?;
        Ok(Content::Copied(name))
    }

    /// The file with an artifact's content, if it is still the one that was logged.
    pub(crate) fn content(&self, content: &Content) -> Result<PathBuf> {
        match content {
            Content::Copied(name) => Ok(self.path.join(FILES).join(name)),
            Content::InPlace { path, bytes, sha256 } => {
                if digest(path)? == (*bytes, sha256.clone()) {
                    return Ok(path.clone());
                }
                let changed = io::Error::other("it has changed since it was logged");
                Ok(Err(changed).with_path("read", path)?)
            }
        }
    }

    /// Removes the copy of a delivered artifact.
    pub(crate) fn forget(&self, content: &Content) {
        if let Content::Copied(name) = content {
            // A file that cannot be removed only takes some space.
            let _ = fs::remove_file(self.path.join(FILES).join(name));
        }
    }

    /// Records an entry that the server refused for good, with the reason.
    pub(crate) fn set_aside(&self, refused: &impl Serialize, reason: &Error) -> Result<()> {
        let path = self.path.join(REFUSED);
        let line = json!({
            "time": Timestamp::now(),
            "reason": reason.to_string(),
            "event": refused,
        });
        let mut file = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(&path)
            .with_path("open", &path)?;
        Ok(file.write_all(format!("{line}\n").as_bytes()).with_path("write", &path)?)
    }
}

/// Locks a file, which is created if it is missing; `None` if another program holds the lock.
pub(crate) fn lock(path: &Path) -> Result<Option<File>> {
    let file = File::create(path).with_path("open", path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Ok(Err(error).with_path("lock", path)?),
    }
}

/// A file's length in bytes and SHA-256 digest.
pub(crate) fn digest(path: &Path) -> Result<(u64, String)> {
    let mut file = File::open(path).with_path("open", path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        let count = file.read(&mut buffer).with_path("read", path)?;
        if count == 0 {
            let hex = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
            return Ok((bytes, hex));
        }
        hasher.update(&buffer[..count]);
        bytes += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_changed_since_is_not_delivered() {
        let folder = tempfile::tempdir().unwrap();
        let spool = SpoolFolder::new(&folder.path().join("run"));
        spool.open_journal().unwrap();
        let file = folder.path().join("model.bin");
        fs::write(&file, "abc").unwrap();
        let (bytes, sha256) = digest(&file).unwrap();
        // FIPS 180-4
        assert_eq!(sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let in_place = Content::InPlace { path: file.clone(), bytes, sha256 };
        let copied = spool.copy_in(&file).unwrap();
        assert_eq!(spool.content(&in_place).unwrap(), file);
        fs::write(&file, "abd").unwrap();
        let message = spool.content(&in_place).unwrap_err().to_string();
        assert!(message.contains("changed since"), "{message}");
        assert_eq!(fs::read(spool.content(&copied).unwrap()).unwrap(), b"abc");
    }

    #[test]
    fn one_program_delivers_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let spool = SpoolFolder::new(folder.path());
        let held = spool.lock_delivery().unwrap();
        assert!(held.is_some());
        assert!(spool.lock_delivery().unwrap().is_none());
        drop(held);
        assert!(spool.lock_delivery().unwrap().is_some());
    }

    #[test]
    fn the_state_is_read_as_it_was_saved() {
        let folder = tempfile::tempdir().unwrap();
        let spool = SpoolFolder::new(folder.path());
        assert_eq!(spool.state().unwrap(), State::default());
        let place = RunPlace {
            server: ServerAddress::parse("http://host.example").unwrap().0,
            experiment: "1".to_owned().into(),
            id: RunId::new("r1").unwrap(),
            artifact_uri: "mlflow-artifacts:/1/r1/artifacts".into(),
        };
        let content = Content::Copied("f".into());
        let path = ArtifactPath::new("a.png").unwrap();
        let postponed = [PostponedArtifact { path, content }].into();
        let state = State { run: Some(place), delivered_bytes: 77, postponed };
        spool.save_state(&state).unwrap();
        assert_eq!(spool.state().unwrap(), state);
        fs::write(folder.path().join(STATE), "{").unwrap();
        assert!(spool.state().unwrap_err().to_string().contains("state.json"));
    }
}
