//! Changes to the text of `config.yaml` and `dvc.yaml` that leave comments and all other lines alone.

use config::ClassMap;
use ingest::yaml_text;

/// `text` with the lines of `key`, which stands in the section `section`, replaced by `lines`. Without
/// the key, or the section, they are added.
pub(super) fn set(text: &str, section: &str, key: &str, lines: &[String]) -> String {
    let old: Vec<&str> = text.lines().collect();
    let (from, to) = section_of(&old, section);
    let mut new: Vec<String> = old[..from].iter().map(|&line| line.to_owned()).collect();
    if from == old.len() {
        new.extend([String::new(), format!("{section}:")]);
    }
    let within = &old[from..to];
    let start = within.iter().position(|line| line.starts_with(&format!("  {key}:")));
    let start = start.unwrap_or_else(|| last_filled(within));
    let is_there = within.get(start).is_some_and(|line| line.starts_with(&format!("  {key}:")));
    let length = if is_there { 1 + deeper(&within[start + 1..]) } else { 0 };
    new.extend(within[..start].iter().map(|&line| line.to_owned()));
    new.extend(lines.iter().map(|line| format!("  {line}")));
    new.extend(within[start + length..].iter().map(|&line| line.to_owned()));
    new.extend(old[to..].iter().map(|&line| line.to_owned()));
    new.join("\n") + "\n"
}

/// The lines of a section, without its own first one; both the end of the file where there is none.
fn section_of(lines: &[&str], section: &str) -> (usize, usize) {
    let Some(at) = lines.iter().position(|line| is_key(line, section)) else {
        return (lines.len(), lines.len());
    };
    let rest = &lines[at + 1..];
    let is_next = |line: &&str| !line.is_empty() && !line.starts_with([' ', '#']);
    (at + 1, at + 1 + rest.iter().position(is_next).unwrap_or(rest.len()))
}

fn is_key(line: &str, key: &str) -> bool {
    line.strip_prefix(key).is_some_and(|rest| rest.starts_with(':'))
}

/// How many of the first lines are deeper than a key of a section.
fn deeper(lines: &[&str]) -> usize {
    lines.iter().take_while(|line| line.starts_with("   ")).count()
}

fn last_filled(lines: &[&str]) -> usize {
    lines.iter().rposition(|line| line.starts_with("  ")).map_or(0, |at| at + 1)
}

/// `classes:` with a line for each class.
pub(super) fn classes(classes: &ClassMap) -> Vec<String> {
    let mut lines =
        vec!["classes:                   # class: [folders of the source that hold it]".to_owned()];
    for class in classes.names() {
        let folders = classes.folders_of(class).unwrap_or_default();
        lines.push(format!("  {}: {}", yaml_text(class), list(folders)));
    }
    lines
}

/// `[a, b]`, each quoted where it has to be.
pub(super) fn list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| yaml_text(text)).collect();
    format!("[{}]", texts.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# A comment.
data:
  source:
    kind: local              # where
    path: data
  classes:
    a: [a]
    b: [b]
  # Against all others.
  positive: [a]

features:
  limit: 1
";

    #[test]
    fn a_key_is_replaced_and_the_rest_stays() {
        let lines = ["classes:".to_owned(), "  c: [c]".to_owned()];
        let expected = TEXT.replace("    a: [a]\n    b: [b]\n", "    c: [c]\n");
        assert_eq!(set(TEXT, "data", "classes", &lines), expected);
        let positive = set(TEXT, "data", "positive", &["positive: []".to_owned()]);
        assert_eq!(positive, TEXT.replace("[a]\n\nfeatures", "[]\n\nfeatures"));
    }

    #[test]
    fn what_is_missing_is_added_at_the_end_of_its_section() {
        let line = ["patients: {kind: dicom}".to_owned()];
        let added = set(TEXT, "data", "patients", &line);
        assert!(
            added.contains("  positive: [a]\n  patients: {kind: dicom}\n\nfeatures:"),
            "{added}"
        );
        let added = set(TEXT, "registry", "model", &["model: x".to_owned()]);
        assert!(added.ends_with("  limit: 1\n\nregistry:\n  model: x\n"), "{added}");
    }
}
