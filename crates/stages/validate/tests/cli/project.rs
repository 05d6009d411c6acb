//! The output of `ingest`, in a temporary folder, and the real program.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use artifact::Digest;
use assert_cmd::Command;
use assert_cmd::assert::Assert;
use dataset::{ImageRecord, Manifest, Split, ValidatedManifest, ValidatedRecord};
use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageFormat, Luma};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde_json::Value;
use tempfile::TempDir;

const IMAGES: &str = "artifacts/data_ingestion";
const SIDE: u32 = 192;
const OUTPUT: &str = "artifacts/data_validation";

/// A project whose images are written by a test.
pub(crate) struct Project {
    folder: TempDir,
    records: Vec<ImageRecord>,
    unreadable: Vec<&'static str>,
    drawn: Vec<Split>,
}

impl Project {
    /// A project without images.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        fs::copy(root.join("params.yaml"), folder.path().join("params.yaml")).unwrap();
        let project = Self { folder, records: vec![], unreadable: vec![], drawn: vec![] };
        project.patients("{kind: unknown}");
        project
    }

    /// Different pictures in two classes: of each `train` for training, and `test` for the test.
    pub(crate) fn of_pictures(train: usize, test: usize) -> Self {
        let mut project = Self::new();
        for (split, from, count) in [(Split::Train, 0, train), (Split::Test, 1000, test)] {
            for number in from..from + count {
                for (index, class) in ["adenocarcinoma", "normal"].into_iter().enumerate() {
                    project.add(split, class, number, &png(&picture(2 * number + index)));
                }
            }
        }
        project
    }

    /// Adds an image and returns its path in the manifest.
    pub(crate) fn add(&mut self, split: Split, class: &str, number: usize, bytes: &[u8]) -> String {
        self.add_as(split, class, &format!("{number:04}.png"), bytes)
    }

    /// Adds an image under its own name.
    pub(crate) fn add_as(&mut self, split: Split, class: &str, name: &str, bytes: &[u8]) -> String {
        let path = format!("{split}/{class}/{name}");
        artifact::write_file(&self.image(&path), bytes).unwrap();
        let picture = imaging::decode(bytes).unwrap();
        self.records.push(ImageRecord {
            path: path.clone(),
            split,
            class: class.to_owned(),
            sha256: Digest::of(bytes),
            width: picture.width(),
            height: picture.height(),
        });
        path
    }

    /// Records that `ingest` left a file out.
    pub(crate) fn add_unreadable(&mut self, path: &'static str) {
        self.unreadable.push(path);
    }

    /// Records that `ingest` drew these splits itself.
    pub(crate) fn drawn(&mut self, splits: &[Split]) {
        self.drawn = splits.to_vec();
    }

    /// Sets `data.patients`.
    pub(crate) fn patients(&self, patients: &str) {
        let mut text = format!("data:\n  source: {{kind: sample}}\n  patients: {patients}\n");
        text.push_str("  classes:\n");
        for class in ["a", "adenocarcinoma", "b", "normal"] {
            text.push_str(&format!("    {class}: [{class}]\n"));
        }
        fs::write(self.path("config.yaml"), text).unwrap();
    }

    /// Changes a key of params.yaml that has this value.
    pub(crate) fn set(&self, from: &str, to: &str) {
        let path = self.path("params.yaml");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "params.yaml has no {from:?}");
        fs::write(path, text.replacen(from, to, 1)).unwrap();
    }

    /// Writes the files of `ingest` beside the images.
    pub(crate) fn write_manifest(&self) {
        let folder = self.path(IMAGES);
        Manifest::new(&folder, self.records.clone()).write(&folder).unwrap();
        let origin = |split: &Split| if self.drawn.contains(split) { "drawn" } else { "folder" };
        let splits: serde_json::Map<String, Value> = Split::ALL
            .iter()
            .map(|it| (it.name().to_owned(), serde_json::json!({"origin": origin(it)})))
            .collect();
        let left_out = self.unreadable.iter();
        let unreadable: Vec<Value> = left_out
            .map(|path| serde_json::json!({"path": path, "reason": "the file ends too early"}))
            .collect();
        let report = serde_json::json!({"splits": splits, "unreadable": unreadable});
        artifact::write_json(&folder.join("report.json"), &report).unwrap();
    }

    /// Runs the program on the added images.
    pub(crate) fn validate(&self, arguments: &[&str]) -> Assert {
        self.write_manifest();
        self.run(arguments)
    }

    /// Runs the program on the existing files.
    pub(crate) fn run(&self, arguments: &[&str]) -> Assert {
        self.command(arguments).assert()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_validate"));
        command.current_dir(self.folder.path()).args(arguments).env_remove("RUST_LOG");
        command
    }

    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.folder.path().join(relative)
    }

    pub(crate) fn image(&self, path: &str) -> PathBuf {
        self.path(IMAGES).join(path)
    }

    pub(crate) fn output(&self, name: &str) -> PathBuf {
        self.path(OUTPUT).join(name)
    }

    pub(crate) fn report(&self) -> Value {
        artifact::read_json(&self.output("report.json")).unwrap()
    }

    /// The manifest's row of an image.
    pub(crate) fn validated(&self, path: &str) -> ValidatedRecord {
        self.manifest().by_path()[path].clone()
    }

    pub(crate) fn manifest(&self) -> ValidatedManifest {
        ValidatedManifest::read(&self.path(OUTPUT), &self.path(IMAGES)).unwrap()
    }

    /// The policy of a kind of finding, its count, and its text.
    pub(crate) fn finding(&self, name: &str) -> (u64, String) {
        let report = self.report();
        let findings = report["findings"].as_array().unwrap().clone();
        let found = findings.into_iter().find(|it| it["finding"] == name).unwrap();
        (found["count"].as_u64().unwrap(), found["in_words"].as_str().unwrap().to_owned())
    }
}

/// A round body of 192×192 pixels on black, with coarse and fine structure; different for every
/// index.
pub(crate) fn picture(index: usize) -> GrayImage {
    let mut random = ChaCha8Rng::seed_from_u64(index as u64);
    let mut noise = |side: u32| {
        let noise = GrayImage::from_fn(side, side, |_, _| Luma([random.next_u32() as u8]));
        imageops::resize(&noise, SIDE, SIDE, FilterType::CatmullRom)
    };
    let (coarse, fine) = (noise(7), noise(40));
    GrayImage::from_fn(SIDE, SIDE, |x, y| {
        let from_centre = |at: u32| f64::from(at) / f64::from(SIDE) - 0.5;
        if from_centre(x).hypot(from_centre(y)) > 0.45 {
            return Luma([0]);
        }
        let [coarse, fine] = [&coarse, &fine].map(|noise| u32::from(noise.get_pixel(x, y).0[0]));
        Luma([(40 + (2 * coarse + fine) / 6) as u8])
    })
}

pub(crate) fn png(picture: &GrayImage) -> Vec<u8> {
    encoded(picture, ImageFormat::Png)
}

pub(crate) fn encoded(picture: &GrayImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    DynamicImage::from(picture.clone()).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// The program's output on stdout and on stderr.
pub(crate) fn text_of(assert: &Assert) -> (String, String) {
    let output = assert.get_output();
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}
