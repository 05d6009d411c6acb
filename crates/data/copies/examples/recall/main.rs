//! Counts how many copies are found among phantoms and how many unrelated phantoms are mistaken for
//! copies, and measures the cost.
//!
//! ```sh
//! cargo run --release -p copies --example recall                    # 10,000 phantoms, minutes
//! cargo run --release -p copies --example recall -- --phantoms 1000 --copies 20
//! cargo run --release -p copies --example recall -- --copies 0 --costs
//! ```
//!
//! Phantoms are drawn independently and resized to 224 × 224. Of some, copies are made in each way
//! and encoded as files. The printed times exclude drawing and decoding.

mod ways;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use copies::{Change, Limits, Pair, Relation, Signature, find};
use image::GrayImage;
use image::imageops::{self, FilterType};
use ingest::sample::{SampleClass, phantom};
use rayon::prelude::*;
use ways::{Draws, WAYS, png};

/// Finds copies among phantoms and counts.
#[derive(Parser)]
struct Arguments {
    /// How many phantoms are drawn.
    #[arg(long, default_value_t = 10_000)]
    phantoms: usize,
    /// How many copies are made in each way.
    #[arg(long, default_value_t = 200)]
    copies: usize,
    /// Width and height of the phantoms in pixels.
    #[arg(long, default_value_t = 224)]
    side: u32,
    /// The seed of phantoms and copies.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Measures the search among 1,000, 3,000 and 10,000 phantoms, instead of looking for copies.
    #[arg(long)]
    costs: bool,
    /// A folder in which drawn phantoms are kept for the next time.
    #[arg(long)]
    keep: Option<PathBuf>,
}

/// Signatures of phantoms, then of the copies made in each way in turn.
struct Signed {
    signatures: Vec<Signature>,
    /// The time of all signatures, on one thread.
    signing: Duration,
}

impl Arguments {
    fn phantom(&self, index: usize) -> Result<GrayImage> {
        let kept = self
            .keep
            .as_ref()
            .map(|folder| folder.join(format!("{}-{}-{index}.png", self.seed, self.side)));
        if let Some(bytes) = kept.as_ref().and_then(|path| fs::read(path).ok()) {
            return Ok(image::load_from_memory(&bytes)
                .context("read a kept phantom")?
                .into_luma8());
        }
        let class = SampleClass::ALL[index % SampleClass::ALL.len()];
        let picture = phantom(self.seed, index, class).picture;
        let picture = imageops::resize(&picture, self.side, self.side, FilterType::Triangle);
        if let Some(path) = kept {
            fs::write(&path, png(&picture)?).with_context(|| format!("keep {}", path.display()))?;
        }
        Ok(picture)
    }

    /// The phantom that a picture is, or is a copy of.
    fn origin(&self, position: usize) -> usize {
        position.checked_sub(self.phantoms).map_or(position, |copy| copy % self.phantoms)
    }

    /// A phantom and its copies, by their positions.
    fn family(&self, index: usize) -> Result<Vec<(usize, Signature, Duration)>> {
        let phantom = self.phantom(index)?;
        let copies = WAYS.len() * self.copies;
        let mut files = vec![(index, png(&phantom)?)];
        for copy in (index..copies).step_by(self.phantoms) {
            let position = self.phantoms + copy;
            let mut draws = Draws::new(self.seed + position as u64);
            files.push((position, (WAYS[copy / self.copies].make)(&phantom, &mut draws)?));
        }
        let sign = |(position, file): (usize, Vec<u8>)| {
            let picture = imaging::decode(&file).context("decode a copy")?;
            let start = Instant::now();
            Ok((position, Signature::of(&picture), start.elapsed()))
        };
        files.into_iter().map(sign).collect()
    }

