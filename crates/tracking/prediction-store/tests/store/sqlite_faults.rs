//! Faults of SQLite's file.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Instant;

use prediction_store::{Fault, Filter, PATIENCE, PredictionStore, StoreError};
use sqlx::{Connection as _, SqliteConnection};

use crate::children::{ACKNOWLEDGED, REFUSED, child, child_after};
use crate::databases::{SqliteFile, skip};
use crate::samples::{at, feedback, prediction};

#[tokio::test]
async fn a_locked_database_is_an_error_in_time_and_still_read() {
    let sqlite = SqliteFile::new();
    let store = sqlite.open().await;
    let before = prediction("normal", at("2026-11-20T10:00:00Z"));
    store.record_prediction(&before).await.unwrap();
    let mut other = SqliteConnection::connect(&sqlite.address()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();

    let begun = Instant::now();
    let after = prediction("normal", at("2026-11-20T10:00:00Z"));
    let said = feedback(&before, "adenocarcinoma", at("2026-11-20T10:00:00Z"));
    let (recorded, said, read) = tokio::join!(
        store.record_prediction(&after),
        store.record_feedback(&said),
        store.prediction(before.id)
    );
    assert!(begun.elapsed() < PATIENCE * 2, "{:?}", begun.elapsed());
    assert_eq!(recorded.unwrap_err().fault(), Some(Fault::Locked));
    let error = said.unwrap_err();
    assert_eq!(error.fault(), Some(Fault::Locked));
    assert!(error.to_string().contains("locked by another process; try again"), "{error}");
    assert_eq!(read.unwrap().prediction, before);

    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    store.record_prediction(&after).await.unwrap();
}

#[tokio::test]
async fn a_file_removed_beneath_the_store_is_missed_at_once() {
    let sqlite = SqliteFile::new();
    let store = sqlite.open().await;
    let made = prediction("normal", at("2026-11-20T10:00:00Z"));
    store.record_prediction(&made).await.unwrap();
    std::fs::remove_file(&sqlite.path).unwrap();
    let said = feedback(&made, "adenocarcinoma", at("2026-11-20T10:00:00Z"));
    let error = store.record_feedback(&said).await.unwrap_err();
    assert_eq!(error.fault(), Some(Fault::Missing), "{error}");
    assert_eq!(store.is_alive().await.unwrap_err().fault(), Some(Fault::Missing));
    assert!(!sqlite.path.exists(), "an empty database was made in its place");
}

#[tokio::test]
async fn a_file_put_in_its_place_is_not_taken_for_it() {
    let (sqlite, other) = (SqliteFile::new(), SqliteFile::new());
    let store = sqlite.open().await;
    other.open().await.close().await;
    std::fs::rename(&other.path, &sqlite.path).unwrap();
    assert_eq!(store.is_alive().await.unwrap_err().fault(), Some(Fault::Missing));
    let error = store.predictions(&Filter::default()).await.unwrap_err();
    assert_eq!(error.fault(), Some(Fault::Missing), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_as_it_was() {
    let sqlite = SqliteFile::new();
    let text = "id,class\n".repeat(1000);
    std::fs::write(&sqlite.path, &text).unwrap();
    let error = PredictionStore::open(&sqlite.url).await.unwrap_err();
    assert_eq!(error.fault(), Some(Fault::Corrupt), "{error}");
    assert!(error.to_string().contains("restore it from a backup"), "{error}");
    assert_eq!(std::fs::read_to_string(&sqlite.path).unwrap(), text);
}

#[tokio::test]
async fn a_damaged_page_is_an_error_and_not_a_wrong_answer() {
    let sqlite = SqliteFile::new();
    let store = sqlite.open().await;
    let made: Vec<_> = (0..500).map(|_| prediction("normal", at("2026-11-20T10:00:00Z"))).collect();
    store.record_predictions(&made).await.unwrap();
    store.close().await;
    let mut bytes = std::fs::read(&sqlite.path).unwrap();
    // Everything except the pages with the list of tables and the applied versions.
    let kept = bytes.len().min(20 * 4096);
    bytes[kept..].fill(0xa5);
    std::fs::write(&sqlite.path, bytes).unwrap();
    let opened = match PredictionStore::open(&sqlite.url).await {
        Ok(store) => {
            let filter = Filter { limit: 1000.try_into().unwrap(), ..Filter::default() };
            store.predictions(&filter).await.map(|_| ())
        }
        Err(error) => Err(error),
    };
    assert_eq!(opened.unwrap_err().fault(), Some(Fault::Corrupt));
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_named() {
    let sqlite = SqliteFile::new();
    std::fs::write(&sqlite.path, "a file").unwrap();
    let url = prediction_store::DatabaseUrl::sqlite(sqlite.path.join("beneath/predictions.db"));
    let error = PredictionStore::open(&url).await.unwrap_err();
    assert!(matches!(error, StoreError::Database { .. }), "{error}");
    assert!(error.to_string().contains("beneath"), "{error}");
}

/// Runs the writer as a user other than root until it is refused.
fn refusal_of(mut command: Command) -> String {
    const NOBODY: u32 = 65534;
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY);
    }
    said(command, REFUSED)
}

/// The first line of the child that starts with `mark`, without it.
fn said(mut command: Command, mark: &str) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(mark));
    line.unwrap_or_else(|| panic!("the writer did not say {mark}:\n{text}")).to_owned()
}

