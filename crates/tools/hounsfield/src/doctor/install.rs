//! `doctor --install`: libtorch without CUDA's 4.9 GB, as `make setup` of the source tree has it.

use std::process::Command;

use anyhow::{Context, Result, bail};
use artifact::StagedFolder;

use crate::libtorch::installed_folder;

/// Every package by version and digest: pip refuses others.
const REQUIREMENTS: &str = include_str!("../../../../../requirements-libtorch-cpu.txt");

/// Fetches the three packages with pip, whole or not at all.
pub(super) fn libtorch() -> Result<()> {
    let folder = installed_folder().context("find a place for libtorch: HOME is not set")?;
    let python = std::env::var("HOUNSFIELD_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_pip = Command::new(&python).args(["-m", "pip", "--version"]).output();
    if !has_pip.is_ok_and(|done| done.status.success()) {
        bail!(
            "run {python} -m pip: it fetches libtorch, and is missing; \
             install it (sudo apt-get install python3-pip, or python3 -m ensurepip)"
        );
    }
    let staged = StagedFolder::beside(&folder)?;
    let requirements = staged.path().join("requirements.txt");
    artifact::write_file(&requirements, REQUIREMENTS.as_bytes())?;
    crate::note(&format!(
        "hounsfield: fetching libtorch into {}: 0.6 GB, and 1.5 GB on disk",
        folder.display()
    ));
    let status = Command::new(&python)
        .args(["-m", "pip", "install", "--no-deps", "--require-hashes", "--no-input"])
        .args(["--disable-pip-version-check", "--no-warn-script-location", "--target"])
        .arg(staged.path())
        .arg("-r")
        .arg(&requirements)
        .status()
        .with_context(|| format!("run {python} -m pip"))?;
    if !status.success() {
        bail!(
            "fetch libtorch: pip ended with {status}; without a network, copy {} from another machine",
            folder.display()
        );
    }
    staged.publish()?;
    Ok(())
}
