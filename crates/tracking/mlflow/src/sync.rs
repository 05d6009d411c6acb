//! Delivers spools that programs could not deliver.

use std::fs;
use std::path::{Path, PathBuf};

use artifact::WithPath;

use crate::client::Client;
use crate::delivery::{Delivery, Step};
use crate::spool::{self, Event, Index, Record, SpoolFolder};
use crate::{Error, Result, RunId, RunStatus, ServerAddress, Settings};

const SYNC_LOCK: &str = "sync.lock";

/// The result for a spool.
#[derive(Debug)]
pub struct SyncedRun {
    /// The spool's folder.
    pub folder: PathBuf,
    /// Its run, if it has been created.
    pub run: Option<RunId>,
    /// The outcome.
    pub outcome: SyncOutcome,
    /// How many entries the server refused for good; they are kept in `refused.jsonl`.
    pub refused: usize,
}

/// The outcome for a spool.
#[derive(Debug)]
pub enum SyncOutcome {
    /// There were entries left, and the server has them now.
    Delivered,
    /// The server had everything.
    NothingLeft,
    /// A running program works on the run, and delivers it itself.
    InUse,
    /// It was not delivered, or not completely.
    Failed(Error),
}

/// Delivers all spools in a folder, in the order in which their runs began. If a run's program died
/// without ending it, the run is ended as [`Killed`](RunStatus::Killed), at the time of its last
/// event; if it is resumed, it is running again.
///
/// It can be interrupted at any moment, and repeated safely.
///
/// # Errors
/// When the server is not healthy, another sync is running, or the folder cannot be read. Errors of
/// a single spool are in its outcome.
pub fn sync(folder: &Path, settings: &Settings) -> Result<Vec<SyncedRun>> {
    let spools = spools(folder)?;
    if spools.is_empty() {
        return Ok(Vec::new());
    }
    let Some(_lock) = spool::lock(&folder.join(SYNC_LOCK))? else {
        let reason = "another sync is at work in it".to_owned();
        return Err(Error::Spool { folder: folder.to_path_buf(), reason });
    };
    // A server that is down is reported at once, and not after all the retries of a first request.
    Client::without_retries(settings)?.health()?;
    let client = Client::new(settings)?;
    Ok(spools.iter().map(|spool| sync_one(spool, &client)).collect())
}

/// The run that a spool belongs to, if the server has returned its ID.
///
/// # Errors
/// When the spool exists and cannot be read.
pub fn spooled_run(folder: &Path) -> Result<Option<RunId>> {
    Ok(SpoolFolder::new(folder).state()?.run.map(|run| run.id))
}

/// The state of a spool's run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolStatus {
    /// The server that has the run, if one has it.
    pub server: Option<ServerAddress>,
    /// How the last program that worked on the run ended it; `None` if one is running, or died
    /// without ending it.
    pub end: Option<RunStatus>,
}

/// The state of the run of a folder's spool; `None` if there is no spool.
///
/// # Errors
/// When the spool exists and cannot be read.
pub fn spool_status(folder: &Path) -> Result<Option<SpoolStatus>> {
    let spool = SpoolFolder::new(folder);
    if !spool.is_spool() {
        return Ok(None);
    }
    let mut end = None;
    spool::for_each(&spool.events(), |record| {
        end = match record.event {
            Event::End { status } => Some(status),
            _ => None,
        }
    })?;
    Ok(Some(SpoolStatus { server: spool.state()?.run.map(|run| run.server), end }))
}

/// The spools in a folder, the oldest run first.
fn spools(folder: &Path) -> Result<Vec<SpoolFolder>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Ok(Err(error).with_path("read folder", folder)?),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.with_path("read folder", folder)?.path();
        let spool = SpoolFolder::new(&path);
        if spool.is_spool() {
            let begun = index(&spool)?.begun;
            found.push((begun, path, spool));
        }
    }
    found.sort_by(|(a, a_path, _), (b, b_path, _)| (a, a_path).cmp(&(b, b_path)));
    Ok(found.into_iter().map(|(_, _, spool)| spool).collect())
}

fn index(spool: &SpoolFolder) -> Result<Index> {
    let mut index = Index::default();
    spool::for_each(&spool.events(), |record| index.see(&record))?;
    Ok(index)
}

