//! A tracker with a real server that dies, is slow, or refuses; read back through MLflow's own
//! Python client.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mlflow::{
    ArtifactSource, Dataset, DatasetFields, Delivered, ExperimentChoice, Provenance, RepeatedPoint,
    RunStatus, Settings, SyncOutcome, Tracker, Tracking, spooled_run, sync,
};
use serde_json::{Value, json};
use support::log::Log;
use support::proxy::{Fault, FaultyProxy};
use support::python::Python;
use support::server::MlflowServer;
use support::settings;
use tracing::Level;

const EXPERIMENT: &str = "tracker";

/// Longer than anything here takes, and short enough to see a test fail.
const PATIENCE: Duration = Duration::from_secs(60);

/// Starting a server takes many seconds, so the parts of this test share one.
#[test]
fn tracking_costs_nothing_and_loses_nothing() {
    let mut server = MlflowServer::start();
    let mut python = Python::start(&server.url());
    server.wait();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    a_run_looks_native_and_has_everything(&server, &mut python, folder);
    a_killed_server_is_caught_up_with(&mut server, &mut python, folder);
    a_resumed_training_repeats_no_step(&server, &mut python, folder);
    an_evaluation_joins_its_training(&server, &mut python, folder);
    faults_on_the_way_lose_and_repeat_nothing(&server, &mut python, folder);
    a_dead_server_is_synced_with_later(&server, &mut python, folder);
    every_end_is_told(&server, &mut python, folder);
    a_killed_program_is_told_by_the_sync(&server, &mut python, folder);
    what_is_refused_holds_up_nothing(&server, &mut python, folder);
    a_run_that_is_named_is_joined(&server, &mut python, folder);
}

fn tracking(settings: &Settings, spool: &Path) -> Tracking {
    let experiment = ExperimentChoice::Name(EXPERIMENT.into());
    let name = spool.file_name().unwrap().to_string_lossy().into_owned();
    Tracking {
        settings: Settings { experiment, ..settings.clone() },
        spool: spool.to_owned(),
        name: Some(name),
        tags: Vec::new(),
        repeated: RepeatedPoint::KeepFirst,
        system_metrics: None,
    }
}

fn start(address: &str, spool: &Path) -> Tracker {
    Tracker::start(tracking(&settings(address, &[]), spool))
}

fn log_epoch(tracker: &Tracker, epoch: i64) {
    let loss = 1.0 / epoch as f64;
    tracker.metrics(epoch, [("train/loss", loss), ("valid/loss", loss + 0.5)]);
}

fn read(python: &mut Python, name: &str) -> Value {
    python.read_run(EXPERIMENT, name)
}

/// The data that [`log_epoch`] logs for some epochs.
fn losses(epochs: impl IntoIterator<Item = i64>) -> Value {
    epochs.into_iter().map(|epoch| json!([epoch, 1.0 / epoch as f64])).collect()
}

