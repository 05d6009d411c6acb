//! Images in a bucket of moto, which emulates S3.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use prediction_store::{Fault, ImageError, ImageStore};

use crate::databases::skip;

struct Moto {
    server: Child,
    address: String,
}

impl Moto {
    /// `None` if it is not installed.
    fn start() -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let program = root.join(".venv-reference/bin/moto_server");
        if !program.exists() {
            skip(&format!("{} is missing", program.display()), "HOUNSFIELD_REQUIRE_S3");
            return None;
        }
        let mut server = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .env("PYTHONUNBUFFERED", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(server.stderr.take().unwrap()).lines();
        let mut said = String::new();
        while let Some(Ok(line)) = log.next() {
            if let Some((_, address)) = line.split_once("Running on ") {
                let address = address.trim().to_owned();
                std::thread::spawn(move || log.for_each(drop));
                return Some(Self { server, address });
            }
            said += &line;
        }
        server.wait().unwrap();
        panic!("moto did not start: {said}");
    }

    fn open(&self, location: &str) -> ImageStore {
        let settings = [
            ("AWS_ENDPOINT_URL", self.address.as_str()),
            ("AWS_ALLOW_HTTP", "true"),
            ("AWS_ACCESS_KEY_ID", "tests"),
            ("AWS_SECRET_ACCESS_KEY", "tests"),
            ("AWS_REGION", "us-east-1"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        ImageStore::open_with(&location.parse().unwrap(), settings).unwrap()
    }

    async fn make_bucket(&self, name: &str) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::new();
        let made = client.put(format!("{}/{name}", self.address)).send().await.unwrap();
        assert!(made.status().is_success(), "{made:?}");
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // Both fail only if it has already ended.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test]
async fn a_bucket_keeps_lists_and_removes_images_under_its_prefix() {
    let Some(moto) = Moto::start() else { return };
    moto.make_bucket("scans").await;
    let other = moto.open("s3://scans/ward-8");
    let kept = other.put(bytes::Bytes::from_static(b"of ward 8")).await.unwrap();
    crate::images::one_round(&moto.open("s3://scans/of/ward-7")).await;
    assert_eq!(other.get(kept).await.unwrap(), "of ward 8");
    crate::images::one_round(&moto.open("s3://scans/whole")).await;
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_told() {
    let Some(moto) = Moto::start() else { return };
    let store = moto.open("s3://nothing");
    let error = store.put(bytes::Bytes::from_static(b"a scan")).await.unwrap_err();
    let unavailable = matches!(error, ImageError::Store { fault: Fault::Unavailable, .. });
    assert!(unavailable, "{error}");
    assert!(error.to_string().contains("s3://nothing"), "{error}");
}
