//! What operators rely on: health, metrics, a server without its store, trainings elsewhere, drift.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use prediction_store::{
    ClassProbability, Digest, ImageFacts, ModelIdentity, NewTraining, Prediction, PredictionId,
    PredictionStore, TimingsMs,
};
use serde_json::{Value, json};
use test_server::{Response, TestServer};

use crate::project::{Project, Server, json as json_of, picture};

fn get(server: &Server, path: &str) -> Value {
    json_of(server.get(path).send().unwrap(), 200)
}

fn metrics(server: &Server) -> String {
    server.get("/metrics").send().unwrap().text().unwrap()
}

/// Waits until `look` finds what it wants.
#[track_caller]
fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_running_server_is_asked_whether_it_lives_and_one_that_is_gone_is_noticed() {
    let project = Project::new("  {}");
    let mut server = project.serve();
    let address = server.address().to_owned();
    let output = project.run(&["--health", "--address", &address]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "{\"status\":\"ok\"}\n");
    server.kill();
    let output = project.run(&["--health", "--address", &address]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("failed to ask the server whether it lives"), "{said}");
}

#[test]
fn metrics_name_the_model_and_show_queue_and_store() {
    let project = Project::new("  queue_requests: 7\n  retrain_after: 3");
    let server = project.serve();
    let said = server.predict(picture(150));
    let digest = said["model"]["digest"].as_str().unwrap();
    let text = wait_for("the store is looked at", || {
        Some(metrics(&server)).filter(|text| text.contains("hounsfield_store_up 1"))
    });
    for line in [
        &format!(
            "hounsfield_model{{name=\"tumour-classifier\",version=\"\",digest=\"{digest}\"}} 1"
        ),
        "hounsfield_queue_images 0",
        "hounsfield_queue_requests 0",
        "hounsfield_queue_requests_limit 7",
        "hounsfield_corrections_waiting 0",
        "hounsfield_corrections_due_above 3",
        "hounsfield_predictions_not_stored_total 0",
        "hounsfield_drift_window_images 0",
    ] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert!(!text.contains("champion"), "it follows no registry: {text}");
    project.write_model(0.05);
    json_of(server.post("/v1/model/reload").send().unwrap(), 200);
    let text = metrics(&server);
    assert!(!text.contains(digest) && text.contains("hounsfield_model_swaps_total 1"), "{text}");
}

#[test]
fn predictions_go_on_without_a_store_that_they_can_do_without() {
    let project = Project::new("  store: best_effort");
    let server = project.serve();
    let kept = server.predict(picture(100));
    assert_eq!(kept["stored"], true);
    let (file, aside) = (project.path("artifacts/serve/predictions.db"), project.path("aside.db"));
    fs::rename(&file, &aside).unwrap();
    let lost = server.predict(picture(120));
    assert_eq!(lost["stored"], false);
    assert_eq!(get(&server, "/readyz")["status"], "without_store");
    assert_eq!(get(&server, "/healthz")["status"], "ok");
    let feedback = json!({ "prediction_id": kept["id"], "class": "dark" });
    let answer = server.post("/v1/feedback").json(&feedback).send().unwrap();
    assert_eq!(json_of(answer, 503)["error"]["code"], "store_unavailable");
    assert!(metrics(&server).contains("hounsfield_predictions_not_stored_total 1"));
    fs::rename(&aside, &file).unwrap();
    wait_for("the store is used again", || {
        (server.predict(picture(140))["stored"] == true).then_some(())
    });
    json_of(server.post("/v1/feedback").json(&feedback).send().unwrap(), 201);
    assert_eq!(get(&server, "/readyz")["status"], "ok");
}

#[test]
fn where_trainings_are_off_a_request_is_refused_with_the_reason() {
    let project = Project::new("  training: off");
    let server = project.serve();
    let refused = json_of(server.post("/train").send().unwrap(), 409);
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("serve.training is off"), "{message}");
    assert_eq!(get(&server, "/v1/model")["training"], "off");
}

