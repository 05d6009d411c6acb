//! `Cargo.lock`: the libraries that the programs are built with.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use artifact::Digest;
use toml::{Table, Value};

/// The packages in `Cargo.lock`.
#[derive(Debug)]
pub(crate) struct Lock {
    /// By name, since a name may have several versions.
    packages: BTreeMap<String, Vec<Package>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// The required digest of its archive; none for a crate of the workspace.
    checksum: Option<String>,
    /// `name`, or `name version` if there are several.
    dependencies: Vec<String>,
}

impl Lock {
    /// # Errors
    /// When the file is missing or is not a lock file.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let table: Table = artifact::read_text(path)?
            .parse()
            .with_context(|| format!("understand {}", path.display()))?;
        let list = table.get("package").and_then(Value::as_array);
        let list = list.with_context(|| format!("find packages in {}", path.display()))?;
        let mut packages: BTreeMap<String, Vec<Package>> = BTreeMap::new();
        for package in list {
            let text = |key: &str| package.get(key).and_then(Value::as_str).map(str::to_owned);
            let dependencies = package.get("dependencies").and_then(Value::as_array);
            let package = Package {
                name: text("name").unwrap_or_default(),
                version: text("version").unwrap_or_default(),
                checksum: text("checksum"),
                dependencies: dependencies
                    .into_iter()
                    .flatten()
                    .filter_map(|dependency| dependency.as_str().map(str::to_owned))
                    .collect(),
            };
            packages.entry(package.name.clone()).or_default().push(package);
        }
        Ok(Self { packages })
    }

    /// The digest of these packages and all of their dependencies.
    pub(crate) fn digest<'a>(&'a self, direct: impl IntoIterator<Item = &'a str>) -> Digest {
        let mut found: BTreeSet<&Package> = BTreeSet::new();
        let mut open: Vec<&str> = direct.into_iter().collect();
        while let Some(dependency) = open.pop() {
            let mut words = dependency.split(' ');
            let (name, version) = (words.next().unwrap_or_default(), words.next());
            for package in self.packages.get(name).into_iter().flatten() {
                let is_meant = version.is_none_or(|version| version == package.version);
                if is_meant && found.insert(package) {
                    open.extend(package.dependencies.iter().map(String::as_str));
                }
            }
        }
        Digest::of_fields(found.iter().flat_map(|package| {
            [&package.name, &package.version, package.checksum.as_ref().unwrap_or(&package.name)]
                .map(|field| field.clone().into_bytes())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(text: &str) -> Lock {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Lock::read(file.path()).unwrap()
    }

    const LOCK: &str = r#"
[[package]]
name = "a"
version = "1.0.0"
checksum = "aa"
dependencies = ["b 2.0.0"]

[[package]]
name = "b"
version = "1.0.0"
checksum = "b1"

[[package]]
name = "b"
version = "2.0.0"
checksum = "b2"

[[package]]
name = "c"
version = "1.0.0"
checksum = "cc"
"#;

    #[test]
    fn what_a_program_is_built_with_counts_and_nothing_else() {
        let of = |text: &str| lock(text).digest(["a"]);
        assert_ne!(of(LOCK), of(&LOCK.replace("aa", "ab")));
        assert_ne!(of(LOCK), of(&LOCK.replace("\"b2\"", "\"b3\"")));
        assert_eq!(of(LOCK), of(&LOCK.replace("\"b1\"", "\"b0\"")));
        assert_eq!(of(LOCK), of(&LOCK.replace("\"cc\"", "\"cd\"")));
    }
}
