//! Files of a study that not everybody wants.

use std::path::Path;

use anyhow::Result;
use clap::ValueEnum;
use program::UsageError;

/// What `--with` may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Extra {
    /// Notebooks that look at the data, compare experiments and read a result
    Notebooks,
    #[value(hide = true)]
    Docker,
    #[value(hide = true)]
    Actions,
    #[value(hide = true)]
    Airflow,
}

const NOTEBOOKS: [(&str, &str); 3] = [
    (
        "notebooks/1-look-at-the-data.ipynb",
        include_str!("../../../../../python/notebooks/1-look-at-the-data.ipynb"),
    ),
    (
        "notebooks/2-train-and-compare.ipynb",
        include_str!("../../../../../python/notebooks/2-train-and-compare.ipynb"),
    ),
    (
        "notebooks/3-read-a-result.ipynb",
        include_str!("../../../../../python/notebooks/3-read-a-result.ipynb"),
    ),
];

impl Extra {
    fn name(self) -> &'static str {
        match self {
            Self::Notebooks => "notebooks",
            Self::Docker => "docker",
            Self::Actions => "actions",
            Self::Airflow => "airflow",
        }
    }

    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Notebooks => &NOTEBOOKS,
            Self::Docker | Self::Actions | Self::Airflow => &[],
        }
    }
}

/// Refuses by name what this version has not.
pub(super) fn check(extras: &[Extra]) -> Result<()> {
    match extras.iter().find(|extra| extra.files().is_empty()) {
        None => Ok(()),
        Some(missing) => Err(UsageError(format!(
            "add {0}: this version of hounsfield has no files for --with {0}; there are: notebooks",
            missing.name()
        ))
        .into()),
    }
}

pub(super) fn write(extras: &[Extra], study: &Path) -> Result<()> {
    for (name, text) in extras.iter().flat_map(|extra| extra.files()) {
        artifact::write_file(&study.join(name), text.as_bytes())?;
    }
    Ok(())
}
