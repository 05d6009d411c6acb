//! Sources behind servers: this test's real server, and a real client.

use std::sync::Arc;

use test_server::{Request, Response, TestServer};

use crate::project::Project;
use crate::zips::Archive;

const DRIVE_ID: &str = "1AbCdEfGhIjKlMnOpQrStUvWxYz";

/// A server that answers through `respond`, which also gets the archive.
fn serve(
    respond: impl Fn(&Request, &[u8]) -> Response + Send + Sync + 'static,
) -> (TestServer, Arc<Vec<u8>>) {
    let archive = Arc::new(Archive::of_two_classes().bytes());
    let served = Arc::clone(&archive);
    (TestServer::start(move |request| respond(request, &served)), archive)
}

/// A project whose Kaggle and Drive are the test's server, and that retries a failed transfer
/// almost without a pause.
fn project(server: &TestServer, source: &str) -> Project {
    Project::configured(&format!(
        "data:
  source: {source}
  classes: {{benign: [benign], malignant: [malignant]}}
download: {{timeout_seconds: 20, retries: 2, backoff_milliseconds: 1}}
endpoints: {{kaggle: '{0}', google_drive: '{0}'}}
",
        server.url("")
    ))
}

fn zip(archive: &[u8]) -> Response {
    Response::body(archive).with_header("Content-Type", "application/zip")
}

fn page(html: &str) -> Response {
    Response::body(html).with_header("Content-Type", "text/html; charset=utf-8")
}

#[test]
fn an_archive_behind_an_address_is_fetched_once() {
    let (server, _) = serve(|_, archive| zip(archive));
    let url = server.url("/scans.zip?signature=hush");
    let project = project(&server, &format!("{{kind: url, url: '{url}'}}"));
    project.ingest(&[]);
    project.ingest(&[]);
    assert_eq!(server.requests().len(), 1);
    assert_eq!(project.manifest().records().len(), 8);
    let report = project.report().to_string();
    assert!(report.contains("/scans.zip") && !report.contains("hush"), "{report}");
}

#[test]
fn a_kept_archive_that_has_changed_is_fetched_again() {
    let (server, archive) = serve(|_, archive| zip(archive));
    let url = server.url("/scans.zip");
    let project = project(&server, &format!("{{kind: url, url: '{url}'}}"));
    project.ingest(&[]);
    let downloads = std::fs::read_dir(project.path("artifacts/downloads")).unwrap();
    let kept: Vec<_> = downloads.map(|entry| entry.unwrap().path()).collect();
    let kept = kept.iter().find(|path| path.extension().is_some_and(|it| it == "zip")).unwrap();
    std::fs::write(kept, &archive[..50]).unwrap();
    project.ingest(&[]);
    assert_eq!(server.requests().len(), 2);
    assert_eq!(&std::fs::read(kept).unwrap(), &*archive);
}

#[test]
fn a_wrong_digest_and_a_page_are_refused() {
    let (server, _) = serve(|request, archive| match request.path.as_str() {
        "/scans.zip" => zip(archive),
        _ => page("<!DOCTYPE html><html><title>Log in</title></html>"),
    });
    let project = project(&server, "{kind: sample}");
    let wrong = "0".repeat(64);
    let url = server.url("/scans.zip");
    let message = project.refuse(1, &["--source", &url, "--sha256", &wrong]);
    assert!(message.contains("wrong SHA-256"), "{message}");
    let message = project.refuse(1, &["--source", &server.url("/page.zip")]);
    assert!(message.contains("\"Log in\" came in place of a zip file"), "{message}");
}

