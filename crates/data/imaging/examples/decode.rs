//! Decodes pictures and writes each to standard output: a line of JSON, then its RGB samples row by
//! row, of 8 bits, or of 16 with the high byte first. A picture that cannot be decoded gives a line
//! with the error. tests/reference compares the output with pydicom's.
//!
//! ```sh
//! cargo run --release -p imaging --example decode -- -600,1500 slice.dcm
//! ```
//!
//! With `-` instead of a window the file decides.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use imaging::{DecodeOptions, Picture, decode_with};
use serde_json::json;

const USAGE: &str = "usage: decode CENTRE,WIDTH|- FILE…";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((window, files)) = arguments.split_first() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match decode_all(window, files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("decode: failed to {message}");
            ExitCode::FAILURE
        }
    }
}

fn decode_all(window: &str, files: &[String]) -> Result<(), String> {
    let window = match window {
        "-" => None,
        text => Some(text.parse().map_err(|error| format!("read the window: {error}"))?),
    };
    let options = DecodeOptions { window, ..DecodeOptions::default() };
    let mut output = BufWriter::new(io::stdout().lock());
    for file in files {
        let bytes = std::fs::read(file).map_err(|error| format!("read {file}: {error}"))?;
        match decode_with(&bytes, &options) {
            Ok(picture) => write_picture(&picture, &mut output),
            Err(error) => writeln!(output, "{}", json!({"error": error.to_string()})),
        }
        .map_err(|error| format!("write the picture: {error}"))?;
    }
    output.flush().map_err(|error| format!("write the picture: {error}"))
}

fn write_picture(picture: &Picture, output: &mut impl Write) -> io::Result<()> {
    let mut rows = Vec::new();
    picture.for_each_rgb_row(|row| rows.extend_from_slice(row));
    let (width, height) = (picture.width(), picture.height());
    let head = json!({
        "width": width,
        "height": height,
        "bits": 8 * rows.len() / (3 * width as usize * height as usize),
        "window": picture.window().map(|window| [window.centre(), window.width()]),
    });
    writeln!(output, "{head}")?;
    output.write_all(&rows)
}
