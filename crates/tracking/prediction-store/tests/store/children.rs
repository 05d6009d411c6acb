//! Programs that tests start: this test binary again, controlled by the environment.

use std::process::{Child, Command, Stdio};

use prediction_store::{DatabaseUrl, PredictionStore};

use crate::samples::{at, feedback, prediction};

const DATABASE: &str = "PREDICTION_STORE_OF_CHILD";

/// A child prints this before each id that was acknowledged.
pub(crate) const ACKNOWLEDGED: &str = "acknowledged ";
/// A child prints this when the store refuses.
pub(crate) const REFUSED: &str = "refused ";

/// Runs a test of this module in its own process, on `database`.
pub(crate) fn child(test: &str, database: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    tell(&mut command, test, database);
    command
}

/// The same, started by a shell that runs `before`.
pub(crate) fn child_after(before: &str, test: &str, database: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("{before}; exec \"$0\" \"$@\""));
    command.arg(std::env::current_exe().unwrap());
    tell(&mut command, test, database);
    command
}

fn tell(command: &mut Command, test: &str, database: &str) {
    command
        .args(["--exact", &format!("children::{test}"), "--ignored", "--nocapture"])
        .env(DATABASE, database)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
}

pub(crate) fn start(mut command: Command) -> Child {
    command.spawn().unwrap()
}

fn database() -> Option<DatabaseUrl> {
    Some(std::env::var(DATABASE).ok()?.parse().unwrap())
}

/// Records feedback from several tasks and prints each id once it is acknowledged, until the store
/// refuses or the process is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a process that other tests start"]
async fn records_until_it_ends() {
    let Some(database) = database() else { return };
    let store = match PredictionStore::open(&database).await {
        Ok(store) => store,
        Err(error) => return println!("\n{REFUSED}{:?} {error}", error.fault()),
    };
    let now = at("2026-11-20T10:00:00Z");
    let write = async || {
        loop {
            let made = prediction("normal", now);
            let said = feedback(&made, "adenocarcinoma", now);
            let recorded = match store.record_prediction(&made).await {
                Ok(()) => store.record_feedback(&said).await.map(|_| ()),
                Err(error) => Err(error),
            };
            match recorded {
                Ok(()) => println!("\n{ACKNOWLEDGED}{}", made.id),
                Err(error) => return println!("\n{REFUSED}{:?} {error}", error.fault()),
            }
        }
    };
    tokio::join!(write(), write(), write(), write());
}
