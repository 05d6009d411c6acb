//! The tables, version by version. A released version is never changed: add the next one.

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use crate::database::{Pool, on};

/// Every version of the tables, oldest first.
const VERSIONS: [(i64, &str, &str); 1] =
    [(1, "first", include_str!("../migrations/0001_first.sql"))];

/// The version this release makes and reads.
pub(crate) const NEWEST: i64 = VERSIONS[VERSIONS.len() - 1].0;

fn migrator() -> Migrator {
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(VERSIONS.into_iter().map(migration).collect())
}

/// Migrates the tables to [`NEWEST`], and checks that existing tables are ours.
pub(crate) async fn bring_up_to_date(pool: &Pool) -> Result<(), MigrateError> {
    let migrator = migrator();
    let outcome = on!(pool, pool => migrator.run(pool).await);
    // PostgreSQL admits one process at a time. SQLite has no such lock: if two processes open a new
    // file at once, one may see the other's tables half finished. A second look finds them
    // complete.
    match (outcome, pool) {
        (
            Err(MigrateError::Execute(_) | MigrateError::ExecuteMigration(..)),
            Pool::Sqlite(pool),
        ) => migrator.run(pool).await,
        (outcome, _) => outcome,
    }
}

/// The version of a database's tables.
pub(crate) async fn version(pool: &Pool) -> Result<i64, sqlx::Error> {
    on!(pool, pool => {
        sqlx::query_scalar("SELECT COALESCE(MAX(version), 0) FROM _sqlx_migrations")
            .fetch_one(pool)
            .await
    })
}
