//! Start and stop.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Output;

use crate::project::{Project, picture};

#[track_caller]
fn refused(output: &Output, code: i32, words: &str) {
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{log}");
    assert!(log.contains(words), "{log}");
    assert!(output.stdout.is_empty(), "it said that it listens");
}

#[test]
fn a_request_in_flight_is_ended_before_the_server_is() {
    let project = Project::new("  {}");
    let mut server = project.serve();
    let body = picture(100);
    let mut slow = TcpStream::connect(server.address()).unwrap();
    let head = format!(
        "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\nexpect: 100-continue\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).unwrap();
    let mut first = [0; 25];
    slow.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    server.signal("-TERM");
    while !project.log().contains("stopping") {
        std::thread::yield_now();
    }
    slow.write_all(&body).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(server.wait(), Some(0), "{}", project.log());
}

#[test]
fn the_grace_period_ends() {
    let project = Project::new("  shutdown_seconds: 0.2");
    let mut server = project.serve();
    // A connection that never sends a request.
    let _idle = TcpStream::connect(server.address()).unwrap();
    server.signal("-INT");
    assert_eq!(server.wait(), Some(0), "{}", project.log());
}

#[test]
fn a_model_that_is_missing_or_has_changed_is_not_served() {
    let project = Project::new("  {}");
    let output = project.run(&["--model", "elsewhere", "--address", "127.0.0.1:0"]);
    refused(&output, 1, "elsewhere");
    let weights = project.path("model/trained_model.safetensors");
    let mut bytes = fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&weights, bytes).unwrap();
    refused(&project.run(&["--address", "127.0.0.1:0"]), 1, "trained_model.safetensors");
}

#[test]
fn a_port_in_use_and_a_bad_configuration_are_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let project = Project::new("  {}");
    refused(&project.run(&["--address", &address]), 1, &address);
    let project = Project::new("  batch_images: 0");
    refused(&project.run(&["--address", "127.0.0.1:0"]), 2, "serve.batch_images");
    let project = Project::new("  database: mysql://x");
    refused(&project.run(&["--address", "127.0.0.1:0"]), 2, "serve.database");
    let project = Project::new("  tls: {certificate: none.pem, key: none.pem}");
    refused(&project.run(&["--address", "127.0.0.1:0"]), 1, "none.pem");
}

#[test]
fn a_database_that_is_gone_stops_being_ready_but_not_alive() {
    let project = Project::new("  {}");
    let server = project.serve();
    assert_eq!(server.get("/readyz").send().unwrap().status(), 200);
    fs::remove_dir_all(project.path("artifacts/serve")).unwrap();
    assert_eq!(server.get("/readyz").send().unwrap().status(), 503);
    assert_eq!(server.get("/healthz").send().unwrap().status(), 200);
    let request = server.post("/v1/predict").header("content-type", "image/png");
    let answer = request.body(picture(100)).send().unwrap();
    assert_eq!(answer.status(), 503, "what cannot be kept is not answered");
}

#[test]
fn a_rustls_certificate_is_spoken_with() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let project = Project::new("  tls: {certificate: cert.pem, key: key.pem}");
    fs::write(project.path("cert.pem"), certificate.cert.pem()).unwrap();
    fs::write(project.path("key.pem"), certificate.signing_key.serialize_pem()).unwrap();
    let server = project.serve();
    assert!(server.url.starts_with("https://"));
    let answer = server.get("/healthz").send().unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().contains_key("strict-transport-security"));
}

#[test]
fn a_model_whose_descriptions_were_changed_is_not_served() {
    let opened = |text: &str| {
        let at = text.find("\"feature_distance_limit\": ").unwrap();
        let end = at + text[at..].find(',').unwrap();
        format!("{}\"feature_distance_limit\": 1e9{}", &text[..at], &text[end..])
    };
    let led_out = |text: &str| text.replace("\"bright\"", "\"../../x\"");
    let unsealed = |text: &str| {
        let at = text.find(",\n  \"seal\"").unwrap();
        format!("{}\n}}\n", &text[..at])
    };
    let large = |text: &str| text.replace("\"image_size\": 32", "\"image_size\": 1000000000");
    type Change<'a> = &'a dyn Fn(&str) -> String;
    let changes: [(&str, Change<'_>, &str); 6] = [
        ("calibration.json", &opened, "SHA-256"),
        ("model.json", &led_out, "SHA-256"),
        ("class_indices.json", &led_out, "no usable name"),
        // Those of earlier versions have no digest, and are still checked.
        ("model.json", &|text| unsealed(&led_out(text)), "no usable name"),
        ("model.json", &|text| unsealed(&large(text)), "1000000000"),
        ("class_indices.json", &|text| text.replace("dark", "dim"), "class_indices.json"),
    ];
    for (file, change, words) in changes {
        let project = Project::new("  {}");
        let path = project.path("model").join(file);
        let before = fs::read_to_string(&path).unwrap();
        let after = change(&before);
        assert_ne!(before, after, "{file}: {before}");
        fs::write(&path, after).unwrap();
        refused(&project.run(&["--address", "127.0.0.1:0"]), 1, words);
    }
}
