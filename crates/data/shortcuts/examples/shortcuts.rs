//! Finds classes that can be distinguished without looking at the anatomy, in a folder or a zip
//! archive of pictures:
//!
//! ```sh
//! cargo run --release -p shortcuts --example shortcuts -- chest-ct.zip
//! cargo run --release -p shortcuts --example shortcuts -- --phantoms 10000   # what it costs
//! ```
//!
//! Pictures are in `<split>/<class>/<name>`, at any depth. A folder whose name is the name of
//! another folder with more text after it is of the same class: `adenocarcinoma_left.lower.lobe` is
//! `adenocarcinoma`. Files with the same bytes are copies of each other.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use artifact::Digest;
use clap::Parser;
use dataset::{ClassIndices, GroupNumber, Split, SplitAudit};
use image::imageops::{self, FilterType};
use image::{GrayImage, ImageFormat};
use ingest::sample::{SampleClass, phantom};
use picture_checks::Facts;
use rayon::prelude::*;
use shortcuts::{BaselineReport, Findings, LabelledPicture, Scores, Verdict, audit_split};
use walkdir::{DirEntry, WalkDir};

/// Looks for shortcuts and prints what it finds, and how long that takes.
#[derive(Parser)]
struct Arguments {
    /// A folder or a zip archive.
    #[arg(required_unless_present = "phantoms")]
    source: Option<PathBuf>,
    /// Draw this many phantoms instead, a fifth of them for testing.
    #[arg(long, conflicts_with = "source")]
    phantoms: Option<usize>,
    /// Width and height of the phantoms in pixels.
    #[arg(long, default_value_t = 224)]
    side: u32,
    /// Classes to audit the split among.
    #[arg(long, value_delimiter = ',')]
    positive: Vec<String>,
    /// The seed of the baselines, and of phantoms.
    #[arg(long, default_value_t = 42)]
    seed: u64,
}

/// The data kept of a picture.
struct Looked {
    split: Split,
    folder: String,
    facts: Facts,
    digest: Digest,
    decoding: Duration,
    measuring: Duration,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let looked = match (&arguments.source, arguments.phantoms) {
        (Some(source), _) if source.is_dir() => of_folder(source)?,
        (Some(source), _) => of_zip(source)?,
        (None, phantoms) => drawn(phantoms.unwrap_or_default(), &arguments)?,
    };
    ensure!(!looked.is_empty(), "there is no picture in a folder <split>/<class>");
    let folders: BTreeSet<&str> = looked.iter().map(|looked| looked.folder.as_str()).collect();
    let names = ClassIndices::of_names(folders.iter().map(|folder| class_of(folder, &folders)));

    let groups = groups(&looked);
    let pictures = looked
        .iter()
        .zip(&groups)
        .map(|(looked, (group, copies))| {
            Ok(LabelledPicture {
                facts: &looked.facts,
                class: names.index(class_of(&looked.folder, &folders))?,
                split: looked.split,
                duplicate_group: (*copies > 1).then_some(*group),
                group: *group,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let started = Instant::now();
    let findings = Findings::of(&pictures, &names, arguments.seed)?;
    let finding = started.elapsed();

    let report = &findings.report;
    println!("{} training images", report.training_images);
    report.baselines.iter().for_each(print_scores);
    print_verdict(&report.verdict);
    let positive = arguments.positive.iter().map(|class| names.index(class));
    let positive = positive.collect::<Result<Vec<_>, _>>()?;
    let started = Instant::now();
    let audit = audit_split(&pictures, &names, &positive, arguments.seed);
    let auditing = started.elapsed();
    print_audit(&audit);
    let total = |of: fn(&Looked) -> Duration| looked.iter().map(of).sum::<Duration>();
    println!(
        "{} images: decoded in {:.1?}, measured in {:.1?} (sums over {} threads); baselines and \
         verdict in {finding:.1?}, the split audited in {auditing:.1?}; {}",
        looked.len(),
        total(|looked| looked.decoding),
        total(|looked| looked.measuring),
        rayon::current_num_threads(),
        peak_memory(),
    );
    Ok(())
}

fn of_folder(folder: &Path) -> Result<Vec<Looked>> {
    let failed = || format!("failed to list {}", folder.display());
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter();
    let entries = entries.collect::<Result<Vec<_>, _>>().with_context(failed)?;
    let look = |entry: &DirEntry| {
        let (split, folder) = place(entry.path())?;
        let bytes = artifact::read_bytes(entry.path());
        Some(bytes.map_err(Into::into).and_then(|bytes| look(split, folder, &bytes)))
    };
    let files = entries.par_iter().filter(|entry| entry.file_type().is_file());
    files.filter_map(look).collect()
}

/// The files of an archive, unpacked in memory before anything is decoded.
fn of_zip(archive: &Path) -> Result<Vec<Looked>> {
    let failed = || format!("failed to unpack {}", archive.display());
    let packed = Cursor::new(artifact::read_bytes(archive)?);
    let mut zip = zip::ZipArchive::new(packed).with_context(failed)?;
    let mut files = BTreeMap::new();
    for number in 0..zip.len() {
        let mut file = zip.by_index(number).with_context(failed)?;
        let path = PathBuf::from(file.name().with_context(failed)?.as_ref());
        if let (true, Some(place)) = (file.is_file(), place(&path)) {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).with_context(failed)?;
            files.insert(path, (place, bytes));
        }
    }
    let files = files.into_values().collect::<Vec<_>>().into_par_iter();
    files.map(|((split, folder), bytes)| look(split, folder, &bytes)).collect()
}

/// Phantoms, every fifth for testing. The classes take turns.
fn drawn(phantoms: usize, arguments: &Arguments) -> Result<Vec<Looked>> {
    let draw = |index: usize| {
        let class = SampleClass::ALL[index % SampleClass::ALL.len()];
        let picture = phantom(arguments.seed, index, class).picture;
        let side = arguments.side;
        let picture: GrayImage = imageops::resize(&picture, side, side, FilterType::Triangle);
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png)?;
        let split = if index % 5 == 4 { Split::Test } else { Split::Train };
        look(split, class.folder().to_owned(), png.get_ref())
    };
    (0..phantoms).into_par_iter().map(draw).collect()
}

/// The split and the class, from a file's folders.
fn place(path: &Path) -> Option<(Split, String)> {
    let class = path.parent()?;
    let split = class.parent()?.file_name()?.to_str()?;
    Some((Split::from_folder_name(split)?, class.file_name()?.to_str()?.to_owned()))
}

/// The shortest of the folders' names that this one starts with.
fn class_of<'a>(folder: &str, folders: &BTreeSet<&'a str>) -> &'a str {
    // They are sorted: a shorter name that this one starts with comes first.
    folders.iter().find(|class| folder.starts_with(**class)).expect("a name starts with itself")
}

