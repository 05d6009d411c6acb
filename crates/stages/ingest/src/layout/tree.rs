use std::collections::BTreeMap;

use crate::inventory::{Content, SourceFile};

/// A folder of the source with everything below it.
#[derive(Debug, Default)]
pub(super) struct Folder {
    pub(super) folders: BTreeMap<String, Folder>,
    pub(super) files: Vec<SourceFile>,
    /// Number of images here and below, hidden ones included.
    pub(super) images: usize,
}

impl Folder {
    pub(super) fn of(files: &[SourceFile]) -> Self {
        let mut root = Self::default();
        for file in files {
            root.insert(file, &file.path);
        }
        root
    }

    fn insert(&mut self, file: &SourceFile, rest: &str) {
        self.images += usize::from(file.content == Content::Image);
        match rest.split_once('/') {
            Some((name, rest)) => {
                self.folders.entry(name.to_owned()).or_default().insert(file, rest);
            }
            None => self.files.push(file.clone()),
        }
    }

    /// Number of files of any kind, here and below.
    pub(super) fn all_files(&self) -> usize {
        self.files.len() + self.folders.values().map(Self::all_files).sum::<usize>()
    }
}

impl SourceFile {
    pub(super) fn name(&self) -> &str {
        self.path.rsplit_once('/').map_or(&self.path, |(_, name)| name)
    }
}
