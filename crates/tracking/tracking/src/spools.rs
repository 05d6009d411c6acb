//! Chooses the spool that a program continues.
//!
//! The first run of a training is in `<training>`, further ones in `<training>-2` and so on: the
//! same inputs may be trained again, after the first run is finished, or for another server.

use std::path::{Path, PathBuf};

use mlflow::{Result, RunStatus, ServerAddress, SpoolStatus, spool_status};

use crate::Program;

/// The spool for a program's work on a training.
pub(crate) fn choose(
    folder: &Path,
    training: &str,
    program: Program,
    server: &ServerAddress,
) -> Result<PathBuf> {
    let mut latest = None;
    for number in 1.. {
        let path = folder.join(match number {
            1 => training.to_owned(),
            number => format!("{training}-{number}"),
        });
        match spool_status(&path)? {
            Some(status) => latest = Some((path, status)),
            None => {
                return Ok(match latest {
                    Some((latest, status)) if goes_on(program, &status, server) => latest,
                    _ => path,
                });
            }
        }
    }
    unreachable!("one of all numbers is free")
}

/// Whether the program continues a run. A run on another server stays there.
fn goes_on(program: Program, status: &SpoolStatus, server: &ServerAddress) -> bool {
    let is_there = status.server.as_ref().is_none_or(|known| known == server);
    is_there
        && match program {
            Program::Train => status.end != Some(RunStatus::Finished),
            Program::Evaluate => true,
        }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use mlflow::{RepeatedPoint, Settings, Tracker, Tracking};

    use super::*;

    fn server() -> Settings {
        Settings::for_server(&test_server::closed_address(), |_| None).unwrap()
    }

    /// Leaves a spool as a program that could not reach its server.
    fn leave(spool: &Path, status: RunStatus) {
        let tracking = Tracking {
            settings: server(),
            spool: spool.to_owned(),
            name: None,
            tags: Vec::new(),
            repeated: RepeatedPoint::KeepFirst,
            system_metrics: None,
        };
        Tracker::start(tracking).finish(status, Duration::ZERO);
    }

    #[test]
    fn a_training_goes_on_until_it_is_finished_and_is_evaluated_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let choose = |program| {
            let path = choose(folder.path(), "abc", program, &server().server).unwrap();
            path.file_name().unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(choose(Program::Train), "abc");
        assert_eq!(choose(Program::Evaluate), "abc");
        for status in [RunStatus::Killed, RunStatus::Failed] {
            leave(&folder.path().join("abc"), status);
            assert_eq!(choose(Program::Train), "abc");
        }
        leave(&folder.path().join("abc"), RunStatus::Finished);
        assert_eq!(choose(Program::Evaluate), "abc");
        assert_eq!(choose(Program::Train), "abc-2");
        leave(&folder.path().join("abc-2"), RunStatus::Finished);
        assert_eq!(choose(Program::Evaluate), "abc-2");
        assert_eq!(choose(Program::Train), "abc-3");
    }

    #[test]
    fn what_another_server_has_stays_there() {
        let status = |address: &str| {
            let (server, _) = ServerAddress::parse(address).unwrap();
            SpoolStatus { server: Some(server), end: None }
        };
        let (here, _) = ServerAddress::parse("http://host.example").unwrap();
        for program in [Program::Train, Program::Evaluate] {
            assert!(goes_on(program, &status("http://host.example"), &here));
            assert!(!goes_on(program, &status("http://other.example"), &here));
        }
    }
}
