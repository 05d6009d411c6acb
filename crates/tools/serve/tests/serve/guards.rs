//! Which requests are accepted, and which are refused for everyone.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::json;

use crate::project::{Project, Server, json as json_of, picture};

/// Makes a key as a person would, and returns it with its line of config.yaml.
pub(crate) fn key(name: &str, role: &str) -> (String, String) {
    let project = Project::new("  {}");
    let output = project.run(&["key", "--name", name, "--role", role]);
    let text = String::from_utf8(output.stdout).unwrap();
    let key = text.lines().find_map(|line| line.trim().strip_prefix("hk_")).unwrap();
    let line = text.lines().find(|line| line.contains("sha256")).unwrap();
    (format!("hk_{key}"), line.trim().to_owned())
}

pub(crate) fn status(server: &Server, method: &str, path: &str, key: Option<&str>) -> u16 {
    let request = match method {
        "GET" => server.get(path),
        _ => server.post(path).header("content-type", "image/png").body(picture(100)),
    };
    let request = match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    };
    request.send().unwrap().status().as_u16()
}

#[test]
fn a_key_opens_what_its_role_allows() {
    let (predict, predict_line) = key("ward", "predict");
    let (review, review_line) = key("clinic", "review");
    let (admin, admin_line) = key("boss", "admin");
    let project =
        Project::new(&format!("  keys:\n    {predict_line}\n    {review_line}\n    {admin_line}"));
    let server = project.serve();
    for (method, path, needed) in [
        ("POST", "/v1/predict", 0),
        ("GET", "/v1/model", 0),
        ("GET", "/v1/predictions", 1),
        ("GET", "/v1/dashboard", 1),
        ("POST", "/v1/model/rollback", 2),
        ("POST", "/train", 2),
        ("GET", "/v1/audit", 2),
    ] {
        for (rank, key) in [&predict, &review, &admin].into_iter().enumerate() {
            let found = status(&server, method, path, Some(key));
            assert_eq!(found == 403, rank < needed, "{method} {path} with rank {rank}: {found}");
            assert_ne!(found, 401);
        }
        for key in [None, Some("hk_unknown")] {
            assert_eq!(status(&server, method, path, key), 401, "{method} {path}");
        }
    }
    // A load balancer has no key.
    assert_eq!(status(&server, "GET", "/healthz", None), 200);
    assert_eq!(status(&server, "GET", "/readyz", None), 200);
    let log = project.log();
    assert!(!log.contains(&predict) && !log.contains("hk_unknown"), "a key is in the log");
}

#[test]
fn without_keys_only_this_machine_is_let_in() {
    let project = Project::new("  {}");
    let output = project.run(&["--address", "0.0.0.0:0"]);
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(log.contains("serve key"), "{log}");
}

#[test]
fn too_many_requests_are_told_when_to_come_again() {
    let project = Project::new("  limits: {requests_per_minute: 5}");
    let server = project.serve();
    let answers: Vec<_> = (0..7).map(|_| server.get("/v1/model").send().unwrap()).collect();
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429]);
    let wait: u64 = answers[6].headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
}

#[test]
fn every_answer_has_an_id_and_headers_that_keep_browsers_in_check() {
    let project = Project::new("  {}");
    let server = project.serve();
    for path in ["/", "/healthz", "/nothing", "/v1/model"] {
        let answer = server.get(path).header("x-request-id", "mine-1").send().unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("x-request-id"), "mine-1");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert!(header("content-security-policy").contains("default-src 'none'"));
        assert!(!header("content-security-policy").contains("unsafe"));
    }
    let forged = server.get("/healthz").header("x-request-id", "a b").send().unwrap();
    assert_ne!(forged.headers()["x-request-id"], "a b");
}

