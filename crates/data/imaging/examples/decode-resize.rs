//! Decodes and resizes a folder of images on the given number of threads, as the stages do, and
//! prints one line of JSON, which `make bench` compares with Pillow.
//!
//! ```sh
//! cargo run --release -p imaging --example decode-resize -- FOLDER 2 224
//! ```

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use imaging::{Normalisation, Preprocessing};

const USAGE: &str = "usage: decode-resize FOLDER THREADS IMAGE_SIZE";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, threads, image_size] = arguments.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let (Ok(threads), Ok(image_size)) = (threads.parse(), image_size.parse()) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let preprocessing = Preprocessing::bilinear(image_size, Normalisation::Unit);
    match images_below(Path::new(folder)).and_then(|paths| {
        let duration = decode_all(&paths, threads, preprocessing)?;
        Ok((paths.len(), duration.as_secs_f64()))
    }) {
        Ok((images, seconds)) => {
            println!(
                r#"{{"images": {images}, "seconds": {seconds}, "images_per_s": {}, "threads": {threads}}}"#,
                images as f64 / seconds
            );
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("decode-resize: failed to {message}");
            ExitCode::FAILURE
        }
    }
}

/// Every PNG and JPEG, in the order of their paths.
fn images_below(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let describe = |error| format!("list {}: {error}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(describe)? {
        let path = entry.map_err(describe)?.path();
        let extension = path.extension().map(|text| text.to_string_lossy().to_lowercase());
        if path.is_dir() {
            paths.extend(images_below(&path)?);
        } else if matches!(extension.as_deref(), Some("png" | "jpg" | "jpeg")) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The time that `threads` threads take; each takes the next free image.
fn decode_all(
    paths: &[PathBuf],
    threads: usize,
    preprocessing: Preprocessing,
) -> Result<Duration, String> {
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), String> {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            let describe = |error: String| format!("decode {}: {error}", path.display());
            let bytes = std::fs::read(path).map_err(|error| describe(error.to_string()))?;
            let picture = imaging::decode(&bytes).map_err(|error| describe(error.to_string()))?;
            std::hint::black_box(preprocessing.resize(&picture));
        }
        Ok(())
    };
    let started = Instant::now();
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a worker does not panic"))
    })?;
    Ok(started.elapsed())
}
