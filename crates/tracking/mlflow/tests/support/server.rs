use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

/// A real `mlflow server` on a free port of this machine, with SQLite and its artifacts in a
/// temporary folder. Ends with its process group when it is dropped.
pub(crate) struct MlflowServer {
    folder: TempDir,
    port: u16,
    process: Option<Child>,
}

impl MlflowServer {
    /// Starts a server; use [`wait`](Self::wait) before requests.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut server = Self { folder, port, process: None };
        server.restart();
        server
    }

    /// Starts it again, on the same port and store.
    pub(crate) fn restart(&mut self) {
        assert!(self.process.is_none(), "it is running");
        let log = File::options().append(true).create(true).open(self.log()).unwrap();
        let store = format!("sqlite:///{}", self.folder.path().join("mlflow.db").display());
        let process = Command::new(super::reference("mlflow"))
            .args(["server", "--host", "127.0.0.1", "--workers", "1", "--port"])
            .arg(self.port.to_string())
            .args(["--backend-store-uri", &store, "--artifacts-destination"])
            .arg(self.artifacts())
            .current_dir(self.folder.path())
            .env("MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "false")
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .process_group(0)
            .spawn()
            .unwrap();
        self.process = Some(process);
    }

    /// Waits until it answers.
    pub(crate) fn wait(&mut self) -> &mut Self {
        let client = mlflow::Client::without_retries(&super::settings(&self.url(), &[])).unwrap();
        let deadline = Instant::now() + Duration::from_secs(120);
        while let Err(error) = client.health() {
            let ended = self.process.as_mut().unwrap().try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "no server ({ended:?}, {error}):\n{}",
                fs::read_to_string(self.log()).unwrap()
            );
            thread::sleep(Duration::from_millis(100));
        }
        self
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its artifact folder.
    pub(crate) fn artifacts(&self) -> PathBuf {
        self.folder.path().join("artifacts")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// Kills the server and its workers, as a power cut would.
    pub(crate) fn kill(&mut self) {
        let Some(mut process) = self.process.take() else { return };
        let group = Pid::from_child(&process);
        kill_process_group(group, Signal::KILL).unwrap();
        process.wait().unwrap();
        // The worker, which holds the port, is not our child: it has ended when the port is free.
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpListener::bind(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < deadline, "port {} stays taken", self.port);
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for MlflowServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = kill_process_group(Pid::from_child(&process), Signal::KILL);
            let _ = process.wait();
        }
    }
}