#[test]
fn a_training_is_handed_over_to_a_program_and_its_answer_is_kept() {
    let script = "echo Submitted batch job 17 for $HOUNSFIELD_REQUESTED_BY";
    let project = Project::new(&format!(
        "  training: job\n  store_images: feedback\n  training_job: {{command: [sh, -c, '{script}']}}"
    ));
    let server = project.serve();
    let said = server.predict(picture(60));
    let other = if said["class"] == "dark" { "bright" } else { "dark" };
    let feedback = json!({ "prediction_id": said["id"], "class": other });
    json_of(server.post("/v1/feedback").json(&feedback).send().unwrap(), 201);
    let waiting = || get(&server, "/v1/feedback/summary")["since_training"]["corrections"].take();
    assert_eq!(waiting(), 1);
    let started = json_of(server.post("/train").send().unwrap(), 202);
    assert_eq!(started["state"], "handed_over");
    let progress = get(&server, "/train");
    assert_eq!(progress["outcome"]["reason"], "handed over: Submitted batch job 17 for local");
    assert_eq!(waiting(), 0, "the other machine has them");
}

#[test]
fn a_job_that_cannot_be_started_is_an_error_and_corrections_go_on_waiting() {
    let project = Project::new(
        "  training: job\n  training_job: {command: [sh, -c, 'echo full >&2; exit 9']}",
    );
    let server = project.serve();
    let refused = json_of(server.post("/train").send().unwrap(), 409);
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("full") && message.contains("exit status: 9"), "{message}");
    assert_eq!(get(&server, "/train")["state"], "failed");
    assert_eq!(get(&server, "/v1/feedback/summary")["since_training"]["trained_at"], Value::Null);
}

#[test]
fn a_server_that_is_killed_while_it_hands_over_may_hand_over_again() {
    let script = "if [ -e pid ]; then echo second; exit; fi; echo $$ > pid; exec sleep 600";
    let project = Project::new(&format!(
        "  training: job\n  training_job: {{command: [sh, -c, '{script}']}}"
    ));
    let mut server = project.serve();
    let url = format!("{}/train", server.url);
    let client = server.client.clone();
    let asking = std::thread::spawn(move || client.post(url).send().is_err());
    let pid = wait_for("the job is started", || {
        fs::read_to_string(project.path("pid")).ok().filter(|pid| pid.ends_with('\n'))
    });
    server.kill();
    assert!(asking.join().unwrap(), "nobody answered");
    assert!(Command::new("kill").args(["-9", pid.trim()]).status().unwrap().success());
    let server = project.serve();
    let started = json_of(server.post("/train").send().unwrap(), 202);
    assert_eq!(started["state"], "handed_over");
    assert_eq!(get(&server, "/train")["outcome"]["reason"], "handed over: second");
}

#[test]
fn a_webhook_gets_the_request_and_its_token() {
    let hook = TestServer::start(|request| {
        let is_allowed = request.header("authorization") == Some("Bearer s3cret");
        Response::status(if is_allowed { 202 } else { 401 })
    });
    let project = Project::new(&format!(
        "  training: job\n  training_job: {{webhook: '{}'}}",
        hook.url("/train")
    ));
    let server = project.serve();
    let refused = json_of(server.post("/train").send().unwrap(), 409);
    assert!(refused["error"]["message"].as_str().unwrap().contains("401"), "{refused}");
    drop(server);
    let server = project.serve_after("export HOUNSFIELD_WEBHOOK_TOKEN=s3cret");
    let started = json_of(server.post("/train").send().unwrap(), 202);
    assert_eq!(started["state"], "handed_over");
    assert!(hook.requests().iter().all(|request| request.method == "POST"));
}

#[test]
fn a_training_of_a_scheduler_is_recorded() {
    let project = Project::new("  {}");
    let server = project.serve();
    let record = |body: &Value| server.post("/v1/trainings").json(body).send().unwrap();
    let digest = "0a".repeat(32);
    let good = json!({ "started_at": "2026-11-28T10:00:00Z", "outcome": "promoted",
        "reason": "better by 0.02", "model_after": digest });
    json_of(record(&good), 201);
    let trained_at = &get(&server, "/v1/feedback/summary")["since_training"]["trained_at"];
    assert_eq!(trained_at, "2026-11-28T10:00:00Z");
    for (key, value) in [
        ("started_at", json!("yesterday")),
        ("started_at", json!("2126-11-28T10:00:00Z")),
        ("outcome", json!("done")),
        ("reason", json!("x".repeat(2001))),
        ("model_after", json!("abc")),
        ("model_after", Value::Null),
        ("what", json!(1)),
    ] {
        let mut bad = good.clone();
        bad[key] = value;
        assert_eq!(json_of(record(&bad), 400)["error"]["code"], "bad_request", "{bad}");
    }
    let failed =
        json!({ "started_at": "2026-11-28T11:00:00Z", "outcome": "failed", "reason": "no disk" });
    json_of(record(&failed), 201);
    let trained_at = &get(&server, "/v1/feedback/summary")["since_training"]["trained_at"];
    assert_eq!(trained_at, "2026-11-28T10:00:00Z", "a failed one learnt from nothing");
}

