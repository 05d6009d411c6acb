//! A PostgreSQL server of this process, on a Unix socket in a temporary folder.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use rustix::process::{Pid, Signal, kill_process};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use crate::databases::skip;

/// A running server. It stops when the last test that uses it has ended.
pub(crate) struct Cluster {
    server: Mutex<Child>,
    programs: PathBuf,
    user: Option<u32>,
    folder: TempDir,
    databases: AtomicU32,
}

static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());

impl Cluster {
    /// The server that tests of this process share; `None` if PostgreSQL is not installed.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap();
        if let Some(cluster) = shared.upgrade() {
            return Some(cluster);
        }
        let cluster = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&cluster);
        Some(cluster)
    }

    /// A separate server, for a test that stops it.
    pub(crate) fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            skip("PostgreSQL's initdb is not installed", "HOUNSFIELD_REQUIRE_POSTGRES");
            return None;
        };
        let folder = TempDir::new().unwrap();
        let user = other_than_root();
        std::os::unix::fs::chown(folder.path(), user, None).unwrap();
        let output = as_user(&programs.join("initdb"), user)
            .args(["--username=hounsfield", "--auth=trust", "--no-sync", "--encoding=UTF8"])
            .args(["--locale=C", "--pgdata"])
            .arg(folder.path().join("data"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let server = Mutex::new(serve(&programs, user, folder.path()));
        Some(Self { server, programs, user, folder, databases: AtomicU32::new(0) })
    }

    /// The address of a database of this server.
    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://hounsfield@localhost/{database}?host={}", self.folder.path().display())
    }

    /// A connection besides the store's.
    pub(crate) async fn connect(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.url(database)).await.unwrap()
    }

    /// The address of a new, empty database.
    pub(crate) async fn new_database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = self.connect("postgres").await;
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut connection).await.unwrap();
        self.url(&name)
    }

    /// Stops the server at once, as if its machine had failed.
    pub(crate) fn stop(&self) {
        let mut server = self.server.lock().unwrap();
        // Without this PostgreSQL would leave its shared memory behind.
        kill_process(Pid::from_child(&server), Signal::QUIT).unwrap();
        server.wait().unwrap();
    }

    /// Starts a server that was stopped.
    pub(crate) fn start_again(&self) {
        *self.server.lock().unwrap() = serve(&self.programs, self.user, self.folder.path());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let running = matches!(self.server.get_mut().unwrap().try_wait(), Ok(None));
        if running {
            self.stop();
        }
    }
}

/// Starts the server and waits until it reports that it is ready.
fn serve(programs: &Path, user: Option<u32>, folder: &Path) -> Child {
    let mut server = as_user(&programs.join("postgres"), user)
        .arg("-D")
        .arg(folder.join("data"))
        .arg("-k")
        .arg(folder)
        .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"])
        .env("LC_ALL", "C")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(Ok(line)) = log.next() {
        if line.contains("ready to accept connections") {
            // Keep reading, so that the server never waits for a reader of its log.
            std::thread::spawn(move || log.for_each(drop));
            return server;
        }
        said += &line;
        said.push('\n');
    }
    server.wait().unwrap();
    panic!("PostgreSQL did not start:\n{said}");
}

/// Debian's folder for them, newest first; otherwise wherever they are found.
fn programs() -> Option<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|version| Some(version.ok()?.path().join("bin")))
        .collect();
    let version = |path: &PathBuf| path.parent()?.file_name()?.to_str()?.parse::<u32>().ok();
    folders.sort_by_key(version);
    folders.reverse();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.into_iter().find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}

fn as_user(program: &Path, user: Option<u32>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/");
    if let Some(user) = user {
        command.uid(user);
    }
    command
}

/// PostgreSQL refuses to run as root. `None` if we are not root.
fn other_than_root() -> Option<u32> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap();
    ["postgres", "nobody"].iter().find_map(|name| {
        let account = accounts.lines().find(|line| line.split(':').next() == Some(name))?;
        account.split(':').nth(2)?.parse().ok()
    })
}
