use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::migrate::MigrateError;

use crate::database::{self, LOCK_PATIENCE, OpenFile, Pool, on};
use crate::database_url::Address;
use crate::error::fault_of;
use crate::{DatabaseUrl, Fault, Result, StoreError, schema};

/// The longest time of one call, in any state of the database. Old rows are removed in many steps,
/// each of them within this time.
pub const PATIENCE: Duration = LOCK_PATIENCE.saturating_mul(2);

/// How long [`PredictionStore::can_be_written`] waits: readiness checks do not wait longer.
const READINESS_PATIENCE: Duration = Duration::from_secs(2);

/// The pause between two attempts to open a file that other processes open too.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Predictions, feedback, audit and trainings. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub struct PredictionStore {
    pub(crate) read: Pool,
    pub(crate) write: Pool,
    shown_as: String,
    file: Option<OpenFile>,
}

impl PredictionStore {
    /// Opens the database, creates missing parts (SQLite's file and its folder, the tables), and
    /// migrates older tables.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] if a newer release wrote it, [`StoreError::ForeignSchema`] if
    /// another program did, [`StoreError::Database`] if it cannot be opened.
    pub async fn open(url: &DatabaseUrl) -> Result<Self> {
        let shown_as = url.to_string();
        let refuse = |fault, source| StoreError::Database {
            action: "open the store",
            database: shown_as.clone(),
            fault,
            source,
        };
        let opening = async {
            match &url.0 {
                Address::Sqlite(path) => open_sqlite_patiently(path, &shown_as).await,
                Address::Postgres(options) => {
                    let pool = database::postgres(options.as_ref().clone())
                        .await
                        // Refused connections are retried until the time is over.
                        .map_err(|error| match error {
                            sqlx::Error::PoolTimedOut => refuse(Fault::Unavailable, error.into()),
                            error => refuse(fault_of(&error), error.into()),
                        })?;
                    prepare(&pool, &shown_as).await?;
                    Ok(Self {
                        read: pool.clone(),
                        write: pool,
                        shown_as: shown_as.clone(),
                        file: None,
                    })
                }
            }
        };
        match tokio::time::timeout(PATIENCE, opening).await {
            Ok(opened) => opened,
            Err(elapsed) => Err(refuse(Fault::Unavailable, elapsed.into())),
        }
    }

    /// Whether the database answers and its file is in place: for the readiness check.
    ///
    /// # Errors
    /// The fault.
    pub async fn is_alive(&self) -> Result<()> {
        let look = async {
            on!(&self.read, pool => {
                sqlx::query("SELECT 1 FROM predictions LIMIT 1").execute(pool).await.map(|_| ())
            })
        };
        self.within_patience("look", look).await
    }

    /// Whether data can be written and kept now: for the readiness check. It writes, because only
    /// this distinguishes a full disk from a nearly full one, but it changes no data.
    ///
    /// # Errors
    /// The fault, within two seconds.
    pub async fn can_be_written(&self) -> Result<()> {
        let write = async {
            match &self.write {
                // Writes a page of the file, through the write-ahead log and to the disk.
                Pool::Sqlite(pool) => {
                    sqlx::query("PRAGMA user_version = 0").execute(pool).await.map(|_| ())
                }
                Pool::Postgres(pool) => {
                    let mut transaction = pool.begin().await?;
                    sqlx::query(
                        "INSERT INTO audit (id, created_at_us, role, action, detail, outcome,
                         request_id) VALUES ('', 0, '', '', '', '', '')",
                    )
                    .execute(&mut *transaction)
                    .await?;
                    transaction.rollback().await
                }
            }
        };
        let in_time = async {
            let done = tokio::time::timeout(READINESS_PATIENCE, write).await;
            done.unwrap_or(Err(sqlx::Error::PoolTimedOut))
        };
        self.within_patience("write", in_time).await
    }

    /// Closes the connections, once running calls have ended. Acknowledged data is also kept
    /// without this; SQLite's data is then in one file again.
    pub async fn close(self) {
        self.read.close().await;
        self.write.close().await;
    }

    /// Does `work`, and adds the action and the database to an error. A result only counts if
    /// SQLite's file is still in its place: data written to a removed file is lost.
    pub(crate) async fn within_patience<T>(
        &self,
        action: &'static str,
        work: impl Future<Output = sqlx::Result<T>>,
    ) -> Result<T> {
        let done = tokio::time::timeout(PATIENCE, work).await;
        let missing = self.file.as_ref().is_some_and(|file| !file.is_in_place());
        let (fault, source): (_, Box<dyn std::error::Error + Send + Sync>) = match done {
            Ok(Ok(result)) if !missing => return Ok(result),
            Ok(Ok(_)) => (Fault::Missing, "the path leads to no file, or to another".into()),
            Ok(Err(error)) if missing => (Fault::Missing, error.into()),
            Ok(Err(error)) => (self.fault_of(&error), error.into()),
            Err(elapsed) => (Fault::Locked, elapsed.into()),
        };
        Err(StoreError::Database { action, database: self.shown_as.clone(), fault, source })
    }

    /// A timeout for a connection means a held lock in SQLite, and an unreachable server in
    /// PostgreSQL.
    fn fault_of(&self, error: &sqlx::Error) -> Fault {
        match (error, &self.file) {
            (sqlx::Error::PoolTimedOut, None) => Fault::Unavailable,
            _ => fault_of(error),
        }
    }
}

