//! The files of a study.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use artifact::WithPath;
use config::{Config, SourceConfig};
use ingest::yaml_text;
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
            Placement::Copied => (path_of_copy(&data)?, "data".to_owned()),
            Placement::InPlace => {
                let text =
                    data.to_str().with_context(|| format!("name {shown}: it is not UTF-8"))?;
                (text.to_owned(), text.to_owned())
            }
        };
        // Both texts before the scans are moved: a file that cannot be changed changes nothing else.
        let config = self.config_with_source(&path)?;
        let pipeline = self.pipeline_with_data(&dependency)?;
        if placement == Placement::Copied {
            self.copy_in(&data)?;
        }
        artifact::write_file(&self.path("config.yaml"), config.as_bytes())?;
        artifact::write_file(&self.path("dvc.yaml"), pipeline.as_bytes())?;
        Ok(())
    }

    /// `config.yaml` with `path` as the source of the scans.
    fn config_with_source(&self, path: &str) -> Result<String> {
        let lines = [
            "source:".to_owned(),
            "  kind: local".to_owned(),
            format!("  path: {}", yaml_text(path)),
        ];
        let file = self.path("config.yaml");
        let config = config_text::set(&artifact::read_text(&file)?, "data", "source", &lines);
        match serde_yaml::from_str::<Config>(&config).map(|config| config.data.source) {
            Ok(SourceConfig::Local { path: read, .. }) if read == Path::new(path) => Ok(config),
            _ => bail!(
                "change {}: data.source is not written as hounsfield writes it; set kind to local and path to {path}",
                file.display()
            ),
        }
    }

    /// `dvc.yaml` with `dependency` as the scans that stages depend on.
    fn pipeline_with_data(&self, dependency: &str) -> Result<String> {
        let config = Config::load(&self.path("config.yaml"))?;
        let present = match config.data.source {
            SourceConfig::Local { path, .. } if path.is_absolute() => path,
            _ => PathBuf::from("data"),
        };
        let file = self.path("dvc.yaml");
        with_data(&artifact::read_text(&file)?, &present, dependency).with_context(|| {
            format!(
                "change {}: no stage depends on {}; put {dependency} among the deps of ingest and validate",
                file.display(),
                present.display()
            )
        })
    }

    /// Copies the scans to `data/`.
    fn copy_in(&self, source: &Path) -> Result<()> {
        let target = self.path("data");
        let is_ours = self.path("data.dvc").is_file() || holds_only_readme(&target);
        if !is_ours {
            bail!(
                "replace {}: it holds files that DVC does not track; move them away first",
                target.display()
            );
        }
        let staged = artifact::StagedFolder::beside(&target)?;
        match source.file_name().filter(|_| !source.is_dir()) {
            Some(name) => copy_file(source, &staged.path().join(name))?,
            None => copy_folder(source, staged.path())?,
        }
        staged.publish()?;
        Ok(())
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

/// The path, for `config.yaml`, of scans that are copied to `data/`.
fn path_of_copy(source: &Path) -> Result<String> {
    if source.is_dir() {
        return Ok("data".to_owned());
    }
    let name = source.file_name().and_then(|name| name.to_str());
    let name = name.with_context(|| format!("name {}: it is not UTF-8", source.display()))?;
    Ok(format!("data/{name}"))
}

/// `dvc.yaml` with `dependency` in place of the scans, which are at `present`; none where no stage
/// depends on them.
fn with_data(pipeline: &str, present: &Path, dependency: &str) -> Option<String> {
    let is_scans = |line: &str| {
        let dep = line.strip_prefix("      - ");
        dep.is_some_and(|text| {
            serde_yaml::from_str::<PathBuf>(text).is_ok_and(|path| path == present)
        })
    };
    if !pipeline.lines().any(is_scans) {
        return None;
    }
    let replaced = format!("      - {}", yaml_text(dependency));
    let lines = pipeline.lines().map(|line| if is_scans(line) { &replaced } else { line });
    Some(lines.collect::<Vec<_>>().join("\n") + "\n")
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
        let (here, there) = (Path::new("data"), Path::new("/mnt/my scans/a: b"));
        let away = with_data(&pipeline, here, "/mnt/my scans/a: b").unwrap();
        assert_eq!(away.matches("      - \"/mnt/my scans/a: b\"\n").count(), 2);
        assert_eq!(with_data(&away, there, "data"), Some(pipeline));
        assert_eq!(with_data(&away, here, "/elsewhere"), None);
    }
}
