//! `hounsfield search`: the search of the Python package, which brings Optuna.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

/// Search the parameters of the head by grouped cross-validation, never by the test set
///
/// Reads search.yaml, asks Optuna for trials and scores them on cached features; --help says more.
/// It needs the Python package: pip install 'hounsfield[search]'.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Arguments {
    /// Those of the search; --help lists them
    #[arg(value_name = "ARGUMENTS", num_args = 0.., trailing_var_arg = true)]
    #[arg(allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

/// Becomes the search: its signals and exit code are the caller's.
pub(crate) fn run(arguments: &Arguments) -> Result<Infallible> {
    let source = std::env::var_os("HOUNSFIELD_SOURCE").map(PathBuf::from);
    let python = python(source.as_deref());
    let mut command = Command::new(&python);
    if let Some(source) = &source {
        let mut folders = vec![source.join("python/src")];
        folders.extend(std::env::var_os("PYTHONPATH").iter().flat_map(std::env::split_paths));
        command.env("PYTHONPATH", std::env::join_paths(folders).context("find the package")?);
    }
    let own = std::env::current_exe().context("find where hounsfield is installed")?;
    if let (None, Some(folder)) = (std::env::var_os("HOUNSFIELD_PROGRAMS"), own.parent()) {
        command.env("HOUNSFIELD_PROGRAMS", folder);
    }
    let check = "import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, ['hounsfield', 'optuna'])))";
    let found = command.args(["-c", check]).stderr(Stdio::null()).status();
    let found = found.with_context(|| format!("run {}", python.display()))?;
    if !found.success() {
        bail!(
            "search: {} has no Optuna or no package hounsfield; pip install 'hounsfield[search]', or \
             in the source tree: make search",
            python.display()
        );
    }
    let mut search = Command::new(&python);
    search.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let error = search.args(["-m", "hounsfield.search"]).args(&arguments.arguments).exec();
    Err(error).with_context(|| format!("run {}", python.display()))
}

/// The Python that was named, that of the source tree, or the system's.
fn python(source: Option<&Path>) -> PathBuf {
    let own = source.map(|source| source.join(".venv-search/bin/python"));
    let named = std::env::var_os("HOUNSFIELD_PYTHON").map(PathBuf::from);
    named.or_else(|| own.filter(|it| it.exists())).unwrap_or_else(|| "python3".into())
}