fn sync_one(spool: &SpoolFolder, client: &Client) -> SyncedRun {
    let mut synced = SyncedRun {
        folder: spool.path().to_path_buf(),
        run: None,
        outcome: SyncOutcome::InUse,
        refused: 0,
    };
    let outcome = Delivery::open(spool, client).and_then(|delivery| {
        let Some(mut delivery) = delivery else { return Ok(SyncOutcome::InUse) };
        let outcome = deliver(spool, &mut delivery);
        synced.run = delivery.run().map(|run| run.id.clone());
        synced.refused = delivery.refused;
        outcome
    });
    synced.outcome = outcome.unwrap_or_else(SyncOutcome::Failed);
    synced
}

fn deliver(spool: &SpoolFolder, delivery: &mut Delivery) -> Result<SyncOutcome> {
    if spool.is_being_written()? {
        return Ok(SyncOutcome::InUse);
    }
    end_if_dead(spool)?;
    let mut outcome = SyncOutcome::NothingLeft;
    while delivery.step()? == Step::Delivered {
        outcome = SyncOutcome::Delivered;
    }
    Ok(outcome)
}

/// Records the end of a run whose program died before it could.
fn end_if_dead(spool: &SpoolFolder) -> Result<()> {
    if let Some(last) = index(spool)?.open_since {
        let event = Event::End { status: RunStatus::Killed };
        spool.open_journal()?.append(&Record { time: last, event })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::RunBeginning;
    use crate::{ExperimentChoice, Mark, Timestamp};

    fn spool_begun_at(folder: &Path, name: &str, time: i64) {
        let spool = SpoolFolder::new(&folder.join(name));
        let begin = RunBeginning {
            experiment: ExperimentChoice::Unspecified,
            join: None,
            name: None,
            tags: Vec::new(),
            mark: Mark::new(),
        };
        let record = Record { time: Timestamp(time), event: Event::Begin(begin) };
        spool.open_journal().unwrap().append(&record).unwrap();
    }

    #[test]
    fn spools_are_taken_in_the_order_of_their_runs() {
        let folder = tempfile::tempdir().unwrap();
        for (name, time) in [("a", 3), ("b", 1), ("c", 2)] {
            spool_begun_at(folder.path(), name, time);
        }
        fs::create_dir(folder.path().join("no-spool")).unwrap();
        let names = spools(folder.path()).unwrap();
        let names: Vec<_> =
            names.iter().map(|spool| spool.path().file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["b", "c", "a"]);
        assert!(spools(&folder.path().join("nowhere")).unwrap().is_empty());
    }

    #[test]
    fn a_run_that_died_is_ended_once_at_its_last_word() {
        let folder = tempfile::tempdir().unwrap();
        spool_begun_at(folder.path(), "a", 7);
        let spool = SpoolFolder::new(&folder.path().join("a"));
        end_if_dead(&spool).unwrap();
        end_if_dead(&spool).unwrap();
        let mut events = Vec::new();
        spool::for_each(&spool.events(), |record| events.push((record.time.0, record.event)))
            .unwrap();
        assert_eq!(events.len(), 2);
        assert_eq!(events[1], (7, Event::End { status: RunStatus::Killed }));
    }

    #[test]
    fn a_spool_says_how_its_last_program_ended() {
        let folder = tempfile::tempdir().unwrap();
        spool_begun_at(folder.path(), "a", 7);
        let path = folder.path().join("a");
        let status = |end| Some(SpoolStatus { server: None, end });
        assert_eq!(spool_status(&path).unwrap(), status(None));
        end_if_dead(&SpoolFolder::new(&path)).unwrap();
        assert_eq!(spool_status(&path).unwrap(), status(Some(RunStatus::Killed)));
        spool_begun_at(folder.path(), "a", 8);
        assert_eq!(spool_status(&path).unwrap(), status(None));
        assert_eq!(spool_status(&folder.path().join("b")).unwrap(), None);
    }

    #[test]
    fn without_a_server_a_sync_fails_at_once_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        spool_begun_at(folder.path(), "a", 7);
        let settings = Settings::for_server(&test_server::closed_address(), |_| None).unwrap();
        let message = sync(folder.path(), &settings).unwrap_err().to_string();
        assert!(message.contains("make mlflow") && !message.contains('\n'), "{message}");
        // If nothing is left, no server is needed.
        assert!(sync(&folder.path().join("nowhere"), &settings).unwrap().is_empty());
    }
}
