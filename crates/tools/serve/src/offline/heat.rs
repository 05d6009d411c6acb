//! Where the model looked, as a picture for each file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use classifier::model::{Model, ModelOutput};

use crate::predict::heat_png;
use crate::scan::Scan;

/// The folder that the pictures go to, and what each is called there.
pub(crate) struct HeatFolder {
    folder: PathBuf,
    /// How many of the files have a name.
    names: BTreeMap<std::ffi::OsString, usize>,
}

impl HeatFolder {
    pub(crate) fn new(folder: &Path, files: &[PathBuf]) -> Self {
        let mut names = BTreeMap::new();
        for name in files.iter().filter_map(|file| file.file_name()) {
            *names.entry(name.to_owned()).or_default() += 1;
        }
        Self { folder: folder.to_path_buf(), names }
    }

    /// Writes the map of the most probable class; nothing where the map is empty.
    ///
    /// # Errors
    /// When the map cannot be computed, or the file not be written.
    pub(crate) fn write(
        &self,
        file: &Path,
        scan: &Scan,
        output: &ModelOutput,
        model: &Model,
    ) -> Result<()> {
        let shown = file.display();
        let logits: Vec<f64> = output.logits.iter().copied().map(f64::from).collect();
        let class = metrics::most_probable(&logits)
            .with_context(|| format!("explain {shown}: the output is not a number"))?;
        let map =
            model.grad_cam(&scan.planes, class).with_context(|| format!("explain {shown}"))?;
        if let Some(bytes) = heat_png(&map, scan.image.width, scan.image.height) {
            artifact::write_file(&self.path_of(file), &bytes)?;
        }
        Ok(())
    }

    fn path_of(&self, file: &Path) -> PathBuf {
        let name = file.file_name().unwrap_or(OsStr::new("image"));
        let mut path = self.folder.clone();
        if self.names.get(name).is_some_and(|files| *files > 1) {
            let folders = file.parent().into_iter().flat_map(Path::components);
            path.extend(folders.filter(|part| matches!(part, Component::Normal(_))));
        }
        let mut name = name.to_owned();
        name.push(".heat.png");
        path.join(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_one_name_keep_their_folders() {
        let files = ["/a/1.png", "../b/1.png", "c/2.dcm"].map(PathBuf::from);
        let heat = HeatFolder::new(Path::new("heat"), &files);
        let paths = files.map(|file| heat.path_of(&file).display().to_string());
        assert_eq!(
            paths,
            ["heat/a/1.png.heat.png", "heat/b/1.png.heat.png", "heat/2.dcm.heat.png"]
        );
    }
}
