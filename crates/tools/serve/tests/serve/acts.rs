//! Requests that change the server's state, and clients that do not wait for the answer.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::project::{Project, Server, json as json_of};

/// Sends a request and hangs up before the answer.
fn hang_up_on(server: &Server, path: &str, after: Duration) {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let request = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    std::thread::sleep(after);
}

fn audit(server: &Server) -> Vec<(String, String)> {
    let rows = json_of(server.get("/v1/audit?limit=1000").send().unwrap(), 200);
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = rows["rows"].as_array().unwrap().iter();
    rows.map(|row| (text(row, "action"), text(row, "outcome")))
        .filter(|(action, _)| action.starts_with("POST"))
        .collect()
}

fn training(server: &Server) -> Value {
    json_of(server.get("/train").send().unwrap(), 200)
}

#[track_caller]
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(30), "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn started(server: &Server) -> u16 {
    server.post("/train").send().unwrap().status().as_u16()
}

/// Waits until the pipeline has written its process id into the file `pid`.
fn pid_of_pipeline(project: &Project) -> String {
    let read = || fs::read_to_string(project.path("pid")).ok().filter(|text| text.ends_with('\n'));
    wait_until("the pipeline runs", || read().is_some());
    read().expect("it was there a moment ago")
}

#[test]
fn a_training_whose_client_hangs_up_runs_to_its_end_and_the_next_one_may_start() {
    let project = Project::new("  limits: {requests_per_minute: 0}");
    project.pipeline("exit 0");
    let server = project.serve();
    for round in 0..8 {
        let before = audit(&server).len();
        hang_up_on(&server, "/train", Duration::from_micros(300 * round));
        // A request that was never read leaves no row; one that was read has started a training.
        std::thread::sleep(Duration::from_millis(100));
        wait_until("the row is closed", || {
            audit(&server).iter().all(|(_, outcome)| outcome != "begun")
        });
        wait_until("the training has ended", || training(&server)["state"] != "running");
        let rows = audit(&server);
        if rows.len() > before {
            assert_eq!(rows[0], ("POST /train".to_owned(), "202".to_owned()));
        }
        assert_eq!(started(&server), 202, "{}", project.log());
        wait_until("the training has ended", || training(&server)["state"] != "running");
    }
}

#[test]
fn every_change_has_its_row_whether_or_not_somebody_waits_for_it() {
    let project = Project::new("  limits: {requests_per_minute: 0}");
    let server = project.serve();
    json_of(server.post("/v1/model/reload").send().unwrap(), 200);
    let digest = |server: &Server| {
        let model = json_of(server.get("/v1/model").send().unwrap(), 200);
        model["loaded_at"].as_str().unwrap().to_owned()
    };
    let mut changes = 0;
    for round in 0..20 {
        let before = (digest(&server), audit(&server).len());
        hang_up_on(&server, "/v1/model/rollback", Duration::from_micros(200 * round));
        std::thread::sleep(Duration::from_millis(50));
        let after = (digest(&server), audit(&server).len());
        assert_eq!(before.0 != after.0, before.1 != after.1, "round {round}");
        changes += usize::from(before.0 != after.0);
    }
    assert!(changes > 5, "{changes}");
    assert!(audit(&server).iter().all(|(_, outcome)| outcome == "200"));
}

#[test]
fn a_change_whose_client_left_just_before_the_server_was_stopped_is_done_to_its_end() {
    let project = Project::new("  limits: {requests_per_minute: 0}");
    for round in 0..8 {
        let mut server = project.serve();
        hang_up_on(&server, "/v1/model/reload", Duration::from_micros(500 + 500 * round));
        server.signal("-TERM");
        assert_eq!(server.wait(), Some(0), "{}", project.log());
    }
    // The rows of all stopped acts; a request that was never read has none.
    let rows = audit(&project.serve());
    assert!(rows.len() > 3, "{rows:?}");
    assert!(rows.iter().all(|(_, outcome)| outcome == "200"), "{rows:?}");
}

