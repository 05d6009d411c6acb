//! The sources of a crate that can affect a result.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use artifact::Digest;
use walkdir::WalkDir;

use crate::code::Code;

/// Which of a package's sources to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Target {
    /// Its program, with its library.
    Program,
    /// Only its library, which another crate links.
    Library,
}

/// The digest of a package's sources, without tests, comments and documentation.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn digest(package: &Path, target: Target) -> Result<Digest> {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    for (path, content) in contents(package, target)? {
        fields.push(path.to_string_lossy().into_owned().into_bytes());
        fields.push(content);
    }
    Ok(Digest::of_fields(fields))
}

/// The code of each file, by its path in the package, including files outside of it that a macro
/// includes.
fn contents(package: &Path, target: Target) -> Result<BTreeMap<PathBuf, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut of_tests = BTreeSet::new();
    for path in files(package, target)? {
        let bytes = artifact::read_bytes(&package.join(&path))?;
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        let code = std::str::from_utf8(&bytes).ok().filter(|_| is_rust).and_then(Code::parse);
        let Some(code) = code else {
            found.insert(path, bytes);
            continue;
        };
        let children = folder_of_children(&path);
        of_tests.extend(code.test_modules.iter().map(|name| children.join(name)));
        for included in code.included {
            let included = path.parent().unwrap_or(Path::new("")).join(included);
            let bytes = artifact::read_bytes(&package.join(&included));
            found.insert(included, bytes.with_context(|| format!("of {}", path.display()))?);
        }
        found.insert(path, code.tokens);
    }
    found.retain(|path, _| {
        !of_tests
            .iter()
            .any(|module| path.starts_with(module) || *path == module.with_extension("rs"))
    });
    Ok(found)
}

fn files(package: &Path, target: Target) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    // The build script is `build.rs`, or is in `build/`.
    let roots = ["build.rs", "build", "src"].map(|name| package.join(name));
    let entries = roots.iter().filter(|root| root.exists());
    for entry in entries.flat_map(|root| WalkDir::new(root).sort_by_file_name()) {
        let entry = entry.with_context(|| format!("list {}", package.display()))?;
        let path = entry.path().strip_prefix(package).context("stay in the package")?.to_owned();
        let is_of_program = path == Path::new("src/main.rs") || path.starts_with("src/bin");
        if entry.file_type().is_file() && (target == Target::Program || !is_of_program) {
            files.push(path);
        }
    }
    Ok(files)
}

/// The folder of the modules that a file declares: beside `mod.rs`, otherwise a folder with the
/// file's name.
fn folder_of_children(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new(""));
    match file.file_stem().and_then(|stem| stem.to_str()) {
        Some("lib" | "main" | "mod") | None => folder.to_owned(),
        Some(stem) => folder.join(stem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn files_of_tests_decide_nothing_and_a_file_that_nobody_listed_does() {
        let of = |files: &[(&str, &str)]| digest(package(files).path(), Target::Program).unwrap();
        let bare = of(&[("src/lib.rs", "mod a;"), ("src/a.rs", "fn a() {}")]);
        let tested = of(&[
            ("src/lib.rs", "mod a;"),
            ("src/a.rs", "fn a() {}\n#[cfg(test)]\nmod tests;"),
            ("src/a/tests.rs", "mod deeper;"),
            ("src/a/tests/deeper.rs", "#[test] fn b() {}"),
            ("tests/cli.rs", "#[test] fn c() {}"),
        ]);
        assert_eq!(tested, bare);
        let more = of(&[("src/lib.rs", "mod a;"), ("src/a.rs", "fn a() {}"), ("src/b.rs", "")]);
        assert_ne!(more, bare);
    }

    #[test]
    fn a_picture_a_page_and_what_lies_outside_count_by_their_bytes() {
        let of = |css: &str, outside: &str| {
            let lib = "const A: &str = include_str!(\"../shared.txt\");";
            let files = [("src/lib.rs", lib), ("src/page.css", css), ("shared.txt", outside)];
            digest(package(&files).path(), Target::Library).unwrap()
        };
        assert_eq!(of("a", "b"), of("a", "b"));
        assert_ne!(of("a", "b"), of("a /* c */", "b"));
        assert_ne!(of("a", "b"), of("a", "c"));
    }

    #[test]
    fn who_links_a_library_does_not_link_its_program() {
        let of = |main: &str, target| {
            digest(package(&[("src/lib.rs", ""), ("src/main.rs", main)]).path(), target).unwrap()
        };
        assert_eq!(of("fn main() {}", Target::Library), of("fn main() { a() }", Target::Library));
        assert_ne!(of("fn main() {}", Target::Program), of("fn main() { a() }", Target::Program));
    }

    #[test]
    fn a_file_that_is_included_and_missing_is_named() {
        let lib = "const A: &[u8] = include_bytes!(\"gone.bin\");";
        let error = digest(package(&[("src/lib.rs", lib)]).path(), Target::Library).unwrap_err();
        assert!(format!("{error:#}").contains("gone.bin"), "{error:#}");
    }
}
