//! The same tests on both databases.

use std::path::PathBuf;
use std::sync::Arc;

use prediction_store::{DatabaseUrl, PredictionStore};
use tempfile::TempDir;

use crate::postgres::Cluster;

/// An empty database of one test.
pub(crate) struct Database {
    pub(crate) url: DatabaseUrl,
    /// The address as it is written, for other processes.
    pub(crate) address: String,
    _home: Home,
}

enum Home {
    Sqlite { _folder: TempDir },
    Postgres { _cluster: Arc<Cluster> },
}

impl Database {
    pub(crate) fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let address = format!("sqlite:{}", folder.path().join("of/the/test.db").display());
        Self { url: address.parse().unwrap(), address, _home: Home::Sqlite { _folder: folder } }
    }

    /// `None` if PostgreSQL is not installed, which is printed.
    pub(crate) async fn postgres() -> Option<Self> {
        let cluster = Cluster::shared()?;
        let address = cluster.new_database().await;
        Some(Self {
            url: address.parse().unwrap(),
            address,
            _home: Home::Postgres { _cluster: cluster },
        })
    }

    pub(crate) async fn open(&self) -> PredictionStore {
        PredictionStore::open(&self.url).await.unwrap()
    }
}

/// Makes two tests of every function that takes a [`Database`]: one on SQLite and one on
/// PostgreSQL.
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {$(
        mod $test {
            use crate::databases::Database;

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                super::$test(Database::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                if let Some(database) = Database::postgres().await {
                    super::$test(database).await;
                }
            }
        }
    )+};
}
pub(crate) use on_both_databases;

/// SQLite in its own folder, for tests of faults of files.
pub(crate) struct SqliteFile {
    pub(crate) folder: TempDir,
    pub(crate) path: PathBuf,
    pub(crate) url: DatabaseUrl,
}

impl SqliteFile {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("predictions.db");
        Self { url: DatabaseUrl::sqlite(&path), path, folder }
    }

    /// The address as it is written, for other processes.
    pub(crate) fn address(&self) -> String {
        format!("sqlite:{}", self.path.display())
    }

    pub(crate) async fn open(&self) -> PredictionStore {
        PredictionStore::open(&self.url).await.unwrap()
    }
}

/// If a program is missing: prints this, or fails if `required` is set to 1.
pub(crate) fn skip(what: &str, required: &str) {
    assert!(std::env::var(required).as_deref() != Ok("1"), "{what}, and {required}=1");
    eprintln!("skipped: {what}; set {required}=1 to fail instead");
}