#[test]
fn models_are_loaded_one_at_a_time_however_many_ask_and_hang_up() {
    let project = Project::new("  limits: {requests_per_minute: 0}");
    let server = project.serve();
    for _ in 0..40 {
        hang_up_on(&server, "/v1/model/reload", Duration::from_millis(1));
    }
    wait_until("all rows are closed", || {
        let rows = audit(&server);
        !rows.is_empty() && rows.iter().all(|(_, outcome)| outcome != "begun")
    });
    let refused = audit(&server).iter().filter(|(_, outcome)| outcome == "409").count();
    assert!(refused > 0, "{:?}", audit(&server));
    let answer = server.post("/v1/model/reload").send().unwrap();
    json_of(answer, 200);
}

#[test]
fn no_training_starts_beside_one_that_a_killed_server_left_behind() {
    let project = Project::new("  {}");
    project.pipeline("echo $$ > pid; sleep 600");
    let mut server = project.serve();
    assert_eq!(started(&server), 202);
    let pid = pid_of_pipeline(&project);
    server.kill();
    let server = project.serve();
    assert!(project.log().contains("another server began"), "{}", project.log());
    let answer = json_of(server.post("/train").send().unwrap(), 409);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("training.lock"), "{message}");
    let killed =
        Command::new("kill").args(["-9", "--", &format!("-{}", pid.trim())]).status().unwrap();
    assert!(killed.success());
    wait_until("it may start again", || started(&server) == 202);
}

#[test]
fn what_is_asked_for_when_no_row_can_be_written_is_not_done() {
    let project = Project::new("  {}");
    let server = project.serve();
    json_of(server.post("/v1/model/reload").send().unwrap(), 200);
    let loaded = || json_of(server.get("/v1/model").send().unwrap(), 200)["loaded_at"].clone();
    let before = loaded();
    fs::remove_file(project.path("artifacts/serve/predictions.db")).unwrap();
    let answer = json_of(server.post("/v1/model/rollback").send().unwrap(), 503);
    assert_eq!(before, loaded());
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(!message.contains("predictions.db") && !message.contains('/'), "a path: {message}");
    assert!(project.log().contains("predictions.db"), "the log says which");
}

#[test]
fn the_server_ends_in_time_whatever_trains_or_streams() {
    let project = Project::new("  shutdown_seconds: 2");
    project.pipeline("trap '' TERM; echo $$ > pid; while true; do sleep 1; done");
    let mut server = project.serve();
    assert_eq!(started(&server), 202);
    let pid = pid_of_pipeline(&project);
    let mut listening = TcpStream::connect(server.address()).unwrap();
    listening.write_all(b"GET /train/events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    listening.read_exact(&mut [0; 12]).unwrap();
    let began = Instant::now();
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0), "{}", project.log());
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    let alive = Command::new("kill").args(["-0", pid.trim()]).output().unwrap();
    assert!(!alive.status.success(), "the pipeline runs still");
}

#[test]
fn a_listener_alone_does_not_keep_the_server_until_the_grace_period_ends() {
    let project = Project::new("  shutdown_seconds: 60");
    let mut server = project.serve();
    let mut listening = TcpStream::connect(server.address()).unwrap();
    listening.write_all(b"GET /train/events HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    listening.read_exact(&mut [0; 12]).unwrap();
    let began = Instant::now();
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0), "{}", project.log());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn the_server_ends_in_time_whatever_it_decodes() {
    let project = Project::new("  shutdown_seconds: 0.2\n  limits: {megapixels: 100}");
    let mut server = project.serve();
    let mut jpeg = Vec::new();
    let large = image::RgbImage::from_fn(9_900, 9_900, |x, y| {
        image::Rgb([(x * y) as u8, (x ^ y) as u8, x as u8])
    });
    let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 30);
    large.write_with_encoder(encoder).unwrap();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\n\
         content-length: {}\r\n\r\n",
        jpeg.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&jpeg).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    let began = Instant::now();
    server.signal("-TERM");
    assert_eq!(server.wait(), Some(0), "{}", project.log());
    // It takes seconds to decode.
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
}
