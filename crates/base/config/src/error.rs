use std::io;
use std::path::PathBuf;

/// A configuration file that cannot be used. Programs then end with exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is missing or unreadable.
    #[error(
        "read {}: {source}; run from the folder that holds it, or name it with --{flag}",
        path.display()
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// The flag that names another file.
        flag: &'static str,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    /// Not YAML, an unknown or missing key, or a value of the wrong type.
    #[error("understand {}: {reason}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Key, line, column and reason.
        reason: String,
    },
    /// A value of the right type that is not allowed.
    #[error("accept {}: {key} is {value}; {expected}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// Dotted key, such as `train.learning_rate`.
        key: String,
        /// The value in the file.
        value: String,
        /// What is allowed.
        expected: String,
    },
}

impl ConfigError {
    pub(crate) fn syntax(path: PathBuf, error: &serde_yaml::Error) -> Self {
        Self::Syntax { path, reason: in_plain_words(&error.to_string()) }
    }
}

/// Names for serde's Rust types that people use.
const PLAIN_WORDS: [(&str, &str); 14] = [
    ("invalid type: unit value", "there is nothing"),
    ("invalid type: ", "found "),
    ("invalid value: ", "found "),
    ("floating point ", "the number "),
    ("integer ", "the number "),
    ("string ", "the text "),
    ("boolean ", ""),
    ("sequence", "a list"),
    ("map", "keys with values"),
    ("expected a boolean", "expected true or false"),
    ("expected a string", "expected a text"),
    ("expected a sequence", "expected a list in brackets, such as [a, b]"),
    ("expected a map", "expected keys with values"),
    ("expected unit", "expected nothing"),
];

fn in_plain_words(message: &str) -> String {
    let (found, expected) = match message.split_once(", expected ") {
        Some((found, expected)) => (found, Some(format!("expected {expected}"))),
        None => (message, None),
    };
    let Some(expected) = expected else { return message.to_owned() };
    let word = |text: &str, pairs: &[(&str, &str)]| {
        pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replacen(from, to, 1))
    };
    let (of_found, of_expected) = PLAIN_WORDS.split_at(9);
    // The value found may be text from the file: only what precedes it is serde's own text.
    let at = found.find(['"', '`']).unwrap_or(found.len());
    let found = word(&found[..at], of_found) + &found[at..];
    format!("{found}, {}", word(&number_type(&expected), of_expected))
}

/// Turns `expected f64 at line 3` into `expected a number at line 3`.
fn number_type(expected: &str) -> String {
    let rest = expected.strip_prefix("expected ").unwrap_or(expected);
    let (name, position) = rest
        .split_once(' ')
        .map_or((rest, String::new()), |(name, rest)| (name, format!(" {rest}")));
    match name {
        "f32" | "f64" => format!("expected a number{position}"),
        "u8" | "u16" | "u32" | "u64" | "usize" => {
            format!("expected a whole number, 0 or above{position}")
        }
        "i8" | "i16" | "i32" | "i64" | "isize" => format!("expected a whole number{position}"),
        _ => expected.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_the_names_that_people_use() {
        let told = |message: &str| in_plain_words(message);
        assert_eq!(
            told("ingest.seed: invalid type: integer `-3`, expected u64 at line 5 column 9"),
            "ingest.seed: found the number `-3`, expected a whole number, 0 or above at line 5 column 9"
        );
        assert_eq!(
            told(
                "train.solve.strengths[0]: invalid type: string \"a map\", expected f64 at line 4"
            ),
            "train.solve.strengths[0]: found the text \"a map\", expected a number at line 4"
        );
        assert_eq!(
            told("data.positive: invalid type: string \"x\", expected a sequence at line 2"),
            "data.positive: found the text \"x\", expected a list in brackets, such as [a, b] at line 2"
        );
        let unknown = "train: unknown field `sed`, expected one of `seed`, `solve` at line 3";
        assert_eq!(told(unknown), unknown);
    }
}
