//! Whole files, against real servers with every fault.

use std::fs;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

use artifact::Digest;
use config::DownloadConfig;
use download::{
    Authorization, DownloadError, Downloader, Expect, FileRequest, UnexpectedContent, Url,
};
use tempfile::TempDir;
use test_server::{Response, TestServer, closed_address};

/// Fails fast: no test waits for a pause.
fn downloader() -> Downloader {
    let patience = DownloadConfig { timeout_seconds: 5, retries: 3, backoff_milliseconds: 1 };
    Downloader::new(&patience).expect("TLS can be set up")
}

fn request(url: &str) -> FileRequest {
    FileRequest {
        url: Url::parse(url).expect("tests write whole addresses"),
        authorization: None,
        sha256: None,
        expect: Expect::Zip,
        label: "scans.zip".into(),
    }
}

/// Starts like a zip file and is long enough to be cut anywhere.
fn archive(length: usize) -> Vec<u8> {
    let noise = (0..length as u32).map(|i| i.wrapping_mul(2_654_435_761).to_be_bytes()[0]);
    b"PK\x03\x04".iter().copied().chain(noise).collect()
}

fn files_in(folder: &TempDir) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder.path())
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn a_file_arrives_whole_with_its_digest_and_nothing_else_stays() {
    let content = archive(300_000);
    let expected = content.clone();
    let server = TestServer::start(move |request| Response::file(request, &content));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");

    let done = downloader().fetch_file(&request(&server.url("/scans.zip")), &target).unwrap();

    assert_eq!(fs::read(&target).unwrap(), expected);
    assert_eq!((done.bytes, done.sha256), (expected.len() as u64, Digest::of(&expected)));
    assert_eq!(files_in(&folder), ["scans.zip"]);
}

