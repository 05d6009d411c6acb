//! The commands that make parts which are not there.

use std::collections::BTreeMap;
use std::path::Path;

use program::Shard;

use crate::offline::shard::part::Work;

/// As many are told in full.
const TOLD: usize = 10;

/// Says which shards are missing, and how each is run again; none if all are `there`.
pub(crate) fn told(there: &BTreeMap<Shard, &Path>, work: &Work) -> Option<String> {
    let (any, _) = there.first_key_value()?;
    let mut missing = any.siblings().filter(|shard| !there.contains_key(shard)).peekable();
    let first = *missing.peek()?;
    let count = any.count().get() as usize - there.len();
    let mut lines = vec![match count {
        1 => format!("shard {first} is missing; run it again where the others ran:"),
        _ => format!("{count} shards are missing; run them again where the others ran:"),
    }];
    let names = Names::of(there);
    let words = work.command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    for shard in missing.take(TOLD) {
        let output = names.as_ref().map_or("FILE".to_owned(), |names| names.of_shard(shard));
        lines.push(format!("  predict --shard {shard} --output {} {words}", quoted(&output)));
    }
    if count > TOLD {
        lines.push(format!("  and {} more", count - TOLD));
    }
    Some(lines.join("\n"))
}

/// How the parts are called: by their number between two texts.
struct Names {
    before: String,
    after: String,
}

impl Names {
    /// If the names of all the parts say so.
    fn of(parts: &BTreeMap<Shard, &Path>) -> Option<Self> {
        let (shard, path) = parts.first_key_value()?;
        let (path, number) = (path.to_str()?, shard.index().to_string());
        let candidates = path.match_indices(&number).map(|(start, _)| Self {
            before: path[..start].to_owned(),
            after: path[start + number.len()..].to_owned(),
        });
        let names_all = |names: &Self| {
            parts.iter().all(|(shard, path)| path.to_str() == Some(&names.of_shard(*shard)))
        };
        // The last number of a name is the likeliest.
        candidates.filter(names_all).last()
    }

    fn of_shard(&self, shard: Shard) -> String {
        format!("{}{}{}", self.before, shard.index(), self.after)
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-,=:+@%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_called_as_the_others_are() {
        let shard = |text: &str| text.parse::<Shard>().unwrap();
        let named = |parts: &[(&str, &str)]| {
            let parts = parts.iter().map(|(it, path)| (shard(it), Path::new(*path)));
            let parts = parts.collect();
            Names::of(&parts).map(|names| names.of_shard(shard("3/12")))
        };
        assert_eq!(
            named(&[("0/12", "run0/0.csv"), ("11/12", "run0/11.csv")]).unwrap(),
            "run0/3.csv"
        );
        assert_eq!(named(&[("1/12", "v1/part-1.csv")]).unwrap(), "v1/part-3.csv");
        assert_eq!(named(&[("1/12", "a.csv")]), None);
        assert_eq!(named(&[("1/12", "1.csv"), ("2/12", "b.csv")]), None);
    }

    #[test]
    fn words_can_be_pasted_into_a_shell() {
        assert_eq!(quoted("--window"), "--window");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("scans/**/*.png"), "'scans/**/*.png'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }
}