fn a_run_looks_native_and_has_everything(
    server: &MlflowServer,
    python: &mut Python,
    folder: &Path,
) {
    let spool = folder.join("native");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = settings(&server.url(), &[]);
    let provenance = Provenance::find("train", repository, &settings, |_| Some("ada".to_owned()));
    let tracker = Tracker::start(Tracking {
        tags: provenance.tags(),
        system_metrics: Some(Duration::from_millis(50)),
        ..tracking(&settings, &spool)
    });
    tracker.params([("train.learning_rate", "0.001"), ("accuracy [%]", "cleaned")]);
    tracker.params((0..300).map(|number| (format!("p{number}"), number)));
    log_epoch(&tracker, 1);
    tracker.metrics(2, [("train/loss", f64::NAN)]);
    tracker.tags([("dvc.revision", "abc")]);
    let scores = folder.join("scores.json");
    fs::write(&scores, "{\"accuracy\": 0.5}").unwrap();
    tracker.artifact("scores.json", ArtifactSource::Copy(&scores));
    fs::write(&scores, "changed since").unwrap();
    tracker.artifact("notes/ü.txt", ArtifactSource::Bytes(b"hello"));
    let weights = folder.join("weights");
    fs::write(&weights, "w").unwrap();
    tracker.artifact("weights.bin", ArtifactSource::InPlace(&weights));
    let fields = DatasetFields {
        name: "chest CT".into(),
        digest: "0123".into(),
        source_type: "local".into(),
        source: "{}".into(),
        ..DatasetFields::default()
    };
    tracker.dataset(Dataset::new(fields).unwrap());
    // Wait for a sample of the machine's load.
    while tracker.next_step("system/") == 0 {
        std::thread::yield_now();
    }
    assert_eq!(tracker.finish(RunStatus::Finished, PATIENCE), Delivered::All);

    let run = read(python, "native");
    assert_eq!(spooled_run(&spool).unwrap().unwrap().as_str(), run["id"]);
    assert_eq!(run["status"], "FINISHED");
    assert!(run["end"].as_i64().unwrap() > 1_700_000_000_000);
    assert_eq!(run["params"].as_object().unwrap().len(), 302);
    assert_eq!(run["params"]["train.learning_rate"], "0.001");
    assert_eq!(run["params"]["accuracy ___"], "cleaned");
    for (name, value) in [
        ("mlflow.user", "ada"),
        ("mlflow.source.name", "train"),
        ("mlflow.source.type", "LOCAL"),
        ("mlflow.runName", "native"),
        ("dvc.revision", "abc"),
    ] {
        assert_eq!(run["tags"][name], value);
    }
    assert_eq!(run["tags"]["mlflow.source.git.commit"].as_str().unwrap().len(), 40);
    assert_eq!(run["metrics"]["valid/loss"], json!([[1, 1.5]]));
    assert_eq!(run["metrics"]["train/loss"], json!([[1, 1.0], [2, "nan"]]));
    for name in [
        "cpu_utilization_percentage",
        "system_memory_usage_megabytes",
        "system_memory_usage_percentage",
        "disk_usage_percentage",
        "disk_usage_megabytes",
        "disk_available_megabytes",
        "network_receive_megabytes",
        "network_transmit_megabytes",
    ] {
        assert_eq!(run["metrics"][format!("system/{name}")][0][0], 0, "{name}");
    }
    let expected = json!({
        "notes/ü.txt": "hello", "scores.json": "{\"accuracy\": 0.5}", "weights.bin": "w",
    });
    assert_eq!(run["artifacts"], expected);
    assert_eq!(run["inputs"], json!(["chest CT"]));
    let copies = fs::read_dir(spool.join("files")).unwrap().count();
    assert_eq!(copies, 0, "copies of what is delivered are removed");
}

/// The server dies in epoch 3 of 6, and is back in epoch 5.
fn a_killed_server_is_caught_up_with(
    server: &mut MlflowServer,
    python: &mut Python,
    folder: &Path,
) {
    let (log, _listening) = Log::listen(Level::INFO);
    let tracker = start(&server.url(), &folder.join("killed-server"));
    for epoch in 1..=6 {
        log_epoch(&tracker, epoch);
        tracker.artifact(&format!("epoch-{epoch}.txt"), ArtifactSource::Bytes(b"done"));
        match epoch {
            2 => {
                while tracker.run_id().is_none() {
                    std::thread::yield_now();
                }
                server.kill();
            }
            4 => {
                while log.count("tracking is behind") == 0 {
                    std::thread::yield_now();
                }
                server.restart();
                server.wait();
            }
            _ => {}
        }
    }
    assert_eq!(tracker.finish(RunStatus::Finished, PATIENCE), Delivered::All);
    let run = read(python, "killed-server");
    assert_eq!(run["status"], "FINISHED");
    assert_eq!(run["metrics"]["train/loss"], losses(1..=6));
    assert_eq!(run["metrics"]["valid/loss"].as_array().unwrap().len(), 6);
    assert_eq!(run["artifacts"].as_object().unwrap().len(), 6);
    assert_eq!(log.count("tracking is behind"), 1, "{}", log.text());
    assert!(log.count("caught up") <= 1, "{}", log.text());
}

fn a_resumed_training_repeats_no_step(server: &MlflowServer, python: &mut Python, folder: &Path) {
    let spool = folder.join("resumed");
    let first = start(&server.url(), &spool);
    first.params([("train.epochs", 4)]);
    (1..=3).for_each(|epoch| log_epoch(&first, epoch));
    first.metrics(3, [("seconds", 1.0)]);
    first.finish(RunStatus::Killed, PATIENCE);
    assert_eq!(read(python, "resumed")["status"], "KILLED");

    // Epoch 3 was not kept, and is repeated: with the same loss, in a different time.
    let (log, _listening) = Log::listen(Level::INFO);
    let second = start(&server.url(), &spool);
    second.params([("train.epochs", 4)]);
    (3..=4).for_each(|epoch| log_epoch(&second, epoch));
    second.metrics(3, [("seconds", 2.0)]);
    second.params([("train.epochs", 5)]);
    assert_eq!(second.finish(RunStatus::Finished, PATIENCE), Delivered::All);
    let run = read(python, "resumed");
    assert_eq!(run["status"], "FINISHED");
    assert_eq!(run["metrics"]["train/loss"], losses(1..=4));
    assert_eq!(run["metrics"]["seconds"], json!([[3, 1.0]]));
    assert_eq!(run["params"], json!({ "train.epochs": "4" }));
    assert_eq!(log.count("train.epochs of this run is \"4\" already"), 1, "{}", log.text());
}

