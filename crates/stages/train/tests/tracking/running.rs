use std::io::{BufRead as _, BufReader, Lines};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStderr, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::project::Project;

/// The running program, and its log so far.
pub(crate) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStderr>>,
    log: String,
}

impl Running {
    pub(crate) fn start(project: &Project, server: &str, arguments: &[&str]) -> Self {
        let mut command = project.train(arguments);
        command.env("MLFLOW_TRACKING_URI", server);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, lines, log: String::new() }
    }

    /// Continues reading until a line contains `part`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, part: &str) {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            self.log += &line;
            self.log.push('\n');
            if line.contains(part) {
                return;
            }
        }
        panic!("the program ended before {part:?}: {}", self.log);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for success; returns the whole log.
    #[track_caller]
    pub(crate) fn succeed(self) -> String {
        let (status, log) = self.end();
        assert!(status.success(), "{status}: {log}");
        log
    }

    /// Waits for the signal to end it; returns the whole log.
    #[track_caller]
    pub(crate) fn die_of(self, signal: Signal) -> String {
        let (status, log) = self.end();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}: {log}");
        log
    }

    fn end(mut self) -> (ExitStatus, String) {
        for line in self.lines.by_ref() {
            self.log += &line.unwrap();
            self.log.push('\n');
        }
        (self.child.wait().unwrap(), self.log)
    }
}