#[test]
fn a_cut_connection_is_taken_up_where_it_broke() {
    let content = archive(100_000);
    let expected = content.clone();
    let server = TestServer::start(move |request| {
        let response = Response::file_with_etag(request, &content, "\"v1\"");
        if request.header("range").is_some() { response } else { response.cut_after(40_000) }
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");

    let done = downloader().fetch_file(&request(&server.url("/scans.zip")), &target).unwrap();

    assert_eq!(done.sha256, Digest::of(&expected));
    let requests = server.requests();
    assert_eq!(requests[1].header("range"), Some("bytes=40000-"));
    assert_eq!(requests[1].header("if-range"), Some("\"v1\""));
    assert_eq!(requests.len(), 2);
}

#[test]
fn a_server_without_range_starts_over() {
    let content = archive(100_000);
    let expected = content.clone();
    let asked = AtomicUsize::new(0);
    let server = TestServer::start(move |_| {
        let whole = Response::body(content.clone()).with_header("ETag", "\"v1\"");
        if asked.fetch_add(1, Ordering::SeqCst) == 0 { whole.cut_after(40_000) } else { whole }
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");

    let done = downloader().fetch_file(&request(&server.url("/scans.zip")), &target).unwrap();

    assert_eq!(done.sha256, Digest::of(&expected));
    assert_eq!(fs::read(&target).unwrap(), expected);
}

#[test]
fn a_server_that_marks_no_version_is_never_glued() {
    let content = archive(100_000);
    let expected = content.clone();
    let asked = AtomicUsize::new(0);
    let server = TestServer::start(move |request| {
        let response = Response::file(request, &content);
        let first = asked.fetch_add(1, Ordering::SeqCst) == 0;
        if first { response.cut_after(40_000) } else { response }
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");

    downloader().fetch_file(&request(&server.url("/scans.zip")), &target).unwrap();

    assert_eq!(fs::read(&target).unwrap(), expected);
    assert_eq!(server.requests()[1].header("range"), None);
}

#[test]
fn a_part_that_an_earlier_run_left_is_continued() {
    let content: &'static [u8] = archive(50_000).leak();
    let server = TestServer::start(|request| {
        let response = Response::file_with_etag(request, content, "\"v1\"");
        if request.header("range").is_some() { response } else { response.cut_after(20_000) }
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    let request = request(&server.url("/scans.zip"));
    let impatient = DownloadConfig { timeout_seconds: 5, retries: 0, backoff_milliseconds: 1 };

    let error = Downloader::new(&impatient).unwrap().fetch_file(&request, &target).unwrap_err();
    assert!(error.to_string().ends_with("truncated; 20000 of 50004 bytes came"), "{error}");
    assert_eq!(files_in(&folder), ["scans.zip.part", "scans.zip.part.json"]);

    let done = downloader().fetch_file(&request, &target).unwrap();
    assert_eq!(server.requests()[1].header("range"), Some("bytes=20000-"));
    assert_eq!(done.sha256, Digest::of(content));
    assert_eq!(files_in(&folder), ["scans.zip"]);
}

#[test]
fn a_file_that_changed_on_the_server_is_not_glued_to_the_old_part() {
    let old = archive(50_000);
    let mut new = archive(60_000);
    new[10_000] ^= 0xff;
    let expected = new.clone();
    let asked = AtomicUsize::new(0);
    let server = TestServer::start(move |request| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Response::file_with_etag(request, &old, "\"old\"").cut_after(20_000),
        _ => Response::file_with_etag(request, &new, "\"new\""),
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");

    downloader().fetch_file(&request(&server.url("/scans.zip")), &target).unwrap();

    assert!(fs::read(&target).unwrap() == expected, "the old start was kept");
    assert_eq!(server.requests()[1].header("if-range"), Some("\"old\""));
}

#[test]
fn a_run_killed_between_last_byte_and_rename_needs_no_byte_more() {
    let content: &'static [u8] = archive(5_000).leak();
    let server = TestServer::start(|request| Response::file_with_etag(request, content, "\"v1\""));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    let url = server.url("/scans.zip");
    let note = format!(
        "{{\"url_sha256\": \"{}\", \"validator\": \"\\\"v1\\\"\"}}",
        Digest::of(url.as_bytes())
    );
    fs::write(folder.path().join("scans.zip.part"), content).unwrap();
    fs::write(folder.path().join("scans.zip.part.json"), note).unwrap();

    let done = downloader().fetch_file(&request(&url), &target).unwrap();

    assert_eq!(done.sha256, Digest::of(content));
    assert_eq!(server.requests()[0].header("range"), Some("bytes=5004-"));
    assert_eq!(files_in(&folder), ["scans.zip"]);
}

#[test]
fn two_failures_of_the_server_are_waited_out() {
    let asked = AtomicUsize::new(0);
    let server = TestServer::start(move |request| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Response::status(500),
        1 => Response::status(429).with_header("Retry-After", "0"),
        _ => Response::file(request, &archive(10)),
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    downloader().fetch_file(&request(&server.url("/scans.zip")), &target).unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_server_that_keeps_failing_is_given_up() {
    let server = TestServer::start(|_| Response::status(503));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    let error = downloader()
        .fetch_file(&request(&server.url("/scans.zip?key=secret")), &target)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("503 Service Unavailable") && error.contains("tried 4 times"),
        "{error}"
    );
    assert!(!error.contains("secret"), "{error}");
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn a_pause_that_nobody_would_wait_for_is_reported() {
    let server = TestServer::start(|_| Response::status(429).with_header("Retry-After", "7200"));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    let error = downloader().fetch_file(&request(&server.url("/a.zip")), &target).unwrap_err();
    assert!(error.to_string().contains("come back in 120 minutes"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_refusal_is_not_tried_again_and_says_what_to_check() {
    for (status, advice) in [(401, "credentials"), (403, "terms"), (404, "check the address")] {
        let server = TestServer::start(move |_| Response::status(status));
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("scans.zip");
        let error = downloader()
            .fetch_file(&request(&server.url("/scans.zip")), &target)
            .unwrap_err()
            .to_string();
        assert!(error.contains(&status.to_string()) && error.contains(advice), "{error}");
        assert_eq!(server.requests().len(), 1, "{status}");
    }
}

#[test]
fn a_wrong_digest_says_both_and_leaves_nothing() {
    let content = archive(1000);
    let got = Digest::of(&content);
    let server = TestServer::start(move |request| Response::file(request, &content));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    let expected = Digest::of(b"another file");
    let request = FileRequest { sha256: Some(expected), ..request(&server.url("/scans.zip")) };

    let error = downloader().fetch_file(&request, &target).unwrap_err().to_string();

    assert!(error.contains(&format!("expected {expected}, got {got}")), "{error}");
    assert!(files_in(&folder).is_empty());
}

#[test]
fn a_file_that_is_there_with_the_right_digest_is_not_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    fs::write(&target, b"PK\x03\x04 the same").unwrap();
    let sha256 = Some(Digest::of(b"PK\x03\x04 the same"));
    let request = FileRequest { sha256, ..request(&format!("{}/scans.zip", closed_address())) };
    assert_eq!(downloader().fetch_file(&request, &target).unwrap().bytes, 13);
}

#[test]
fn a_page_in_place_of_a_zip_is_named_by_its_title() {
    let server = TestServer::start(|_| {
        Response::body("<!DOCTYPE html><html><head><title>Please log in</title></head></html>")
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    let error = downloader().fetch_file(&request(&server.url("/scans.zip")), &target).unwrap_err();
    let page = UnexpectedContent::Page { title: Some("Please log in".into()) };
    assert!(matches!(&error, DownloadError::Unexpected { found, .. } if *found == page), "{error}");
    assert!(files_in(&folder).is_empty());
}

#[test]
fn a_server_that_announces_too_much_every_time_is_called_truncated() {
    let server = TestServer::start(|_| Response::body(archive(1000)).cut_after(500));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    let error = downloader()
        .fetch_file(&request(&server.url("/scans.zip")), &target)
        .unwrap_err()
        .to_string();
    assert!(error.contains("truncated; 500 of 1004 bytes came (tried 4 times)"), "{error}");
    assert!(!target.exists());
}

#[test]
fn nobody_listening_is_one_line_that_says_what_to_check() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    let url = format!("{}/scans.zip", closed_address());
    let error = downloader().fetch_file(&request(&url), &target).unwrap_err();
    assert!(error.is_unreachable());
    let message = error.to_string();
    assert!(message.starts_with("reach 127.0.0.1:") && message.contains("refused"), "{message}");
    assert!(message.contains("check the network connection") && message.lines().count() == 1);
}

#[test]
fn a_server_that_never_answers_is_timed_out() {
    // The system accepts the connection; nothing answers on it.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/scans.zip", silent.local_addr().unwrap());
    let impatient = DownloadConfig { timeout_seconds: 1, retries: 0, backoff_milliseconds: 1 };
    let folder = tempfile::tempdir().unwrap();
    let error = Downloader::new(&impatient)
        .unwrap()
        .fetch_file(&request(&url), &folder.path().join("scans.zip"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("no byte came for too long (download.timeout_seconds)"), "{error}");
}

#[test]
fn a_host_without_an_address_is_unreachable() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    // RFC 2606 reserves this name for ever.
    let error = downloader()
        .fetch_file(&request("http://no-such-host.invalid/scans.zip"), &target)
        .unwrap_err();
    assert!(error.is_unreachable(), "{error}");
}

#[test]
fn credentials_are_not_passed_on_to_another_host() {
    let storage = TestServer::start(|request| Response::file(request, &archive(10)));
    let elsewhere = storage.url("/signed?signature=1");
    let front = TestServer::start(move |_| Response::redirect(&elsewhere));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("scans.zip");
    let authorization = Authorization::Basic { user: "ada".into(), password: "key".into() };
    let request =
        FileRequest { authorization: Some(authorization), ..request(&front.url("/scans.zip")) };

    downloader().fetch_file(&request, &target).unwrap();

    assert_eq!(front.requests()[0].header("authorization"), Some("Basic YWRhOmtleQ=="));
    assert_eq!(storage.requests()[0].header("authorization"), None);
    assert_eq!(storage.requests()[0].path, "/signed?signature=1");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), b"in the way").unwrap();
    let target = folder.path().join("file/scans.zip");
    let error = downloader()
        .fetch_file(&request("http://127.0.0.1:1/scans.zip"), &target)
        .unwrap_err()
        .to_string();
    assert!(error.contains("create folder") && error.contains("file"), "{error}");
}

#[test]
fn a_file_without_end_is_given_up_and_leaves_nothing() {
    use std::io::{Read, Write};
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody comes");
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nPK\x03\x04");
        while stream.write_all(&[7; 4096]).is_ok() {}
    });
    let folder = tempfile::tempdir().expect("a folder can be made");
    let target = folder.path().join("scans.zip");
    let asked = request(&format!("http://{address}/scans.zip"));
    let refused = downloader().at_most(100_000).fetch_file(&asked, &target);
    assert!(matches!(refused, Err(DownloadError::TooLong { most: 100_000, .. })), "{refused:?}");
    assert!(files_in(&folder).is_empty(), "{:?}", files_in(&folder));
}