fn an_evaluation_joins_its_training(server: &MlflowServer, python: &mut Python, folder: &Path) {
    let spool = folder.join("joined");
    let training = start(&server.url(), &spool);
    log_epoch(&training, 1);
    training.finish(RunStatus::Finished, PATIENCE);
    for accuracy in [0.5, 0.5, 0.75] {
        let settings = settings(&server.url(), &[]);
        let evaluation = Tracker::start(Tracking {
            repeated: RepeatedPoint::Update,
            ..tracking(&settings, &spool)
        });
        evaluation.metrics(0, [("test/accuracy", accuracy)]);
        assert_eq!(evaluation.finish(RunStatus::Finished, PATIENCE), Delivered::All);
    }
    let run = read(python, "joined");
    assert_eq!(run["metrics"]["test/accuracy"], json!([[0, 0.5], [0, 0.75]]));
    assert_eq!(run["metrics"]["train/loss"], losses([1]));
}

fn faults_on_the_way_lose_and_repeat_nothing(
    server: &MlflowServer,
    python: &mut Python,
    folder: &Path,
) {
    let faults = [
        ("hangs-up", Fault::HangUp, "the connection broke"),
        ("silent", Fault::Silence, "no answer within 1 s (MLFLOW_HTTP_REQUEST_TIMEOUT)"),
        ("loses-answers", Fault::LoseAnswers, "the connection broke"),
        ("500", Fault::Answer("500 Internal Server Error", "", "oops"), "answered 500: oops"),
        (
            "429",
            Fault::Answer("429 Too Many Requests", "Retry-After: 1\r\n", "slow down"),
            "answered 429: slow down; it asks to come back in 1 s",
        ),
        (
            "403",
            Fault::Answer("403 Forbidden", "", "<html><title>Blocked</title></html>"),
            "answered 403: Blocked; someone without a login may not do this there",
        ),
        (
            "302",
            Fault::Answer("302 Found", "Location: http://x.example/login?t=hush\r\n", ""),
            "it has moved to http://x.example/login; set MLFLOW_TRACKING_URI",
        ),
    ];
    for (name, fault, message) in faults {
        let (log, _listening) = Log::listen(Level::INFO);
        let proxy = FaultyProxy::start(server.port());
        proxy.set(fault);
        let settings = settings(&proxy.url(), &[("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")]);
        let started = Instant::now();
        let tracker = Tracker::start(tracking(&settings, &folder.join(name)));
        tracker.params((0..100).map(|number| (format!("p{number}"), number)));
        (1..=50).for_each(|epoch| log_epoch(&tracker, epoch));
        tracker.artifact("a.txt", ArtifactSource::Bytes(b"a"));
        let took = started.elapsed();
        assert!(took < Duration::from_secs(1), "{name}: the program waited {took:?}");
        proxy.wait_for_hits(2);
        proxy.set(Fault::Pass);
        assert_eq!(tracker.finish(RunStatus::Finished, PATIENCE), Delivered::All, "{name}");
        let run = read(python, name);
        assert_eq!(run["metrics"]["train/loss"], losses(1..=50), "{name}");
        assert_eq!(run["params"].as_object().unwrap().len(), 100, "{name}");
        assert_eq!(run["artifacts"], json!({ "a.txt": "a" }), "{name}");
        let text = log.text();
        assert_eq!(log.count("tracking is behind"), 1, "{text}");
        assert!(text.contains(message) && !text.contains("hush"), "{text}");
    }
    // A slow server is not an error.
    let (log, _listening) = Log::listen(Level::INFO);
    let proxy = FaultyProxy::start(server.port());
    proxy.set(Fault::Delay(Duration::from_millis(200)));
    let tracker = start(&proxy.url(), &folder.join("slow"));
    let started = Instant::now();
    (1..=50).for_each(|epoch| log_epoch(&tracker, epoch));
    assert!(started.elapsed() < Duration::from_millis(200), "the program waited for the server");
    assert_eq!(tracker.finish(RunStatus::Finished, PATIENCE), Delivered::All);
    assert_eq!(read(python, "slow")["metrics"]["train/loss"], losses(1..=50));
    assert_eq!(log.count("behind"), 0, "{}", log.text());
}