#[test]
fn a_server_that_does_not_train_leaves_the_trainings_of_others_alone() {
    let project = Project::new("  training: off");
    drop(project.serve());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let open = || async {
        let url = format!("sqlite:{}", project.path("artifacts/serve/predictions.db").display());
        PredictionStore::open(&url.parse().unwrap()).await.unwrap()
    };
    let new = NewTraining {
        started_at: Timestamp::now(),
        key_name: None,
        model_before: Digest::of(b"model"),
    };
    runtime.block_on(async { open().await.start_training(&new).await.unwrap() });
    drop(project.serve());
    let runs = runtime.block_on(async { open().await.start_training(&new).await });
    assert!(runs.is_err(), "the other server's training still runs");
}

#[test]
fn a_server_that_follows_needs_a_registry_and_says_which() {
    let project = Project::new("  follow: {}\n  training: off");
    let mut command = project.command(&["--address", "127.0.0.1:0"]);
    let output = command.env("MLFLOW_TRACKING_URI", "http://127.0.0.1:9").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("serve.follow") && said.contains("127.0.0.1:9"), "{said}");
    assert!(output.stdout.is_empty(), "it said that it listens");
}

/// A prediction of this moment, as the served model makes them.
fn stored(created_at: Timestamp, model: Digest, number: u32, shift: f64) -> Prediction {
    let place = f64::from(number % 100) / 100.0;
    Prediction {
        id: PredictionId::new(created_at),
        created_at,
        key_name: None,
        file: None,
        model: ModelIdentity { name: "tumour-classifier".into(), version: None, digest: model },
        image: ImageFacts {
            sha256: Digest::of(&number.to_le_bytes()),
            format: "png".into(),
            width: 1,
            height: 1,
            colour_mode: "L".into(),
            window: None,
            stored: false,
        },
        class: Some(if number.is_multiple_of(2) { "bright" } else { "dark" }.into()),
        confidence: Some(0.5 + place / 2.0),
        probabilities: vec![ClassProbability { class: "bright".into(), probability: 1.0 }],
        accepted: true,
        grey_correlation: Some(1.0 - place / 10.0),
        feature_distance: Some(1.0 + place + shift),
        timings_ms: TimingsMs { decode: 1.0, wait: 1.0, inference: 1.0, total: 3.0 },
    }
}

#[test]
fn scans_of_another_kind_than_the_calibration_raise_an_alarm() {
    let project = Project::new("  drift: {window_hours: 1}");
    let server = project.serve();
    let model: Digest = get(&server, "/v1/model")["digest"].as_str().unwrap().parse().unwrap();
    drop(server);
    let hours_ago = |hours: i64| {
        let hour = Timestamp::now().as_second() / 3600 - hours;
        Timestamp::from_second(hour * 3600 + 60).unwrap()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let url = format!("sqlite:{}", project.path("artifacts/serve/predictions.db").display());
        let store = PredictionStore::open(&url.parse().unwrap()).await.unwrap();
        for (hours, images, shift) in [(2, 100, 0.0), (3, 100, 0.6), (4, 20, 0.6)] {
            let rows: Vec<Prediction> =
                (0..images).map(|number| stored(hours_ago(hours), model, number, shift)).collect();
            store.record_predictions(&rows).await.unwrap();
        }
    });
    let server = project.serve();
    let drift = wait_for("windows are tested", || {
        Some(get(&server, "/v1/drift")).filter(|it| it["windows"][0].is_object())
    });
    assert_eq!(drift["has_reference"], true);
    let windows = drift["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 2, "20 images are too few: {drift}");
    let alarms = |window: &Value| -> Vec<String> {
        let signals = window["signals"].as_array().unwrap().iter();
        let alarmed = signals.filter(|signal| signal["alarm"] == true);
        alarmed.map(|signal| signal["signal"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(alarms(&windows[0]), [""; 0], "{drift}");
    assert_eq!(alarms(&windows[1]), ["feature_distance"], "{drift}");
    assert!(project.log().contains("images have drifted"), "{}", project.log());
    let text = wait_for("metrics show it", || {
        Some(metrics(&server)).filter(|it| it.contains("hounsfield_drift_window_images 100"))
    });
    assert!(text.contains("hounsfield_drift_alarm{signal=\"feature_distance\"} 0"), "{text}");
}
