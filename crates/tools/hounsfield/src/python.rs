//! The commands of the Python package, for which there are libraries in Python alone: `search` asks
//! Optuna, `export` writes ONNX.

use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

/// A command of the Python package.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Module {
    name: &'static str,
    /// What has to be installed beside the package.
    needs: &'static [&'static str],
    /// The extra of the package that brings it.
    extra: &'static str,
}

/// `hounsfield search`.
pub(crate) const SEARCH: Module =
    Module { name: "search", needs: &["optuna", "yaml"], extra: "search" };

/// `hounsfield export`.
pub(crate) const EXPORT: Module =
    Module { name: "export", needs: &["torch", "onnx", "onnxruntime"], extra: "onnx" };

/// Search the parameters of the head by grouped cross-validation, never by the test set
///
/// Reads search.yaml, asks Optuna for trials and scores them on cached features, in the study of this
/// folder. It needs the Python package, `pip install 'hounsfield[search]'`; --help then lists its
/// options. docs/experiments.md shows an example.
///
/// Exit codes: 0 done, 1 failed, 2 bad usage or search.yaml, 130 stopped by Ctrl-C.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct SearchArguments {
    /// Those of the search; --help lists them
    #[arg(value_name = "ARGUMENTS", num_args = 0.., trailing_var_arg = true)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

/// Write the model in another format, ONNX, and compare its answers with the model's own
///
/// It needs the Python package, `pip install 'hounsfield[onnx]'`; --help then lists its options.
///
/// Exit codes: 0 done, 1 failed, 2 bad usage or configuration.
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(crate) struct ExportArguments {
    /// Those of the export; --help lists them
    #[arg(value_name = "ARGUMENTS", num_args = 0.., trailing_var_arg = true)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

/// Becomes the command: its signals and exit code are the caller's.
///
/// # Errors
/// When there is no Python, or the package or what it needs is not installed.
pub(crate) fn run(module: Module, arguments: &[OsString]) -> Result<Infallible> {
    let source = std::env::var_os("HOUNSFIELD_SOURCE").map(PathBuf::from);
    let python = python(source.as_deref(), module);
    let Module { name, needs, extra } = module;
    let check = format!(
        "import importlib.util, sys; \
         sys.exit(not all(map(importlib.util.find_spec, ['hounsfield', *{needs:?}])))"
    );
    let mut found = command(&python, source.as_deref())?;
    let found = found.args(["-c", &check]).stderr(Stdio::null()).status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there && arguments.iter().any(|it| it == "--help" || it == "-h") {
        // What there is to say without the package.
        let mut all = crate::command();
        let own = all.find_subcommand_mut(name).context("find the command's own help")?;
        own.print_long_help().context("print the help")?;
        std::process::exit(0);
    }
    if !is_there {
        bail!(
            "{name}: {} has no package hounsfield, or lacks one of {}; pip install \
             'hounsfield[{extra}]'",
            python.display(),
            needs.join(", ")
        );
    }
    let mut command = command(&python, source.as_deref())?;
    let error = command.args(["-m", &format!("hounsfield.{name}")]).args(arguments).exec();
    Err(error).with_context(|| format!("run {}", python.display()))
}

/// Python, which finds the package of the source tree, if this is one, and the programs beside this.
fn command(python: &Path, source: Option<&Path>) -> Result<Command> {
    let mut command = Command::new(python);
    if let Some(source) = source {
        let mut folders = vec![source.join("python/src")];
        folders.extend(std::env::var_os("PYTHONPATH").iter().flat_map(std::env::split_paths));
        command.env("PYTHONPATH", std::env::join_paths(folders).context("find the package")?);
    }
    let own = std::env::current_exe().context("find where hounsfield is installed")?;
    if let (None, Some(folder)) = (std::env::var_os("HOUNSFIELD_PROGRAMS"), own.parent()) {
        command.env("HOUNSFIELD_PROGRAMS", folder);
    }
    Ok(command)
}

/// The Python that was named, that of the source tree, or the system's.
fn python(source: Option<&Path>, module: Module) -> PathBuf {
    let folder = if module.extra == "search" { ".venv-search" } else { ".venv-reference" };
    let own = source.map(|source| source.join(folder).join("bin/python"));
    let named = std::env::var_os("HOUNSFIELD_PYTHON").map(PathBuf::from);
    named.or_else(|| own.filter(|it| it.exists())).unwrap_or_else(|| "python3".into())
}
