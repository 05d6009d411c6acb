//! The room that a store may take, shared by all processes that use it.
//!
//! ```text
//! <root>/lock                         held by a process that enters or makes room
//! <root>/users/<set>.<since>.<pid>    one per user, locked while it lives; the bytes it may add
//! <root>/writing/<user>~…             activations that are being written
//! <root>/<set>/<xx>/….features        activations; the file's time is that of its last use
//! ```
//!
//! The system releases a lock when a process ends in any way, so that nothing needs cleaning up
//! after a kill.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, DirEntry, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use artifact::{Result, WithPath};

/// The extension of an activation's file.
pub(super) const ACTIVATION_EXTENSION: &str = "features";
/// Hexadecimal digits in the name of a set's folder, as [`artifact::Digest::short`] gives them.
const SET_DIGITS: usize = 12;
const USERS: &str = "users";
const WRITING: &str = "writing";

/// One user's view of the room.
#[derive(Debug)]
pub(super) struct FeatureRoom {
    root: PathBuf,
    limit_bytes: u64,
    user: User,
}

/// Permission to add this many bytes. The unused part is given back when it is dropped.
#[derive(Debug)]
pub(super) struct DiskGrant<'a> {
    room: &'a FeatureRoom,
    bytes: u64,
}

/// Shows other processes that this one uses a set, since when, and how much it may add.
#[derive(Debug)]
struct User {
    name: String,
    path: PathBuf,
    marker: File,
}

/// The content of a store.
#[derive(Debug, Default)]
struct Survey {
    activations: Vec<ActivationFile>,
    /// The time since when each set is in use.
    in_use: BTreeMap<String, SystemTime>,
    /// Bytes that other users may still add.
    granted_bytes: u64,
}

#[derive(Debug)]
struct ActivationFile {
    path: PathBuf,
    set: String,
    bytes: u64,
    last_used: SystemTime,
}

impl FeatureRoom {
    /// The bytes that a user needs for its marker.
    pub(super) const MARKER_BYTES: u64 = size_of::<u64>() as u64;

    /// Announces to all others that activations of `set` are in use from now on.
    pub(super) fn enter(root: &Path, set: &str, limit_bytes: u64) -> Result<Self> {
        let _lock = lock(root)?;
        let user = User::arrive(root, set)?;
        Ok(Self { root: root.to_owned(), limit_bytes, user })
    }

    /// A file for an activation that is being written, on the same file system as the activations.
    pub(super) fn begin_file(&self) -> Result<tempfile::NamedTempFile> {
        let folder = self.root.join(WRITING);
        artifact::create_folder(&folder)?;
        tempfile::Builder::new()
            // Like any other file: everyone who shares the store may read it.
            .permissions(Permissions::from_mode(0o666))
            .prefix(&format!("{}~", self.user.name))
            .tempfile_in(&folder)
            .with_path("create a file in", &folder)
    }

    /// Removes the least recently used activations that no running process uses, until there is
    /// room for this many bytes more; grants as many as there are in the end.
    pub(super) fn grant(&self, wanted_bytes: u64) -> Result<DiskGrant<'_>> {
        let _lock = lock(&self.root)?;
        let survey = Survey::take(&self.root, &self.user)?;
        let kept_bytes: u64 = survey.activations.iter().map(|activation| activation.bytes).sum();
        let taken = kept_bytes + survey.granted_bytes;
        let wanted_of_others = (taken + wanted_bytes).saturating_sub(self.limit_bytes);
        let freed = survey.remove_oldest(wanted_of_others, &self.root)?;
        let bytes = wanted_bytes.min(self.limit_bytes.saturating_sub(taken - freed));
        self.user.may_add(bytes)?;
        Ok(DiskGrant { room: self, bytes })
    }
}