/// While one process creates the file, or the last process closes it, SQLite reports a lock to
/// others at once, whatever timeout is set.
async fn open_sqlite_patiently(path: &Path, shown_as: &str) -> Result<PredictionStore> {
    let began = Instant::now();
    loop {
        match open_sqlite(path, shown_as).await {
            Err(StoreError::Database { fault: Fault::Locked, .. })
                if began.elapsed() < LOCK_PATIENCE =>
            {
                tokio::time::sleep(BETWEEN_TRIES).await;
            }
            opened => return opened,
        }
    }
}

async fn open_sqlite(path: &Path, shown_as: &str) -> Result<PredictionStore> {
    let refuse = |fault, source| StoreError::Database {
        action: "open the store",
        database: shown_as.to_owned(),
        fault,
        source,
    };
    let by_database = |error: sqlx::Error| refuse(fault_of(&error), error.into());
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        artifact::create_folder(folder).map_err(|error| refuse(Fault::ReadOnly, error.into()))?;
    }
    make_private(path).map_err(|error| refuse(Fault::ReadOnly, error.into()))?;
    let options = database::sqlite_options(path);
    let first = database::sqlite_writer(options.clone().create_if_missing(true))
        .await
        .map_err(by_database)?;
    prepare(&first, shown_as).await?;
    // From here on a missing file is an error, not a reason to create a new one.
    let write = database::sqlite_writer(options.clone()).await.map_err(by_database)?;
    first.close().await;
    let file = OpenFile::at(path).map_err(|error| refuse(Fault::Missing, error.into()))?;
    Ok(PredictionStore {
        read: database::sqlite_readers(options).await.map_err(by_database)?,
        write,
        shown_as: shown_as.to_owned(),
        file: Some(file),
    })
}

/// Only the owner may read the file, and SQLite gives the files beside it the same rights. A file
/// that others could read is closed to them; a file of another owner is left as it is.
fn make_private(path: &Path) -> std::io::Result<()> {
    const OWNER: u32 = 0o600;
    let name = path.as_os_str();
    let beside = ["-wal", "-shm"].map(|end| {
        let mut file = name.to_owned();
        file.push(end);
        file
    });
    for file in std::iter::once(name.to_owned()).chain(beside) {
        match std::fs::metadata(&file) {
            Ok(there) if there.is_file() && there.mode() & 0o077 != 0 => {
                // A user who may write it may not be its owner.
                let _ = std::fs::set_permissions(&file, Permissions::from_mode(OWNER));
            }
            _ => {}
        }
    }
    let made = OpenOptions::new().write(true).create_new(true).mode(OWNER).open(path);
    match made {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map(|_| ()),
    }
}

/// Migrates the tables.
async fn prepare(pool: &Pool, shown_as: &str) -> Result<()> {
    let database = || shown_as.to_owned();
    let failed = |error: sqlx::Error| StoreError::Database {
        action: "prepare the tables",
        database: database(),
        fault: fault_of(&error),
        source: error.into(),
    };
    match schema::bring_up_to_date(pool).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(_)) => Err(StoreError::NewerSchema {
            database: database(),
            found: schema::version(pool).await.map_err(failed)?,
            known: schema::NEWEST,
        }),
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            Err(failed(error))
        }
        Err(error) => {
            Err(StoreError::ForeignSchema { database: database(), what: error.to_string() })
        }
    }
}