#[test]
fn kaggle_gets_the_credentials_and_nobody_sees_them() {
    let (server, _) = serve(|request, archive| match request.path.as_str() {
        "/api/v1/datasets/download/ada/ct?datasetVersionNumber=3" => zip(archive),
        _ => Response::status(404),
    });
    let source = "{kind: kaggle, dataset: ada/ct, version: 3}";
    for (name, value, expected) in [
        // base64 of "ada:hush"
        ("KAGGLE_JSON", r#"{"username": "ada", "key": "hush"}"#, "Basic YWRhOmh1c2g="),
        ("KAGGLE_API_TOKEN", "hush", "Bearer hush"),
    ] {
        let project = project(&server, source);
        let output = project.command(&["-vv"]).env(name, value).output().unwrap();
        let log = crate::project::stderr(&output);
        assert!(output.status.success(), "{log}");
        assert!(!log.contains("hush") && !log.contains("YWRhOmh1c2g"), "{log}");
        let requests = server.requests();
        assert_eq!(requests.last().unwrap().header("authorization"), Some(expected));
        assert_eq!(project.report()["source"]["name"], "ada/ct version 3");
    }
}

#[test]
fn kaggle_credentials_are_read_from_dot_env() {
    let (server, _) = serve(|_, archive| zip(archive));
    let project = project(&server, "{kind: kaggle, dataset: ada/ct}");
    project.write(".env", "# for Kaggle\nKAGGLE_USERNAME=ada\nKAGGLE_KEY=\"hush\"\n");
    project.ingest(&[]);
    let requests = server.requests();
    assert_eq!(requests[0].header("authorization"), Some("Basic YWRhOmh1c2g="));
}

#[test]
fn a_refusal_without_credentials_says_where_they_are_looked_for() {
    let (server, _) = serve(|_, _| Response::status(403));
    let message = project(&server, "{kind: kaggle, dataset: ada/ct}").refuse(1, &[]);
    assert!(message.contains("403") && message.contains("~/.kaggle/kaggle.json"), "{message}");
}

#[test]
fn drive_hands_out_a_small_file_at_once() {
    let (server, _) = serve(|_, archive| zip(archive));
    let project = project(&server, &format!("{{kind: gdrive, link: {DRIVE_ID}}}"));
    project.ingest(&[]);
    assert_eq!(project.manifest().records().len(), 8);
}

#[test]
fn drive_is_told_that_a_large_file_is_wanted_unscanned() {
    let (server, _) = serve(|request, archive| {
        let confirmed = request.path.contains("confirm=t") && request.path.contains("uuid=12-ab");
        let has_cookie = request.header("cookie").is_some_and(|it| it.contains("warning=seen"));
        if confirmed && has_cookie && request.path.contains(DRIVE_ID) {
            return zip(archive);
        }
        page(&format!(
            "<html><title>Google Drive - Virus scan warning</title>
             <form id=\"download-form\" action=\"/download\" method=\"get\">
             <input type=\"hidden\" name=\"id\" value=\"{DRIVE_ID}\">
             <input type=\"hidden\" name=\"confirm\" value=\"t\">
             <input type=\"hidden\" name=\"uuid\" value=\"12-ab\"></form></html>"
        ))
        .with_header("Set-Cookie", "warning=seen; Path=/")
    });
    let link = format!("https://drive.google.com/file/d/{DRIVE_ID}/view?usp=sharing");
    let project = project(&server, &format!("{{kind: gdrive, link: '{link}'}}"));
    project.ingest(&[]);
    assert_eq!(project.manifest().records().len(), 8);
    assert_eq!(project.report()["source"]["kind"], "gdrive");
}

#[test]
fn a_used_up_drive_quota_is_called_that() {
    let (server, _) = serve(|_, _| page("<title>Google Drive - Quota exceeded</title>"));
    let source = format!("{{kind: gdrive, link: {DRIVE_ID}}}");
    let message = project(&server, &source).refuse(1, &[]);
    assert!(message.contains("its download quota is used up"), "{message}");
}

#[test]
fn a_drive_folder_is_bad_usage() {
    let (server, _) = serve(|_, _| Response::status(500));
    let link = format!("https://drive.google.com/drive/folders/{DRIVE_ID}");
    let message = project(&server, "{kind: sample}").refuse(2, &["--source", &link]);
    assert!(message.contains("it is a folder"), "{message}");
    assert!(server.requests().is_empty());
}