impl DiskGrant<'_> {
    /// Uses up some of it, if that much is left.
    pub(super) fn take(&mut self, bytes: u64) -> bool {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.unwrap_or(self.bytes);
        left.is_some()
    }

    /// How much is left.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Drop for DiskGrant<'_> {
    fn drop(&mut self) {
        // If this cannot be written, others keep more room free than they need to.
        let _ = self.room.user.may_add(0);
    }
}

impl User {
    /// Called with the store locked, so that no process mistakes the marker for that of a dead
    /// process before it is locked.
    fn arrive(root: &Path, set: &str) -> Result<Self> {
        let folder = root.join(USERS);
        artifact::create_folder(&folder)?;
        let since = now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let name = format!("{set}.{since}.{}", std::process::id());
        let path = folder.join(&name);
        let marker = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_path("open", &path)?;
        let user = Self { name, path, marker };
        user.marker.lock().with_path("lock", &user.path)?;
        user.may_add(0)?;
        Ok(user)
    }

    /// Always the same number of bytes, so that writing a grant needs no extra room.
    fn may_add(&self, bytes: u64) -> Result<()> {
        let mut marker = &self.marker;
        marker
            .rewind()
            .and_then(|()| marker.write_all(&bytes.to_le_bytes()))
            .with_path("write", &self.path)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        // Without its lock the marker counts as dead anyway.
        let _ = fs::remove_file(&self.path);
    }
}

impl Survey {
    /// Looks through the whole store, which is locked, and removes the markers of dead users.
    fn take(root: &Path, own: &User) -> Result<Self> {
        let mut survey = Self::default();
        let mut living = vec![own.name.clone()];
        survey.count_user(&own.name);
        for entry in list(&root.join(USERS))? {
            let name = name_of(&entry);
            if name == own.name {
                continue;
            }
            if let Some(granted) = granted_if_alive(&entry.path()) {
                survey.granted_bytes += granted;
                survey.count_user(&name);
                living.push(name);
            }
        }
        for entry in list(&root.join(WRITING))? {
            let user = name_of(&entry);
            if !living.iter().any(|name| user.split('~').next() == Some(name)) {
                let _ = fs::remove_file(entry.path());
            }
        }
        for set in sets(root)? {
            survey.count_activations(&set)?;
        }
        Ok(survey)
    }

    fn count_user(&mut self, name: &str) {
        let mut parts = name.split('.');
        let (Some(set), Some(since)) = (parts.next(), parts.next()) else { return };
        let Ok(nanoseconds) = since.parse() else { return };
        let since = UNIX_EPOCH + Duration::from_nanos(nanoseconds);
        let oldest = self.in_use.entry(set.to_owned()).or_insert(since);
        *oldest = since.min(*oldest);
    }

    fn count_activations(&mut self, set: &DirEntry) -> Result<()> {
        let name = name_of(set);
        for part in list(&set.path())? {
            for entry in list(&part.path())? {
                let path = entry.path();
                // An activation that has been removed meanwhile needs no room.
                let Ok(metadata) = entry.metadata() else { continue };
                if metadata.is_file()
                    && path.extension().is_some_and(|it| it == ACTIVATION_EXTENSION)
                {
                    let last_used = metadata.modified().with_path("ask for the time of", &path)?;
                    let (set, bytes) = (name.clone(), metadata.len());
                    self.activations.push(ActivationFile { path, set, bytes, last_used });
                }
            }
        }
        Ok(())
    }

    /// Whether a running process has used the activation.
    fn is_in_use(&self, activation: &ActivationFile) -> bool {
        self.in_use.get(&activation.set).is_some_and(|since| activation.last_used >= *since)
    }

