use std::fmt;

use crate::{InvalidCursor, PredictionId, TrainingId};

/// Shorthand for results of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// A failure of the store. Reads after "failed to …".
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused, or did not answer.
    #[error("{action} in {database}: {fault} ({source})")]
    Database {
        /// The action.
        action: &'static str,
        /// The database, without its password.
        database: String,
        /// The kind of fault, and what to do.
        fault: Fault,
        /// The database's error.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The database was last written by a newer release.
    #[error(
        "open {database}: its tables are of version {found}, and this release knows versions up to \
         {known}; use the newer release, or another database"
    )]
    NewerSchema {
        /// The database.
        database: String,
        /// The version it has.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// The database's tables are not those of this release.
    #[error("open {database}: {what}; it is not a database of this server, so name another")]
    ForeignSchema {
        /// The database.
        database: String,
        /// The difference.
        what: String,
    },
    /// There is no such prediction.
    #[error("find the prediction {0}: there is none")]
    UnknownPrediction(PredictionId),
    /// There is no such training, or it has ended.
    #[error("finish the training {0}: no such training is running")]
    UnknownTraining(TrainingId),
    /// A training is running, and a second one may not start.
    #[error("start a training: one is running; wait for its end")]
    TrainingRuns,
    /// A cursor of another listing.
    #[error("list the next page: {0}")]
    Cursor(#[from] InvalidCursor),
    /// A value that the database cannot hold.
    #[error("record a prediction: {what} is {value}, not a number that can be stored")]
    NotFinite {
        /// The value's name.
        what: &'static str,
        /// Not a number, or infinite.
        value: f64,
    },
    /// A row that this release did not write.
    #[error("read a row of the database: {what} cannot be; restore the database from a backup")]
    InvalidRow {
        /// The error.
        what: String,
    },
}

impl StoreError {
    /// The fault of the database; `None` if it is not the database's.
    pub fn fault(&self) -> Option<Fault> {
        match self {
            Self::Database { fault, .. } => Some(*fault),
            _ => None,
        }
    }
}

/// The kinds of database faults. Displayed with what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It cannot be reached, or refuses the login.
    Unavailable,
    /// Another process holds it, or it is too busy to answer in time.
    Locked,
    /// The disk is full, or the database as large as it may be.
    Full,
    /// The disk failed, or a quota or a limit on the size of files is reached.
    Disk,
    /// It may not be written.
    ReadOnly,
    /// Its file was removed or replaced while it was open.
    Missing,
    /// Its content is damaged, or is not a database.
    Corrupt,
    /// Anything else; see the source error.
    Other,
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Unavailable => {
                "it cannot be reached; check that it runs, and its address, user and password"
            }
            Self::Locked => "it is busy or locked by another process; try again",
            Self::Full => "no space is left; free some, what was acknowledged is kept",
            Self::Disk => {
                "the disk failed, or a quota or limit is reached; look into the system's log"
            }
            Self::ReadOnly => "it may not be written; check who owns the file, its folder and disk",
            Self::Missing => {
                "its file was removed or replaced while it was open; put it back or start again"
            }
            Self::Corrupt => "it is damaged or not a database; restore it from a backup",
            Self::Other => "the database refused",
        })
    }
}

/// The fault of `error`.
pub(crate) fn fault_of(error: &sqlx::Error) -> Fault {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Fault::Unavailable,
        sqlx::Error::PoolTimedOut => Fault::Locked,
        sqlx::Error::Database(refusal) => {
            let code = refusal.code().unwrap_or_default();
            if refusal.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some() {
                fault_of_sqlite(&code)
            } else {
                fault_of_postgres(&code)
            }
        }
        _ => Fault::Other,
    }
}

/// By result code: <https://sqlite.org/rescode.html>. The low byte is the primary code.
fn fault_of_sqlite(code: &str) -> Fault {
    const MOVED: i32 = 1032; // SQLITE_READONLY_DBMOVED
    let Ok(code) = code.parse::<i32>() else { return Fault::Other };
    match (code, code & 0xff) {
        (MOVED, _) => Fault::Missing,
        (_, 5 | 6) => Fault::Locked,    // BUSY, LOCKED
        (_, 3 | 8) => Fault::ReadOnly,  // PERM, READONLY
        (_, 10) => Fault::Disk,         // IOERR
        (_, 14) => Fault::Unavailable,  // CANTOPEN
        (_, 11 | 26) => Fault::Corrupt, // CORRUPT, NOTADB
        (_, 13) => Fault::Full,         // FULL
        _ => Fault::Other,
    }
}

/// By SQLSTATE: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn fault_of_postgres(code: &str) -> Fault {
    match code {
        "25006" | "42501" => Fault::ReadOnly, // read_only_sql_transaction, insufficient_privilege
        "40001" | "40P01" | "55P03" | "57014" => Fault::Locked, // serialization, deadlock, timeouts
        "53100" | "53200" => Fault::Full,     // disk_full, out_of_memory
        "53300" | "3D000" => Fault::Unavailable, // too_many_connections, no such database
        "XX001" | "XX002" => Fault::Corrupt,  // data_corrupted, index_corrupted
        "58030" => Fault::Disk,               // io_error
        // connection exceptions, refused logins, a server that is shutting down
        _ if ["08", "28", "57P"].iter().any(|class| code.starts_with(class)) => Fault::Unavailable,
        _ => Fault::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_of_both_databases_are_told_apart() {
        for (code, fault) in [
            ("5", Fault::Locked),
            ("517", Fault::Locked),
            ("1032", Fault::Missing),
            ("776", Fault::ReadOnly),
            ("13", Fault::Full),
            ("778", Fault::Disk),
            ("26", Fault::Corrupt),
            ("787", Fault::Other),
            ("", Fault::Other),
        ] {
            assert_eq!(fault_of_sqlite(code), fault, "{code}");
        }
        for (code, fault) in [
            ("57014", Fault::Locked),
            ("57P01", Fault::Unavailable),
            ("58030", Fault::Disk),
            ("28P01", Fault::Unavailable),
            ("53100", Fault::Full),
            ("25006", Fault::ReadOnly),
            ("23505", Fault::Other),
        ] {
            assert_eq!(fault_of_postgres(code), fault, "{code}");
        }
    }
}
