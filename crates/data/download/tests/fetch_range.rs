//! Stretches of a file, and pages, against real servers.

use std::sync::atomic::{AtomicUsize, Ordering};

use config::DownloadConfig;
use download::{Authorization, Downloader, RangeReply, RangeRequest, TextReply, Url};
use test_server::{Response, TestServer};

fn downloader() -> Downloader {
    let patience = DownloadConfig { timeout_seconds: 5, retries: 3, backoff_milliseconds: 1 };
    Downloader::new(&patience).expect("TLS can be set up")
}

fn request(url: &str, bytes: std::ops::Range<u64>) -> RangeRequest {
    let url = Url::parse(url).expect("tests write whole addresses");
    RangeRequest { url, authorization: None, bytes, label: "weights".into() }
}

fn bytes_of(reply: RangeReply) -> Vec<u8> {
    match reply {
        RangeReply::Part(part) => part.bytes,
        RangeReply::Unsupported => panic!("the server knows ranges"),
    }
}

#[test]
fn a_stretch_comes_with_the_size_of_the_whole() {
    let server = TestServer::start(|r| Response::file_with_etag(r, b"0123456789", "\"v1\""));
    let reply = downloader().fetch_range(&request(&server.url("/w"), 2..6)).unwrap();
    let RangeReply::Part(part) = reply else { panic!("the server knows ranges") };
    assert_eq!(part.bytes, b"2345");
    assert_eq!(part.total_bytes, Some(10));
    assert_eq!(part.etag.as_deref(), Some("\"v1\""));
}

#[test]
fn a_stretch_past_the_end_is_cut_there() {
    let server = TestServer::start(|request| Response::file(request, b"0123456789"));
    let reply = downloader().fetch_range(&request(&server.url("/w"), 7..100)).unwrap();
    assert_eq!(bytes_of(reply), b"789");
}

#[test]
fn a_stretch_outside_the_file_is_an_error() {
    let server = TestServer::start(|request| Response::file(request, b"0123456789"));
    let error = downloader().fetch_range(&request(&server.url("/w"), 20..30)).unwrap_err();
    assert!(error.to_string().contains("the file has only 10"), "{error}");
}

#[test]
fn a_server_without_ranges_is_told_apart() {
    let server = TestServer::start(|_| Response::body("0123456789"));
    let reply = downloader().fetch_range(&request(&server.url("/w"), 2..6)).unwrap();
    assert_eq!(reply, RangeReply::Unsupported);
}

#[test]
fn another_stretch_than_the_one_asked_for_is_refused() {
    let server =
        TestServer::start(|_| Response::status(206).with_header("Content-Range", "bytes 0-3/10"));
    let error = downloader().fetch_range(&request(&server.url("/w"), 2..6)).unwrap_err();
    assert!(error.to_string().contains("asked for bytes 2-5"), "{error}");
}

#[test]
fn a_cut_stretch_is_taken_up_where_it_broke() {
    let asked = AtomicUsize::new(0);
    let server = TestServer::start(move |request| {
        let response = Response::file_with_etag(request, b"0123456789", "\"v1\"");
        if asked.fetch_add(1, Ordering::SeqCst) < 2 { response.cut_after(3) } else { response }
    });
    let reply = downloader().fetch_range(&request(&server.url("/w"), 1..9)).unwrap();
    assert_eq!(bytes_of(reply), b"12345678");
    let ranges: Vec<_> =
        server.requests().iter().map(|r| r.header("range").unwrap().to_owned()).collect();
    assert_eq!(ranges, ["bytes=1-8", "bytes=4-8", "bytes=7-8"]);
}

#[test]
fn a_file_that_changes_between_two_stretches_is_refused() {
    let asked = AtomicUsize::new(0);
    let server = TestServer::start(move |request| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Response::file_with_etag(request, b"0123456789", "\"v1\"").cut_after(3),
        _ => Response::file_with_etag(request, b"abcdefghij", "\"v2\""),
    });
    let error = downloader().fetch_range(&request(&server.url("/w"), 1..9)).unwrap_err();
    assert!(error.to_string().contains("412"), "{error}");
}

#[test]
fn each_range_request_follows_its_redirect_without_credentials() {
    let storage = TestServer::start(|request| Response::file(request, b"0123456789"));
    let elsewhere = storage.url("/signed");
    let hub = TestServer::start(move |_| Response::redirect(&elsewhere));
    let authorization = Some(Authorization::Bearer("hf_token".into()));
    let request = RangeRequest { authorization, ..request(&hub.url("/w"), 2..6) };
    assert_eq!(bytes_of(downloader().fetch_range(&request).unwrap()), b"2345");
    assert_eq!(hub.requests()[0].header("authorization"), Some("Bearer hf_token"));
    assert_eq!(storage.requests()[0].header("authorization"), None);
    assert_eq!(storage.requests()[0].header("range"), Some("bytes=2-5"));
}

#[test]
fn a_page_is_read_and_its_cookies_come_along_next_time() {
    let server = TestServer::start(|_| {
        Response::body("<form></form>")
            .with_header("Content-Type", "text/html; charset=utf-8")
            .with_header("Set-Cookie", "confirm=t; Path=/")
    });
    let downloader = downloader();
    let url = Url::parse(&server.url("/page")).unwrap();
    let reply = downloader.fetch_text(&url, None).unwrap();
    assert_eq!(reply, TextReply::Text("<form></form>".into()));
    downloader.fetch_text(&url, None).unwrap();
    assert_eq!(server.requests()[1].header("cookie"), Some("confirm=t"));
}

#[test]
fn a_file_in_place_of_a_page_is_not_read() {
    let server = TestServer::start(|_| {
        Response::body("PK").with_header("Content-Type", "application/octet-stream")
    });
    let url = Url::parse(&server.url("/page")).unwrap();
    let expected = TextReply::NotText { content_type: "application/octet-stream".into() };
    assert_eq!(downloader().fetch_text(&url, None).unwrap(), expected);
}

#[test]
fn a_page_without_end_is_refused() {
    let server = TestServer::start(|_| {
        Response::body(vec![b' '; 2 << 20]).with_header("Content-Type", "text/plain")
    });
    let url = Url::parse(&server.url("/page")).unwrap();
    let error = downloader().fetch_text(&url, None).unwrap_err().to_string();
    assert!(error.contains("longer than 1048576 bytes"), "{error}");
}