    /// Returns the number of bytes removed: at least `bytes`, if there are that many.
    fn remove_oldest(&self, bytes: u64, root: &Path) -> Result<u64> {
        let mut idle: Vec<&ActivationFile> =
            self.activations.iter().filter(|activation| !self.is_in_use(activation)).collect();
        idle.sort_by_key(|activation| (activation.last_used, &activation.path));
        let (mut removed, mut freed) = (0, 0);
        for activation in idle {
            if freed >= bytes {
                break;
            }
            match fs::remove_file(&activation.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    Err(error).with_path("remove", &activation.path)?;
                }
                _ => (removed, freed) = (removed + 1, freed + activation.bytes),
            }
        }
        if removed > 0 {
            tracing::info!(
                "removed the {removed} features that were used longest ago ({}), to keep {} within \
                 features.limit_gigabytes",
                ByteCount(freed),
                root.display()
            );
            self.remove_empty_sets(root)?;
        }
        Ok(freed)
    }

    /// No process can start using a set meanwhile: the store is locked.
    fn remove_empty_sets(&self, root: &Path) -> Result<()> {
        for set in sets(root)? {
            if self.in_use.contains_key(&name_of(&set)) {
                continue;
            }
            for part in list(&set.path())? {
                // Fails if it is not empty, as intended.
                let _ = fs::remove_dir(part.path());
            }
            let _ = fs::remove_dir(set.path());
        }
        Ok(())
    }
}

/// Formats a number of bytes in a suitable unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByteCount(pub(crate) u64);

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..1_000 => write!(f, "{} bytes", self.0),
            1_000..1_000_000 => write!(f, "{:.3} kB", bytes / 1e3),
            1_000_000..1_000_000_000 => write!(f, "{:.3} MB", bytes / 1e6),
            _ => write!(f, "{:.3} GB", bytes / 1e9),
        }
    }
}

/// Prevents other processes from entering and from making room while the file is open.
fn lock(root: &Path) -> Result<File> {
    artifact::create_folder(root)?;
    let path = root.join("lock");
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(&path);
    let file = file.with_path("open", &path)?;
    file.lock().with_path("lock", &path)?;
    Ok(file)
}

/// The bytes that a user may still add, or `None` if its process has ended; its marker is then
/// removed.
fn granted_if_alive(path: &Path) -> Option<u64> {
    let mut marker = File::open(path).ok()?;
    if !matches!(marker.try_lock(), Err(TryLockError::WouldBlock)) {
        let _ = fs::remove_file(path);
        return None;
    }
    let mut bytes = [0; 8];
    marker.read_exact(&mut bytes).ok()?;
    Some(u64::from_le_bytes(bytes))
}

/// The time for comparing uses: that of this process, for files and users alike.
pub(super) fn now() -> SystemTime {
    SystemTime::now()
}

/// The entries of a folder; none if it does not exist, or is a file.
fn list(folder: &Path) -> Result<Vec<DirEntry>> {
    match fs::read_dir(folder) {
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(Vec::new())
        }
        entries => entries.and_then(Iterator::collect).with_path("list", folder),
    }
}

