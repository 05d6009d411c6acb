use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

/// How long SQLite waits for another process, and PostgreSQL for a lock or a free connection.
pub(crate) const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Number of connections that read. SQLite can read while its one writer works.
const READERS: u32 = 4;
/// Connections to PostgreSQL, readers and writers.
const POSTGRES_CONNECTIONS: u32 = 10;

/// Connections to either database.
#[derive(Debug, Clone)]
pub(crate) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Runs the same queries on either database: `$pool` is its pool, `Db` its type.
macro_rules! on {
    ($either:expr, $pool:ident => $queries:expr) => {
        match $either {
            $crate::database::Pool::Sqlite($pool) => {
                #[allow(dead_code, reason = "only some queries name it")]
                type Db = sqlx::Sqlite;
                $queries
            }
            $crate::database::Pool::Postgres($pool) => {
                #[allow(dead_code, reason = "only some queries name it")]
                type Db = sqlx::Postgres;
                $queries
            }
        }
    };
}
pub(crate) use on;

impl Pool {
    /// Closes all connections, once those in use are returned.
    pub(crate) async fn close(&self) {
        on!(self, pool => pool.close().await);
    }

    /// Chooses the value that differs between the databases.
    pub(crate) fn either(&self, sqlite: &'static str, postgres: &'static str) -> &'static str {
        match self {
            Self::Sqlite(_) => sqlite,
            Self::Postgres(_) => postgres,
        }
    }
}

/// The options for opening SQLite. Every commit is synced before it is acknowledged.
pub(crate) fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // Removed data is overwritten, not merely marked as free.
        .pragma("secure_delete", "on")
        .busy_timeout(LOCK_PATIENCE)
}

/// SQLite has one writer, and with its write-ahead log no reader waits for it. A pool of one makes
/// writers of this process wait in order, without polling for the lock; the connection stays open,
/// so that the write-ahead log stays.
pub(crate) async fn sqlite_writer(options: SqliteConnectOptions) -> Result<Pool, sqlx::Error> {
    let pool = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(LOCK_PATIENCE)
        // A COMMIT that fails, as on a full disk, ends the transaction, but sqlx continues as if it
        // were open: its next transactions would be savepoints in one that is never committed. Such
        // a connection is not used again. The ping waits for a pending rollback.
        .after_release(|connection, _| {
            Box::pin(async move {
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
        .connect_with(options.journal_mode(SqliteJournalMode::Wal))
        .await?;
    Ok(Pool::Sqlite(pool))
}

/// Connections that cannot write. One stays open, so that the index of the write-ahead log stays
/// too: on a full disk it could not be created again, and no data could be read.
pub(crate) async fn sqlite_readers(options: SqliteConnectOptions) -> Result<Pool, sqlx::Error> {
    let pool = SqlitePoolOptions::new()
        .min_connections(1)
        .max_connections(READERS)
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(LOCK_PATIENCE)
        .connect_with(options.pragma("query_only", "on"))
        .await?;
    Ok(Pool::Sqlite(pool))
}

/// Connections to PostgreSQL with timeouts for locks and slow queries.
pub(crate) async fn postgres(options: PgConnectOptions) -> Result<Pool, sqlx::Error> {
    let milliseconds = LOCK_PATIENCE.as_millis().to_string();
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(LOCK_PATIENCE)
        .connect_with(options.application_name("hounsfield").options([
            ("lock_timeout", milliseconds.as_str()),
            ("statement_timeout", milliseconds.as_str()),
        ]))
        .await?;
    Ok(Pool::Postgres(pool))
}

/// The SQLite file that was opened. A removed file can still be written through an open connection,
/// but everything is lost when that closes, so its path is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenFile {
    path: PathBuf,
    identity: (u64, u64),
}

impl OpenFile {
    pub(crate) fn at(path: &Path) -> std::io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }

    /// Whether the path still leads to the file that is open.
    pub(crate) fn is_in_place(&self) -> bool {
        identity(&self.path).is_ok_and(|now| now == self.identity)
    }
}

fn identity(path: &Path) -> std::io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}