    fn signed(&self) -> Result<Signed> {
        let families: Vec<_> = (0..self.phantoms)
            .into_par_iter()
            .map(|index| self.family(index))
            .collect::<Result<_>>()?;
        let mut signed: Vec<_> = families.into_iter().flatten().collect();
        signed.sort_by_key(|(position, ..)| *position);
        let signing = signed.iter().map(|(.., time)| *time).sum();
        let signatures = signed.into_iter().map(|(_, signature, _)| signature).collect();
        Ok(Signed { signatures, signing })
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let start = Instant::now();
    let Signed { signatures, signing } = arguments.signed()?;
    println!("drew {} pictures in {:.0?}", signatures.len(), start.elapsed());
    println!(
        "signatures: {signing:.2?} on one thread; memory {} MB",
        memory_mb().unwrap_or_default()
    );
    if arguments.costs {
        print_costs(&signatures[..arguments.phantoms]);
        return Ok(());
    }
    let start_cpu = processor_seconds().unwrap_or_default();
    let pairs = find(&signatures, Limits::default());
    let cpu = processor_seconds().unwrap_or_default() - start_cpu;
    println!(
        "search: {cpu:.1} s of processors; peak memory {} MB",
        memory_mb().unwrap_or_default()
    );
    print_recall(&arguments, &pairs);
    print_strangers(&arguments, &pairs);
    Ok(())
}

/// The search among 1,000, 3,000 and 10,000 phantoms: medians of three.
fn print_costs(phantoms: &[Signature]) {
    for count in [1_000, 3_000, 10_000].into_iter().filter(|count| *count <= phantoms.len()) {
        let mut times = [0; 3].map(|_| {
            let (start, start_cpu) = (Instant::now(), processor_seconds());
            find(&phantoms[..count], Limits::default());
            let cpu = processor_seconds().zip(start_cpu).map(|(end, start)| end - start);
            (start.elapsed(), cpu.unwrap_or_default())
        });
        times.sort_by_key(|(elapsed, _)| *elapsed);
        println!(
            "search among {count}: {:.2?} on {} threads, {:.2} s of processors; peak memory {} MB",
            times[1].0,
            rayon::current_num_threads(),
            times[1].1,
            memory_mb().unwrap_or_default(),
        );
    }
}

fn print_recall(arguments: &Arguments, pairs: &[Pair]) {
    let mut found: HashMap<usize, Vec<Change>> = HashMap::new();
    for pair in pairs {
        let (first, second) = (pair.original.min(pair.copy), pair.original.max(pair.copy));
        let is_of_phantom = first < arguments.phantoms;
        if !is_of_phantom || arguments.origin(first) != arguments.origin(second) {
            continue;
        }
        match &pair.relation {
            Relation::SamePixels => found.insert(second, Vec::new()),
            Relation::Copy { transformation, .. } => found.insert(second, transformation.changes()),
            Relation::SameScan { .. } => None,
        };
    }
    println!("{:<36} recall  named", "copies");
    for (at, way) in WAYS.iter().enumerate() {
        let first = arguments.phantoms + at * arguments.copies;
        let of_way = first..first + arguments.copies;
        let named: Vec<_> = of_way.filter_map(|position| found.get(&position)).collect();
        let right = named.iter().filter(|changes| changes.as_slice() == way.changes).count();
        let share = |count: usize| count as f64 / arguments.copies.max(1) as f64;
        println!("{:<36} {:>6.3} {:>6.3}", way.name, share(named.len()), share(right));
    }
}

fn print_strangers(arguments: &Arguments, pairs: &[Pair]) {
    let strangers: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| arguments.origin(pair.original) != arguments.origin(pair.copy))
        .collect();
    let (scans, copies): (Vec<&Pair>, Vec<&Pair>) =
        strangers.into_iter().partition(|pair| matches!(pair.relation, Relation::SameScan { .. }));
    println!("{} pairs of strangers were taken for copies", copies.len());
    println!("{} pairs of strangers were taken for slices of one scan", scans.len());
    copies.iter().chain(&scans).take(20).for_each(|pair| println!("  {pair:?}"));
}

/// The most memory this process has held so far, if the system reports it.
fn memory_mb() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1000)
}

/// Processor seconds that this process has used so far, if the system reports them. A busy machine
/// changes this figure little.
fn processor_seconds() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = status.rsplit_once(')')?;
    let ticks = |field: usize| fields.split_whitespace().nth(field)?.parse::<f64>().ok();
    // utime and stime, in hundredths, are fields 14 and 15 of all, 12 and 13 after the name
    Some((ticks(11)? + ticks(12)?) / 100.0)
}