fn a_dead_server_is_synced_with_later(server: &MlflowServer, python: &mut Python, folder: &Path) {
    let (log, _listening) = Log::listen(Level::INFO);
    let spools = folder.join("later");
    for name in ["dead-1", "dead-2"] {
        let started = Instant::now();
        let tracker = start(&test_server::closed_address(), &spools.join(name));
        (1..=6).for_each(|epoch| log_epoch(&tracker, epoch));
        tracker.artifact("a.txt", ArtifactSource::Bytes(name.as_bytes()));
        assert_eq!(tracker.finish(RunStatus::Finished, PATIENCE), Delivered::NotAll);
        let took = started.elapsed();
        assert!(took < Duration::from_secs(5), "nobody waits {took:?} for a dead server");
    }
    assert_eq!(log.count("make mlflow-sync"), 2, "{}", log.text());
    assert!(log.count("tracking is behind") <= 2, "{}", log.text());

    // A running program delivers its spool itself.
    let running = start(&server.url(), &spools.join("running"));
    while running.run_id().is_none() {
        std::thread::yield_now();
    }
    let settings = settings(&server.url(), &[]);
    let synced = sync(&spools, &settings).unwrap();
    let outcomes: Vec<_> = synced.iter().map(|run| &run.outcome).collect();
    assert!(
        matches!(
            outcomes[..],
            [SyncOutcome::Delivered, SyncOutcome::Delivered, SyncOutcome::InUse]
        ),
        "{synced:?}"
    );
    for (name, synced) in ["dead-1", "dead-2"].into_iter().zip(&synced) {
        let run = read(python, name);
        assert_eq!(run["status"], "FINISHED");
        assert_eq!(run["metrics"]["train/loss"], losses(1..=6));
        assert_eq!(run["artifacts"], json!({ "a.txt": name }));
        assert_eq!(run["id"], synced.run.as_ref().unwrap().as_str());
    }
    running.finish(RunStatus::Finished, PATIENCE);
    for run in sync(&spools, &settings).unwrap() {
        assert!(matches!(run.outcome, SyncOutcome::NothingLeft), "{run:?}");
    }
    // Runs stay on their server.
    let proxy = FaultyProxy::start(server.port());
    let moved = sync(&spools, &support::settings(&proxy.url(), &[])).unwrap();
    let SyncOutcome::Failed(error) = &moved[0].outcome else { panic!("{moved:?}") };
    assert!(error.to_string().contains("set MLFLOW_TRACKING_URI to that server"), "{error}");
}

fn every_end_is_told(server: &MlflowServer, python: &mut Python, folder: &Path) {
    let spools = folder.join("panics");
    let tracker = start(&server.url(), &spools.join("panic"));
    let outcome = catch_unwind(AssertUnwindSafe(move || {
        log_epoch(&tracker, 1);
        panic!("on purpose");
    }));
    assert!(outcome.is_err());
    // On a busy machine, the sync delivers what the panic did not wait for.
    let settings = settings(&server.url(), &[]);
    while matches!(sync(&spools, &settings).unwrap()[0].outcome, SyncOutcome::InUse) {}
    assert_eq!(read(python, "panic")["status"], "FAILED");

    // As in a thread that waits for a signal.
    let tracker = start(&server.url(), &folder.join("signal"));
    log_epoch(&tracker, 1);
    let hook = tracker.end_hook();
    let ended = std::thread::spawn(move || hook.end(RunStatus::Killed, PATIENCE)).join().unwrap();
    assert_eq!(ended, Delivered::All);
    log_epoch(&tracker, 2);
    assert_eq!(tracker.finish(RunStatus::Finished, PATIENCE), Delivered::All);
    let run = read(python, "signal");
    assert_eq!(run["status"], "KILLED");
    assert_eq!(run["metrics"]["train/loss"], losses([1]));
}

const CHILD_SERVER: &str = "TRACKER_TEST_SERVER";
const CHILD_SPOOL: &str = "TRACKER_TEST_SPOOL";

