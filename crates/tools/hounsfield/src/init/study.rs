//! The files of a study.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use artifact::WithPath;
use program::UsageError;
use walkdir::WalkDir;

use super::config_text;
use super::repository::Tools;
use super::template::{self, Template};

/// A study's folder.
#[derive(Debug, Clone)]
pub(crate) struct Study {
    folder: PathBuf,
}

/// What becomes of the scans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Copied to `data/`, which DVC tracks.
    Copied,
    /// Left where they are.
    InPlace,
}

impl Placement {
    pub(crate) fn of(in_place: bool) -> Self {
        if in_place { Self::InPlace } else { Self::Copied }
    }
}

impl Study {
    pub(crate) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes all but scans and weights.
    pub(super) fn write(&self, name: &str, config: &str, template: Template) -> Result<()> {
        let readme = template::README.replace("{name}", name);
        let pipeline =
            template::pipeline().replace("  tumour-classifier:\n", &format!("  {name}:\n"));
        let files = [
            ("config.yaml", config),
            ("params.yaml", &template.params()),
            ("dvc.yaml", &pipeline),
            ("README.md", &readme),
            (".gitignore", template::GITIGNORE),
            (".dvcignore", template::DVCIGNORE),
            (".dvc/config", template::DVC_CONFIG),
            (".dvc/.gitignore", template::DVC_GITIGNORE),
            ("data/README.md", template::DATA_README),
            ("weights/README.md", template::WEIGHTS_README),
            ("corrections/README.md", template::CORRECTIONS_README),
        ];
        for (file, text) in files {
            artifact::write_file(&self.path(file), text.as_bytes())?;
        }
        Ok(())
    }

    /// Puts other scans in the place of those that are there.
    pub(crate) fn place_data(&self, data: &Path, placement: Placement) -> Result<()> {
        let tools = Tools::find(placement == Placement::Copied)?;
        self.place(data, placement)?;
        if placement == Placement::Copied {
            tools.track(self, "data")?;
        }
        Ok(())
    }

    /// Takes the scans in, and says in `config.yaml` and `dvc.yaml` where they are.
    pub(super) fn place(&self, data: &Path, placement: Placement) -> Result<()> {
        let shown = data.display();
        let Ok(data) = data.canonicalize() else {
            return Err(UsageError(format!("read {shown}: no such file or folder")).into());
        };
        let (path, dependency) = match placement {
            Placement::Copied => (self.copy_in(&data)?, "data".to_owned()),
            Placement::InPlace => {
                let text =
                    data.to_str().with_context(|| format!("name {shown}: it is not UTF-8"))?;
                (text.to_owned(), text.to_owned())
            }
        };
        let config = artifact::read_text(&self.path("config.yaml"))?;
        let lines = [
            "source:".to_owned(),
            "  kind: local".to_owned(),
            format!("  path: {}", config_text::yaml(&path)),
        ];
        let config = config_text::set(&config, "data", "source", &lines);
        let pipeline = artifact::read_text(&self.path("dvc.yaml"))?;
        let pipeline = with_data(&pipeline, &dependency);
        artifact::write_file(&self.path("config.yaml"), config.as_bytes())?;
        artifact::write_file(&self.path("dvc.yaml"), pipeline.as_bytes())?;
        Ok(())
    }

    /// Copies the scans to `data/`; returns the path for `config.yaml`.
    fn copy_in(&self, source: &Path) -> Result<String> {
        let target = self.path("data");
        let is_ours = self.path("data.dvc").is_file() || holds_only_readme(&target);
        if !is_ours {
            bail!(
                "replace {}: it holds files that DVC does not track; move them away first",
                target.display()
            );
        }
        let staged = artifact::StagedFolder::beside(&target)?;
        let path = if source.is_dir() {
            copy_folder(source, staged.path())?;
            "data".to_owned()
        } else {
            let name = source.file_name().context("name the file")?.to_string_lossy().into_owned();
            copy_file(source, &staged.path().join(&name))?;
            format!("data/{name}")
        };
        staged.publish()?;
        Ok(path)
    }

    /// Copies a file of weights to where `config.yaml` looks for it first.
    pub(super) fn take_weights(&self, weights: &Path) -> Result<()> {
        if !weights.is_file() {
            return Err(UsageError(format!("read {}: no such file", weights.display())).into());
        }
        let is_keras = weights.extension().is_some_and(|it| it == "h5" || it == "keras");
        let name = if is_keras { "weights/vgg16.h5" } else { "weights/vgg16.safetensors" };
        copy_file(weights, &self.path(name))?;
        if is_keras {
            let config = artifact::read_text(&self.path("config.yaml"))?;
            let config =
                config_text::set(&config, "pretrained", "file", &[format!("file: {name}")]);
            artifact::write_file(&self.path("config.yaml"), config.as_bytes())?;
        }
        Ok(())
    }

    /// What DVC tracks beside the outputs of stages.
    pub(super) fn tracked(&self) -> Vec<&'static str> {
        let is_there = |name: &&str| self.path(name).exists();
        let mut tracked: Vec<&str> = ["weights/vgg16.safetensors", "weights/vgg16.h5"]
            .into_iter()
            .filter(is_there)
            .collect();
        if !holds_only_readme(&self.path("data")) {
            tracked.push("data");
        }
        tracked
    }
}

/// `dvc.yaml` with `dependency` in place of the scans.
fn with_data(pipeline: &str, dependency: &str) -> String {
    let mut lines = Vec::new();
    for line in pipeline.lines() {
        let dep = line.strip_prefix("      - ");
        let path = dep.map(|text| serde_yaml::from_str::<String>(text).unwrap_or_default());
        let is_scans = path.is_some_and(|path| path == "data" || path.starts_with('/'));
        lines.push(if is_scans {
            format!("      - {}", config_text::yaml(dependency))
        } else {
            line.to_owned()
        });
    }
    lines.join("\n") + "\n"
}

fn holds_only_readme(folder: &Path) -> bool {
    fs::read_dir(folder).map_or(true, |mut entries| {
        entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == "README.md"))
    })
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let files = WalkDir::new(from).follow_links(true).into_iter();
    let files: Vec<_> =
        files.collect::<Result<_, _>>().with_context(|| format!("list {}", from.display()))?;
    let bar = terminal::items_bar(files.len() as u64, "copying");
    for entry in files {
        let target = to.join(entry.path().strip_prefix(from).unwrap_or(entry.path()));
        if entry.file_type().is_dir() {
            artifact::create_folder(&target)?;
        } else {
            copy_file(entry.path(), &target)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// A copy that shares its blocks where the file system can.
fn copy_file(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        artifact::create_folder(folder)?;
    }
    fs::copy(from, to).with_path("copy", from)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scans_of_a_pipeline_can_be_named_twice() {
        let pipeline = template::pipeline();
        let away = with_data(&pipeline, "/mnt/my scans/a: b");
        assert_eq!(away.matches("      - \"/mnt/my scans/a: b\"\n").count(), 2);
        assert_eq!(with_data(&away, "data"), pipeline);
    }
}
