//! Only one training at a time, whoever started it: `training.lock`.
//!
//! The programs of a training hold the lock themselves, as their standard input, and so does
//! everything that they start. It is free only when the last of them has ended: if the server is
//! killed they continue, and the next server does not start a second training beside them.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::process::Stdio;

use rustix::fs::{FlockOperation, flock};

const FILE: &str = "training.lock";

/// The lock, held by every process with a copy of it.
#[derive(Debug)]
pub(crate) struct TrainingLock(File);

impl TrainingLock {
    /// Takes it. `None` if the programs of a training are still running.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(crate) fn take(folder: &Path) -> io::Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let file = open.open(folder.join(FILE))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A copy for a program, which then holds it too. The file is empty: reading it ends at once.
    pub(crate) fn as_input(&self) -> io::Result<Stdio> {
        Ok(self.0.try_clone()?.into())
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn what_a_program_holds_is_free_only_when_its_last_child_has_ended() {
        let folder = tempfile::tempdir().unwrap();
        let lock = TrainingLock::take(folder.path()).unwrap().unwrap();
        assert!(TrainingLock::take(folder.path()).unwrap().is_none(), "it is held here");
        // A shell gives background programs no input of their own, so the test uses another number.
        let mut grandchild = Command::new("sh")
            .args(["-c", "exec 3<&0; sleep 600 & echo $!"])
            .stdin(lock.as_input().unwrap())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut id = String::new();
        io::BufRead::read_line(&mut io::BufReader::new(grandchild.stdout.take().unwrap()), &mut id)
            .unwrap();
        grandchild.wait().unwrap();
        drop(lock);
        assert!(TrainingLock::take(folder.path()).unwrap().is_none(), "the sleeping one holds it");
        assert!(Command::new("kill").arg(id.trim()).status().unwrap().success());
        while TrainingLock::take(folder.path()).unwrap().is_none() {
            std::thread::yield_now();
        }
    }
}