fn forbid_writing(sqlite: &SqliteFile, file: u32, folder: u32) {
    let set = |path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(sqlite.path.as_path(), file);
    set(sqlite.folder.path(), folder);
}

#[tokio::test]
async fn a_file_that_may_not_be_written_is_read_only() {
    let sqlite = SqliteFile::new();
    sqlite.open().await.close().await;
    forbid_writing(&sqlite, 0o444, 0o555);
    let refusal = refusal_of(child("records_until_it_ends", &sqlite.address()));
    assert!(refusal.starts_with("Some(ReadOnly)"), "{refusal}");
    assert!(refusal.contains("check who owns the file, its folder and disk"), "{refusal}");
    forbid_writing(&sqlite, 0o644, 0o755);
}

#[tokio::test]
async fn a_folder_that_may_not_be_written_is_read_only() {
    let sqlite = SqliteFile::new();
    sqlite.open().await.close().await;
    forbid_writing(&sqlite, 0o666, 0o555);
    let refusal = refusal_of(child("records_until_it_ends", &sqlite.address()));
    assert!(refusal.starts_with("Some(ReadOnly)"), "{refusal}");
    forbid_writing(&sqlite, 0o644, 0o755);
}

#[tokio::test]
async fn a_limit_on_the_size_of_files_is_told_and_loses_nothing_acknowledged() {
    let sqlite = SqliteFile::new();
    sqlite.open().await.close().await;
    // 512 KiB; without the trap the signal would end the process.
    let writer =
        child_after("trap '' XFSZ; ulimit -f 1024", "records_until_it_ends", &sqlite.address());
    check_what_a_full_disk_kept(&sqlite, writer, "Some(Disk)").await;
}

#[tokio::test]
async fn a_full_disk_is_told_and_loses_nothing_acknowledged() {
    let sqlite = SqliteFile::new();
    let disk = sqlite.folder.path().display();
    let mount = format!("mount -t tmpfs -o size=512k tmpfs '{disk}'");
    let may = Command::new("unshare").args(["-rm", "sh", "-c", &mount]).output();
    if !may.is_ok_and(|mounted| mounted.status.success()) {
        return skip("no small disk can be mounted here", "HOUNSFIELD_REQUIRE_MOUNT");
    }
    // Only the writer and its shell see the disk; the shell reads it afterwards.
    let writer = child("records_until_it_ends", &sqlite.address());
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &format!("{mount} && \"$0\" \"$@\"")]);
    command.arg(writer.get_program()).args(writer.get_args());
    command.envs(writer.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let refusal = said(command, REFUSED);
    assert!(refusal.starts_with("Some(Full)"), "{refusal}");
    assert!(refusal.contains("what was acknowledged is kept"), "{refusal}");
}

/// Runs `writer` until it is refused as `fault`, and checks that everything acknowledged is there.
async fn check_what_a_full_disk_kept(sqlite: &SqliteFile, mut writer: Command, fault: &str) {
    let output = writer.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let refusal = text.lines().find_map(|line| line.strip_prefix(REFUSED));
    assert!(refusal.is_some_and(|refusal| refusal.starts_with(fault)), "{refusal:?}");
    let acknowledged: Vec<_> =
        text.lines().filter_map(|line| line.strip_prefix(ACKNOWLEDGED)).collect();
    assert!(!acknowledged.is_empty());
    let store = sqlite.open().await;
    for id in acknowledged {
        assert!(store.prediction(id.parse().unwrap()).await.unwrap().feedback.is_some());
    }
    // It works again once there is space.
    store.record_prediction(&prediction("normal", at("2026-11-20T10:00:00Z"))).await.unwrap();
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone_older_ones_too() {
    let sqlite = SqliteFile::new();
    let modes = || {
        ["", "-wal", "-shm"].map(|end| {
            let file = format!("{}{end}", sqlite.path.display());
            std::fs::metadata(file).unwrap().permissions().mode() & 0o777
        })
    };
    let store = sqlite.open().await;
    store.record_prediction(&prediction("normal", at("2026-11-20T10:00:00Z"))).await.unwrap();
    assert_eq!(modes(), [0o600; 3]);
    store.close().await;
    std::fs::set_permissions(&sqlite.path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let store = sqlite.open().await;
    store.record_prediction(&prediction("normal", at("2026-11-20T10:00:00Z"))).await.unwrap();
    assert_eq!(modes(), [0o600; 3]);
}

#[tokio::test]
async fn whether_it_can_be_written_is_told_in_time_and_changes_nothing() {
    let sqlite = SqliteFile::new();
    let store = sqlite.open().await;
    store.can_be_written().await.unwrap();
    let mut other = SqliteConnection::connect(&sqlite.address()).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let begun = Instant::now();
    assert_eq!(store.can_be_written().await.unwrap_err().fault(), Some(Fault::Locked));
    assert!(begun.elapsed().as_secs() < 4, "{:?}", begun.elapsed());
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    let mut tries = 0;
    while store.can_be_written().await.is_err() {
        tries += 1;
        assert!(tries < 10, "it never heals");
    }
    assert!(
        store.audit_rows(&prediction_store::AuditFilter::default()).await.unwrap().rows.is_empty()
    );
}