fn look(split: Split, folder: String, bytes: &[u8]) -> Result<Looked> {
    let started = Instant::now();
    let picture = imaging::decode(bytes)?;
    let decoding = started.elapsed();
    let facts = Facts::of(&picture, bytes.len() as u64);
    let measuring = started.elapsed() - decoding;
    Ok(Looked { split, folder, facts, digest: Digest::of(bytes), decoding, measuring })
}

/// For each picture the number of its content, and how many pictures have that content.
fn groups(looked: &[Looked]) -> Vec<(GroupNumber, usize)> {
    let mut contents: BTreeMap<Digest, Vec<usize>> = BTreeMap::new();
    for (at, looked) in looked.iter().enumerate() {
        contents.entry(looked.digest).or_default().push(at);
    }
    let group = |looked: &Looked| {
        let members = &contents[&looked.digest];
        (GroupNumber(members[0] as u32), members.len())
    };
    looked.iter().map(group).collect()
}

fn print_scores(report: &BaselineReport) {
    let fitted = report.fitted_on;
    println!(
        "\n{}: looks at {}; fitted on {} of {} images",
        report.baseline.name(),
        report.looks_at,
        fitted.images,
        fitted.of
    );
    report.remark.iter().for_each(|remark| println!("  {remark}"));
    for scores in &report.scores {
        println!("  {:5} {}", scores.split.name(), line(&scores.all));
        if let Some(without_copies) = &scores.without_copies {
            println!("        without copies of training images: {}", line(without_copies));
        }
    }
}

fn line(scores: &Scores) -> String {
    let shown = |score: Option<f64>| score.map_or("–".to_owned(), |score| format!("{score:.3}"));
    let pairs = scores.pairs.iter().map(|pair| {
        let [a, b] = &pair.classes;
        format!("{a} / {b} {}", shown(pair.auroc))
    });
    let classes: Vec<_> =
        scores.classes.iter().map(|it| format!("{} {}", it.class, shown(it.auroc))).collect();
    format!(
        "accuracy {:.3} of {}, AUROC {}\n        against the rest: {}\n        in pairs: {}",
        scores.accuracy,
        scores.images,
        shown(scores.auroc),
        classes.join(", "),
        pairs.collect::<Vec<_>>().join(", "),
    )
}

fn print_verdict(verdict: &Verdict) {
    println!("\nverdict");
    verdict.in_words.iter().for_each(|sentence| println!("  {sentence}"));
    println!();
}

fn print_audit(audit: &SplitAudit) {
    println!("split audit");
    for among in &audit.among {
        println!("  {}", among.in_words);
        for it in &among.baselines {
            println!(
                "    {}: {:.3} as it is; {:.3} ± {:.3} grouped; {:.3} ± {:.3} random",
                it.baseline,
                it.given,
                it.grouped.mean,
                it.grouped.deviation,
                it.random.mean,
                it.random.deviation
            );
        }
    }
    println!();
}

fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.map_or("peak memory unknown".to_owned(), |peak| format!("peak memory {}", peak.trim()))
}