#[test]
fn only_pages_of_allowed_origins_may_call() {
    let project = Project::new("  cors_origins: ['https://ward.example.org']");
    let server = project.serve();
    let allowed = |origin: &str| {
        let answer = server.get("/v1/model").header("origin", origin).send().unwrap();
        let header = answer.headers().get("access-control-allow-origin").cloned();
        header.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(allowed("https://ward.example.org").as_deref(), Some("https://ward.example.org"));
    assert_eq!(allowed("https://evil.example.org"), None);
}

#[test]
fn a_page_of_a_strangers_changes_nothing() {
    let project = Project::new("  cors_origins: ['https://ward.example.org']");
    let server = project.serve();
    let rollback = |origin: &str| {
        let request = server.post("/v1/model/rollback").header("origin", origin);
        request.send().unwrap().status().as_u16()
    };
    for origin in ["https://evil.example.org", "http://localhost:1", "null"] {
        assert_eq!(rollback(origin), 403, "{origin}");
    }
    // There is no previous model, so the request was accepted.
    assert_eq!(rollback("https://ward.example.org"), 409);
    assert_eq!(rollback(&server.url), 409);
}

#[test]
fn a_strangers_name_for_this_machine_is_served_with_keys_alone() {
    let (key, line) = key("ward", "predict");
    for (settings, status) in [("  {}".to_owned(), 403), (format!("  keys:\n    {line}"), 200)] {
        let project = Project::new(&settings);
        let server = project.serve();
        let asked = server.get("/v1/model").header("host", "evil.example.org");
        assert_eq!(asked.bearer_auth(&key).send().unwrap().status(), status);
        let own = server.get("/v1/model").bearer_auth(&key).send().unwrap();
        assert_eq!(own.status(), 200);
    }
}

#[test]
fn whoever_asks_is_told_who_they_are() {
    let project = Project::new("  {}");
    let local = json_of(project.serve().get("/v1/session").send().unwrap(), 200);
    assert_eq!(local, json!({"name": "local", "role": "admin"}));
    let (key, line) = key("ward", "predict");
    let project = Project::new(&format!("  keys:\n    {line}"));
    let session = project.serve().get("/v1/session").bearer_auth(key).send().unwrap();
    assert_eq!(json_of(session, 200), json!({"name": "ward", "role": "predict"}));
}

#[test]
fn what_is_asked_of_an_administrator_is_written_down_whoever_asks() {
    let (review, review_line) = key("clinic", "review");
    let (admin, admin_line) = key("boss", "admin");
    let project = Project::new(&format!("  keys:\n    {review_line}\n    {admin_line}"));
    let server = project.serve();
    for key in [Some(review.as_str()), Some(admin.as_str()), None, Some("hk_unknown")] {
        status(&server, "POST", "/v1/model/rollback", key);
    }
    assert_eq!(status(&server, "GET", "/v1/audit", Some(&review)), 403);
    let listed = server.get("/v1/audit").bearer_auth(&admin).send().unwrap();
    let listed = json_of(listed, 200);
    let rows: Vec<[&str; 4]> = listed["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| ["key", "role", "action", "outcome"].map(|name| row[name].as_str().unwrap()))
        .collect();
    let rollback = "POST /v1/model/rollback";
    assert_eq!(
        rows,
        [
            ["clinic", "review", "GET /v1/audit", "403"],
            ["boss", "admin", rollback, "409"],
            ["clinic", "review", rollback, "403"],
        ],
        "a key that is not known gets no row"
    );
}

#[test]
fn a_connection_that_never_says_what_it_wants_is_closed() {
    let project = Project::new("  idle_seconds: 0.3");
    let server = project.serve();
    let mut slow = TcpStream::connect(server.address()).unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ").unwrap();
    let mut answer = String::new();
    // Ends only when the server closes the connection.
    slow.read_to_string(&mut answer).unwrap();
    assert!(!answer.contains("200"), "{answer}");
    assert_eq!(server.get("/healthz").send().unwrap().status(), 200);
}

#[test]
fn a_full_queue_turns_away_at_once_and_says_when_to_come_again() {
    let project = Project::new("  queue_requests: 1");
    let server = project.serve();
    // It has a place, and never sends its body.
    let mut slow = TcpStream::connect(server.address()).unwrap();
    let head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\n\
                expect: 100-continue\r\ncontent-length: 100\r\n\r\n";
    slow.write_all(head.as_bytes()).unwrap();
    // The server asks for the body only once the request has its place.
    let mut first = [0; 12];
    slow.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"HTTP/1.1 100");
    let request = server.post("/v1/predict").header("content-type", "image/png");
    let answer = request.body(picture(100)).send().unwrap();
    assert_eq!(answer.headers()["retry-after"], "1");
    assert_eq!(json_of(answer, 429)["error"]["code"], "overloaded");
    assert_eq!(server.get("/healthz").send().unwrap().status(), 200);
    drop(slow);
    let made = server.post("/v1/predict").header("content-type", "image/png");
    // The place is returned as soon as the server notices; until then it answers 429.
    let body = picture(100);
    let mut answer = made.try_clone().unwrap().body(body.clone()).send().unwrap();
    while answer.status() == 429 {
        answer = made.try_clone().unwrap().body(body.clone()).send().unwrap();
    }
    assert_eq!(answer.status(), 200);
}

#[test]
fn whoever_is_turned_away_within_their_body_gets_the_answer_and_keeps_the_connection() {
    let project = Project::new("  queue_requests: 1");
    let server = project.serve();
    let mut slow = TcpStream::connect(server.address()).unwrap();
    let head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\n\
                content-length: 100\r\n\r\n";
    slow.write_all(head.as_bytes()).unwrap();
    slow.read_exact(&mut [0; 12]).unwrap();

    let mut client = TcpStream::connect(server.address()).unwrap();
    let head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-length: 200000\r\n\r\n";
    client.write_all(head.as_bytes()).unwrap();
    for _ in 0..200 {
        client.write_all(&[b'x'; 1000]).unwrap();
    }
    let last = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    client.write_all(last.as_bytes()).unwrap();
    let mut answers = String::new();
    client.read_to_string(&mut answers).unwrap();
    assert!(answers.starts_with("HTTP/1.1 429"), "{answers}");
    assert!(answers.contains("HTTP/1.1 200"), "the connection was closed: {answers}");
}

#[test]
fn a_body_that_never_comes_is_given_up_at_the_deadline() {
    let project = Project::new("  deadline_seconds: 0.3");
    let server = project.serve();
    let mut slow = TcpStream::connect(server.address()).unwrap();
    let head = "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\n\
                connection: close\r\ncontent-length: 100\r\n\r\nabc";
    slow.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("deadline_exceeded"), "{answer}");
}

#[test]
fn the_description_of_the_api_names_every_route() {
    let project = Project::new("  {}");
    let server = project.serve();
    let api = json_of(server.get("/openapi.json").send().unwrap(), 200);
    assert!(api["openapi"].as_str().unwrap().starts_with("3.1"));
    for path in [
        "/predict",
        "/v1/predict",
        "/v1/model",
        "/v1/predictions",
        "/v1/feedback",
        "/train",
        "/v1/model/rollback",
        "/healthz",
        "/readyz",
        "/metrics",
        "/v1/dashboard",
        "/v1/samples",
        "/v1/rendered",
        "/v1/session",
        "/v1/audit",
    ] {
        assert!(api["paths"][path].is_object(), "{path}");
    }
    let printed = project.run(&["openapi"]);
    let printed: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
    assert_eq!(printed, api);
    let docs = server.get("/docs/").send().unwrap().text().unwrap();
    assert!(docs.contains("swagger"), "{docs}");
    assert_eq!(json!(api["info"]["title"]), "Hounsfield");
}
