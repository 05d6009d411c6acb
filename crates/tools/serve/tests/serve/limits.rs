//! Limits on one client, keys that change, and files that others must not read.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::guards::{key, status};
use crate::project::{Project, json as json_of, picture};

#[test]
fn metrics_do_not_grow_by_what_clients_call_their_methods() {
    let project = Project::new("  {}");
    let server = project.serve();
    for number in 0..30 {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let method = format!("M{number}{}", "X".repeat(1000));
        let head = format!(
            "{method} /made-up/{number} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.read_to_string(&mut String::new()).unwrap();
    }
    let metrics = server.get("/metrics").send().unwrap().text().unwrap();
    assert!(metrics.contains("method=\"other\""), "{metrics}");
    assert!(!metrics.contains("M1") && !metrics.contains("made-up"), "{metrics}");
    assert!(!project.log().contains("XXXX"), "nor does the log");
}

#[test]
fn slow_bodies_of_one_key_leave_places_for_others() {
    let (greedy, greedy_line) = key("greedy", "predict");
    let (ward, ward_line) = key("ward", "predict");
    let settings = format!("  queue_requests: 6\n  keys:\n    {greedy_line}\n    {ward_line}");
    let project = Project::new(&settings);
    let server = project.serve();
    let slow: Vec<TcpStream> = (0..12)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            let head = format!(
                "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\nx-api-key: {greedy}\r\n\
                 content-type: image/png\r\nexpect: 100-continue\r\ncontent-length: 100\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream.read_exact(&mut [0; 12]).unwrap();
            stream
        })
        .collect();
    assert_eq!(status(&server, "POST", "/v1/predict", Some(&greedy)), 429);
    assert_eq!(status(&server, "POST", "/v1/predict", Some(&ward)), 200);
    drop(slow);
}

#[test]
fn many_small_images_in_json_are_refused_before_they_take_memory() {
    let project = Project::new("  limits: {images: 4}");
    let mut server = project.serve();
    let before = server.peak_memory();
    let body = format!("{{\"images\":[{}{{}}]}}", "{\"image\":\"\"},".repeat(1_900_000));
    let request = server.post("/v1/predict").header("content-type", "application/json");
    let answer = json_of(request.body(body).send().unwrap(), 413);
    assert_eq!(answer["error"]["code"], "too_large", "{answer}");
    let grown = server.peak_memory() - before;
    assert!(grown < 200_000_000, "{grown} bytes");
    server.kill();
}

#[test]
fn keys_change_while_the_server_runs() {
    let (ward, ward_line) = key("ward", "predict");
    let (clinic, clinic_line) = key("clinic", "review");
    let project = Project::new(&format!("  keys:\n    {ward_line}"));
    let server = project.serve();
    assert_eq!(status(&server, "GET", "/v1/model", Some(&clinic)), 401);
    project.configure(&format!("  keys:\n    {ward_line}\n    {clinic_line}"));
    server.signal("-HUP");
    until(|| status(&server, "GET", "/v1/model", Some(&clinic)) == 200);
    project.configure(&format!("  keys:\n    {clinic_line}\n  batch_images: 0"));
    server.signal("-HUP");
    until(|| project.log().contains("the keys stay as they were"));
    assert_eq!(status(&server, "GET", "/v1/model", Some(&ward)), 200);
    project.configure("  {}");
    server.signal("-HUP");
    until(|| status(&server, "GET", "/v1/model", Some(&ward)) == 401);
    assert_eq!(status(&server, "GET", "/v1/model", None), 401, "no keys open no doors");
}

#[test]
fn a_key_that_is_revoked_is_refused_soon_and_after_a_restart() {
    let (ward, ward_line) = key("ward", "predict");
    let project = Project::new(&format!("  keys:\n    {ward_line}"));
    let mut server = project.serve();
    assert_eq!(status(&server, "GET", "/v1/model", Some(&ward)), 200);
    assert_eq!(project.run(&["key", "--revoke", "nobody"]).status.code(), Some(2));
    let revoked = project.run(&["key", "--revoke", "ward"]);
    assert_eq!(revoked.status.code(), Some(0), "{}", String::from_utf8_lossy(&revoked.stderr));
    until(|| status(&server, "GET", "/v1/model", Some(&ward)) == 401);
    server.kill();
    assert_eq!(status(&project.serve(), "GET", "/v1/model", Some(&ward)), 401);
}

#[test]
fn what_needs_no_key_is_counted_by_address() {
    let project = Project::new("  limits: {requests_per_minute: 5}");
    let server = project.serve();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let ask = "GET /assets/nothing HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(ask.repeat(3600).as_bytes()).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert!(answers.contains("HTTP/1.1 429"), "never too many");
    assert!(answers.contains("HTTP/1.1 404") && answers.contains("HTTP/1.1 200"), "{answers}");
}

#[test]
fn what_the_server_writes_is_for_nobody_else() {
    use std::os::unix::fs::MetadataExt;
    let project = Project::new("  store_images: all");
    let server = project.serve();
    server.predict(picture(100));
    let folder = project.path("artifacts/serve");
    let mut seen = 0;
    let mut open = vec![folder];
    while let Some(path) = open.pop() {
        let found = std::fs::metadata(&path).unwrap();
        assert_eq!(found.mode() & 0o077, 0, "{} has {:o}", path.display(), found.mode());
        seen += usize::from(found.is_file());
        if found.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    assert!(seen >= 4, "database, log, index and an image: {seen}");
}

#[test]
fn readiness_is_told_of_a_store_that_cannot_be_written() {
    let project = Project::new("  {}");
    let server = project.serve_after("trap '' XFSZ");
    let ready = || server.get("/readyz").send().unwrap().status().as_u16();
    assert_eq!(ready(), 200);
    server.limit_files("1");
    until(|| ready() == 503);
    server.limit_files("unlimited");
    until(|| ready() == 200);
}

fn until(mut is_so: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !is_so() {
        assert!(began.elapsed().as_secs() < 20, "waited in vain");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}