#[test]
#[ignore = "the program that another test kills"]
fn a_program_that_is_killed() {
    let variable = |name| std::env::var(name).unwrap();
    let tracker = start(&variable(CHILD_SERVER), Path::new(&variable(CHILD_SPOOL)));
    (1..=3).for_each(|epoch| log_epoch(&tracker, epoch));
    println!("ready");
    loop {
        std::thread::park();
    }
}

fn a_killed_program_is_told_by_the_sync(server: &MlflowServer, python: &mut Python, folder: &Path) {
    let spools = folder.join("crashed");
    let spool = spools.join("killed-program");
    // It cannot reach its server either.
    let mut program = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_program_that_is_killed", "--ignored", "--nocapture"])
        .env(CHILD_SERVER, test_server::closed_address())
        .env(CHILD_SPOOL, &spool)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = BufReader::new(program.stdout.take().unwrap());
    assert!(output.lines().any(|line| line.unwrap().ends_with("ready")));
    program.kill().unwrap();
    program.wait().unwrap();

    let settings = settings(&server.url(), &[]);
    let synced = sync(&spools, &settings).unwrap();
    assert!(matches!(synced[0].outcome, SyncOutcome::Delivered), "{synced:?}");
    let run = read(python, "killed-program");
    assert_eq!(run["status"], "KILLED");
    assert_eq!(run["metrics"]["train/loss"], losses(1..=3));

    let resumed = start(&server.url(), &spool);
    (3..=4).for_each(|epoch| log_epoch(&resumed, epoch));
    assert_eq!(resumed.finish(RunStatus::Finished, PATIENCE), Delivered::All);
    let run = read(python, "killed-program");
    assert_eq!(run["status"], "FINISHED");
    assert_eq!(run["metrics"]["train/loss"], losses(1..=4));
}

fn what_is_refused_holds_up_nothing(server: &MlflowServer, python: &mut Python, folder: &Path) {
    let proxy = FaultyProxy::start(server.port());
    let spool = folder.join("refused");
    let tracker = start(&proxy.url(), &spool);
    while tracker.run_id().is_none() {
        std::thread::yield_now();
    }
    // The artifact store is down, and another client has set a parameter.
    proxy.set(Fault::AnswerIf("PUT", "503 Service Unavailable"));
    let id = tracker.run_id().unwrap();
    python.run(&format!("client.log_param('{id}', 'width', 'theirs')"));
    tracker.artifact("a.txt", ArtifactSource::Bytes(b"a"));
    let changing = folder.join("changing");
    fs::write(&changing, "before").unwrap();
    tracker.artifact("changing.txt", ArtifactSource::InPlace(&changing));
    fs::write(&changing, "after").unwrap();
    tracker.params([("depth", "3"), ("width", "ours")]);
    log_epoch(&tracker, 1);
    // Later entries arrive before them.
    while read(python, "refused")["metrics"]["valid/loss"].is_null() {}
    let run = read(python, "refused");
    assert_eq!(run["params"], json!({ "depth": "3", "width": "theirs" }));
    assert_eq!(run["artifacts"], json!({}));
    proxy.set(Fault::Pass);
    assert_eq!(tracker.finish(RunStatus::Finished, PATIENCE), Delivered::All);
    assert_eq!(read(python, "refused")["artifacts"], json!({ "a.txt": "a" }));
    let refused = fs::read_to_string(spool.join("refused.jsonl")).unwrap();
    let lines: Vec<Value> =
        refused.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{refused}");
    assert!(refused.contains("changed since") && refused.contains("\"ours\""), "{refused}");
}

fn a_run_that_is_named_is_joined(server: &MlflowServer, python: &mut Python, folder: &Path) {
    let id = python.run(&format!(
        "experiment = client.get_experiment_by_name('{EXPERIMENT}').experiment_id\n\
         result = client.create_run(experiment, run_name='theirs').info.run_id"
    ));
    let settings = settings(&server.url(), &[("MLFLOW_RUN_ID", id.as_str().unwrap())]);
    let tracker = Tracker::start(tracking(&settings, &folder.join("not-a-new-run")));
    log_epoch(&tracker, 1);
    assert_eq!(tracker.finish(RunStatus::Finished, PATIENCE), Delivered::All);
    let run = read(python, "theirs");
    assert_eq!((&run["id"], &run["status"]), (&id, &json!("FINISHED")));
    assert_eq!(run["metrics"]["train/loss"], losses([1]));
}
