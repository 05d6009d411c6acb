//! The workspace: which crates a program links, and how they are built.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use artifact::Digest;
use toml::{Table, Value};

use crate::lock::Lock;
use crate::sources::{self, Target};

/// Sections of a package's manifest that affect the build.
const BUILT_FROM: [&str; 5] = ["dependencies", "build-dependencies", "features", "lib", "target"];

/// Files beside the manifests that affect the build, if they exist.
const SETTINGS: [&str; 2] = [".cargo/config.toml", "rust-toolchain.toml"];

/// The manifests and the lock file of a Cargo workspace.
#[derive(Debug)]
pub struct Workspace {
    root: PathBuf,
    manifest: Table,
    lock: Lock,
    members: BTreeMap<String, Member>,
}

/// A crate of the workspace.
#[derive(Debug)]
struct Member {
    folder: PathBuf,
    manifest: Table,
}

impl Workspace {
    /// Reads the manifests below the workspace's root folder.
    ///
    /// # Errors
    /// When a file is missing or invalid.
    pub fn read(root: &Path) -> Result<Self> {
        let manifest = table(&root.join("Cargo.toml"))?;
        let patterns = manifest.get("workspace").and_then(|it| it.get("members"));
        let patterns = patterns.and_then(Value::as_array).context("find workspace.members")?;
        let mut members = BTreeMap::new();
        for pattern in patterns.iter().filter_map(Value::as_str) {
            let pattern = root.join(pattern).join("Cargo.toml");
            for path in glob::glob(&pattern.to_string_lossy()).context("read workspace.members")? {
                let path = path.context("list the members of the workspace")?;
                let manifest = table(&path)?;
                let name = manifest.get("package").and_then(|it| it.get("name"));
                let name = name.and_then(Value::as_str);
                let name = name.with_context(|| format!("find the name in {}", path.display()))?;
                let folder = path.parent().unwrap_or(root).to_owned();
                members.insert(name.to_owned(), Member { folder, manifest });
            }
        }
        let lock = Lock::read(&root.join("Cargo.lock"))?;
        Ok(Self { root: root.to_owned(), manifest, lock, members })
    }

    /// The content of each of these programs: a line for each crate, one for libraries, one for the
    /// build.
    ///
    /// Programs that are built together share the features of their libraries, so the last two lines
    /// are those of all these programs.
    ///
    /// # Errors
    /// When there is no such program, or a source cannot be read.
    pub fn digests(&self, programs: &[String]) -> Result<BTreeMap<String, String>> {
        let mut parts = BTreeMap::new();
        for program in programs {
            if !self.members.contains_key(program) {
                bail!("find {program}: the workspace has no such package");
            }
            parts.insert(program, self.linked(program));
        }
        let all: BTreeSet<&str> = parts.values().flatten().copied().collect();
        let common = format!(
            "{} libraries\n{} settings of the build\n",
            self.lock.digest(self.libraries(&all)),
            self.settings(&all)?
        );
        let mut libraries = BTreeMap::new();
        let mut texts = BTreeMap::new();
        for (program, linked) in parts {
            let mut text = format!("# What {program} is made of, less comments and tests.\n");
            for name in linked {
                let folder = &self.members[name].folder;
                let digest = match libraries.get(name) {
                    _ if name == program => sources::digest(folder, Target::Program)?,
                    Some(digest) => *digest,
                    None => sources::digest(folder, Target::Library)?,
                };
                if name != program {
                    libraries.insert(name, digest);
                }
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{digest} {name}");
            }
            texts.insert(program.clone(), text + &common);
        }
        Ok(texts)
    }

    /// The crates of the workspace that a program links, including itself.
    pub fn linked<'a>(&'a self, program: &'a str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut open = vec![program];
        while let Some(name) = open.pop() {
            if self.members.contains_key(name) && found.insert(name) {
                open.extend(self.dependencies(name));
            }
        }
        found
    }

    /// Names of the crates and libraries that a member depends on, for builds but not for tests.
    fn dependencies(&self, member: &str) -> impl Iterator<Item = &str> {
        let manifest = &self.members[member].manifest;
        let of_target = manifest.get("target").and_then(Value::as_table);
        let tables = of_target.into_iter().flat_map(|targets| targets.values());
        tables
            .filter_map(Value::as_table)
            .chain([manifest])
            .flat_map(|table| [table.get("dependencies"), table.get("build-dependencies")])
            .flatten()
            .filter_map(Value::as_table)
            .flat_map(|dependencies| dependencies.keys().map(String::as_str))
    }

    /// The libraries that some crates use directly, by their packages' names.
    fn libraries<'a>(&'a self, members: &BTreeSet<&'a str>) -> BTreeSet<&'a str> {
        let used = members.iter().flat_map(|name| self.dependencies(name));
        used.filter(|name| !self.members.contains_key(*name))
            .map(|name| {
                let package = self.specification(name).and_then(|it| it.get("package"));
                package.and_then(Value::as_str).unwrap_or(name)
            })
            .collect()
    }

    /// The entry of `workspace.dependencies` for a library: version, features, package.
    fn specification(&self, name: &str) -> Option<&Value> {
        self.manifest.get("workspace")?.get("dependencies")?.get(name)
    }

    fn settings(&self, members: &BTreeSet<&str>) -> Result<Digest> {
        let text = |value: &Value| value.to_string().into_bytes();
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for section in ["profile", "patch", "replace"] {
            fields.extend(self.manifest.get(section).map(text));
        }
        let workspace = self.manifest.get("workspace");
        fields.extend(workspace.and_then(|it| it.get("resolver")).map(text));
        // Outputs contain the version, and the edition changes the meaning of code.
        for key in ["edition", "version"] {
            fields.extend(workspace.and_then(|it| it.get("package")?.get(key)).map(text));
        }
        for name in members {
            let manifest = &self.members[*name].manifest;
            fields.push(name.as_bytes().to_vec());
            fields.extend(BUILT_FROM.iter().filter_map(|section| manifest.get(*section).map(text)));
            // The folder of one of our crates has no effect.
            let libraries =
                self.dependencies(name).filter(|name| !self.members.contains_key(*name));
            fields.extend(libraries.filter_map(|name| self.specification(name).map(text)));
        }
        for file in SETTINGS {
            let path = self.root.join(file);
            if path.is_file() {
                fields.push(artifact::read_bytes(&path)?);
            }
        }
        Ok(Digest::of_fields(fields))
    }
}

fn table(path: &Path) -> Result<Table> {
    artifact::read_text(path)?.parse().with_context(|| format!("understand {}", path.display()))
}