/// The folders of sets; other entries of the store are ignored.
fn sets(root: &Path) -> Result<Vec<DirEntry>> {
    let is_set = |entry: &DirEntry| {
        let name = name_of(entry);
        name.len() == SET_DIGITS && name.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    Ok(list(root)?.into_iter().filter(is_set).collect())
}

fn name_of(entry: &DirEntry) -> String {
    entry.file_name().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SET: &str = "0123456789ab";
    const OTHER_SET: &str = "ba9876543210";

    struct Store(tempfile::TempDir);

    impl Store {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn enter(&self, set: &str, limit_bytes: u64) -> FeatureRoom {
            FeatureRoom::enter(self.0.path(), set, limit_bytes).unwrap()
        }

        /// A file of 100 bytes that was last used this many seconds ago.
        fn activation(&self, set: &str, name: &str, seconds_ago: u64) -> PathBuf {
            let folder = self.0.path().join(set).join(&name[..2]);
            fs::create_dir_all(&folder).unwrap();
            let path = folder.join(format!("{name}.{ACTIVATION_EXTENSION}"));
            fs::write(&path, [0; 100]).unwrap();
            let file = File::options().append(true).open(&path).unwrap();
            file.set_modified(now() - Duration::from_secs(seconds_ago)).unwrap();
            path
        }
    }

    #[test]
    fn what_was_used_longest_ago_goes_first_whichever_set_it_is_of() {
        let store = Store::new();
        let oldest = store.activation(OTHER_SET, "aa1", 30);
        let older = store.activation(SET, "bb2", 20);
        let newest = store.activation(OTHER_SET, "cc3", 10);
        let room = store.enter(SET, 350);
        assert_eq!(room.grant(50).unwrap().bytes(), 50);
        assert!(oldest.exists() && older.exists() && newest.exists(), "there was room");
        assert_eq!(room.grant(100).unwrap().bytes(), 100);
        assert!(!oldest.exists() && older.exists() && newest.exists());
        assert_eq!(room.grant(200).unwrap().bytes(), 200);
        assert!(!older.exists() && newest.exists());
    }

    #[test]
    fn what_a_living_user_has_used_stays_and_the_grant_is_smaller_for_it() {
        let store = Store::new();
        let unused = store.activation(SET, "aa1", 10);
        let user = store.enter(SET, 300);
        let used = store.activation(SET, "bb2", 0);
        let newer = store.activation(OTHER_SET, "cc3", 0);
        let other = store.enter(OTHER_SET, 300);
        let grant = other.grant(1000).unwrap();
        assert!(used.exists() && !unused.exists() && !newer.exists());
        assert_eq!(grant.bytes(), 200);
        drop((grant, user));
        assert_eq!(other.grant(1000).unwrap().bytes(), 300);
        assert!(!used.exists(), "its user is gone");
    }

    #[test]
    fn what_others_may_still_add_is_counted_until_they_give_it_back() {
        let store = Store::new();
        let (one, other) = (store.enter(SET, 1000), store.enter(SET, 1000));
        let grant = one.grant(700).unwrap();
        assert_eq!(other.grant(700).unwrap().bytes(), 300);
        drop(grant);
        assert_eq!(other.grant(700).unwrap().bytes(), 700);
    }

    #[test]
    fn a_grant_is_used_up() {
        let store = Store::new();
        let room = store.enter(SET, 250);
        let mut grant = room.grant(1000).unwrap();
        assert!(grant.take(100) && grant.take(100) && !grant.take(100));
        assert_eq!(grant.bytes(), 50);
        assert!(grant.take(50));
    }

    #[test]
    fn what_a_killed_user_left_is_cleared_and_counts_no_more() {
        let store = Store::new();
        let killed = store.enter(SET, 1000);
        let grant = killed.grant(900).unwrap();
        let (_, half_written) = killed.begin_file().unwrap().keep().unwrap();
        let marker = killed.user.path.clone();
        let living = store.enter(SET, 1000);
        let (_, being_written) = living.begin_file().unwrap().keep().unwrap();
        // A kill closes its files, and does nothing else.
        std::mem::forget(grant);
        drop(killed);
        fs::write(&marker, 900_u64.to_le_bytes()).unwrap();
        assert_eq!(living.grant(1000).unwrap().bytes(), 1000);
        assert!(!marker.exists() && !half_written.exists() && being_written.exists());
    }

    #[test]
    fn sets_that_are_empty_go_and_what_is_not_the_stores_stays() {
        let store = Store::new();
        let notes = store.0.path().join("my notes");
        fs::create_dir_all(&notes).unwrap();
        fs::write(notes.join("thesis.features"), [0; 100]).unwrap();
        store.activation(OTHER_SET, "aa1", 10);
        let room = store.enter(SET, 50);
        assert_eq!(room.grant(10).unwrap().bytes(), 10);
        assert!(notes.join("thesis.features").exists());
        assert!(!store.0.path().join(OTHER_SET).exists());
    }

    #[test]
    fn amounts_read_well() {
        let shown = [8, 2_092, 1_500_000, 20_000_000_000].map(|bytes| ByteCount(bytes).to_string());
        assert_eq!(shown, ["8 bytes", "2.092 kB", "1.500 MB", "20.000 GB"]);
    }
}
