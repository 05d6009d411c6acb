//! Idle connections, and the limit on their number.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::project::{Project, Server};

const LIMIT: Duration = Duration::from_millis(400);

fn project() -> Project {
    Project::new("  idle_seconds: 0.4")
}

/// Reads until the server closes the connection, and returns the time that took.
fn closed_after(mut stream: impl Read, socket: &TcpStream) -> Duration {
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let began = Instant::now();
    let mut rest = Vec::new();
    let ended = stream.read_to_end(&mut rest);
    assert!(
        ended.as_ref().err().is_none_or(|error| error.kind() != std::io::ErrorKind::WouldBlock),
        "it is open still"
    );
    began.elapsed()
}

#[track_caller]
fn assert_is_closed(stream: &TcpStream) {
    let time = closed_after(stream, stream);
    assert!(time < 10 * LIMIT, "{time:?}");
}

fn connect(server: &Server, first: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(first).unwrap();
    stream
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(content);
    frame
}

/// The first frames of an HTTP/2 client that accepts this many bytes of each answer.
fn http2(window: u32) -> Vec<u8> {
    let mut first = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let settings = [&[0, 4][..], &window.to_be_bytes()].concat();
    first.extend(frame(4, 0, 0, &settings));
    first
}

#[test]
fn whoever_says_nothing_or_half_of_something_is_let_go() {
    let project = project();
    let server = project.serve();
    for first in [&b""[..], b"PRI * HT", b"G", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"] {
        assert_is_closed(&connect(&server, first));
    }
    assert!(project.log().contains("silent for 0.4 s"), "{}", project.log());
}

#[test]
fn a_client_that_is_done_or_waits_for_more_is_let_go() {
    let project = project();
    let server = project.serve();
    assert_is_closed(&connect(&server, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"));
}

#[test]
fn a_client_of_http2_that_only_answers_pings_is_let_go() {
    let project = project();
    let server = project.serve();
    let mut stream = connect(&server, &http2(65_535));
    stream.set_read_timeout(Some(LIMIT / 8)).unwrap();
    let began = Instant::now();
    loop {
        assert!(began.elapsed() < 10 * LIMIT, "it is open still");
        if stream.write_all(&frame(6, 0, 0, b"its ping")).is_err() {
            break;
        }
        if matches!(stream.read(&mut [0; 1000]), Ok(0)) {
            break;
        }
    }
    assert!(began.elapsed() >= LIMIT / 2);
}

#[test]
fn a_client_of_http2_that_takes_nothing_of_its_answer_is_let_go() {
    let project = project();
    let server = project.serve();
    let mut first = http2(0);
    let path = b"/assets/scans.css";
    let mut head = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    head.extend(path);
    head.extend([0x01, 9]);
    head.extend(b"localhost");
    first.extend(frame(1, 0b101, 1, &head));
    assert_is_closed(&connect(&server, &first));
}

#[test]
fn silence_before_and_after_the_handshake_of_tls_is_no_different() {
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let project = Project::new("  idle_seconds: 0.4\n  tls: {certificate: c.pem, key: k.pem}");
    std::fs::write(project.path("c.pem"), certificate.cert.pem()).unwrap();
    std::fs::write(project.path("k.pem"), certificate.signing_key.serialize_pem()).unwrap();
    let server = project.serve();
    assert!(project.log().contains("chmod 600"), "everybody reads the key: {}", project.log());
    assert_is_closed(&connect(&server, b""));

    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = RootCertStore::empty();
    let pem = certificate.cert.pem();
    roots.add(rustls::pki_types::CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut talk = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut socket = connect(&server, b"");
    while talk.is_handshaking() {
        talk.complete_io(&mut socket).unwrap();
    }
    let copy = socket.try_clone().unwrap();
    let time = closed_after(StreamOwned::new(talk, socket), &copy);
    assert!(time < 10 * LIMIT, "{time:?}");
}

#[test]
fn silent_clients_lock_nobody_out() {
    let project = Project::new("  limits: {connections: 4}");
    let server = project.serve();
    let silent: Vec<TcpStream> = (0..12).map(|_| connect(&server, b"")).collect();
    assert_eq!(server.get("/healthz").send().unwrap().status(), 200);
    assert_is_closed(&silent[0]);
    assert!(project.log().contains("serve.limits.connections"), "{}", project.log());
}

#[test]
fn more_clients_than_files_may_be_open_lock_nobody_out() {
    let project = Project::new("  {}");
    let server = project.serve_after("ulimit -n 100");
    let silent: Vec<TcpStream> = (0..120).map(|_| connect(&server, b"")).collect();
    assert_eq!(server.get("/readyz").send().unwrap().status(), 200);
    assert!(project.log().contains("ulimit"), "{}", project.log());
    drop(silent);
}

#[test]
fn a_client_that_listens_to_a_training_is_not_silent() {
    let project = project();
    let server = project.serve();
    let head = b"GET /train/events HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut listening = connect(&server, head);
    listening.set_read_timeout(Some(3 * LIMIT)).unwrap();
    let mut heard = Vec::new();
    let error = listening.read_to_end(&mut heard).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "it is open still");
    assert!(String::from_utf8_lossy(&heard).contains("event: state"));
}
