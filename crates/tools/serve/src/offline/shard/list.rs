//! The list of files that the shards divide among them. Every process makes it for itself, and the
//! digest shows whether they all made the same.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use artifact::{Digest, WithPath};
use program::Shard;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::offline::outcome::Unusable;
use crate::offline::source::Source;

/// Every file, in the order of the rows of one process.
#[derive(Debug)]
pub(crate) struct List {
    files: Vec<Listed>,
}

/// A file of the list, and what it held when the list was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    path: PathBuf,
    content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    Read(Digest),
    /// The file has a row all the same, with the reason.
    Unreadable,
}

/// What tells one list from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ListDigest {
    pub(crate) files: usize,
    /// Of each path and content, in their order: the order of the rows.
    pub(crate) digest: Digest,
}

/// The files of a shard.
#[derive(Debug)]
pub(crate) struct Share {
    pub(crate) files: Vec<Listed>,
    /// Where each stands in the list, from 0.
    pub(crate) positions: Vec<usize>,
}

impl List {
    /// Reads every file once, for its digest.
    pub(crate) fn of(files: &[PathBuf]) -> Self {
        let bar = terminal::items_bar(files.len() as u64, "digests");
        let listed = files.par_iter().map(|path| {
            let content = Digest::of_file(path).map_or(Content::Unreadable, Content::Read);
            bar.inc(1);
            Listed { path: path.clone(), content }
        });
        let list = Self { files: listed.collect() };
        bar.finish_and_clear();
        list
    }

    pub(crate) fn digest(&self) -> ListDigest {
        let fields = self.files.iter().flat_map(|file| {
            let content = match &file.content {
                Content::Read(digest) => &digest.as_bytes()[..],
                Content::Unreadable => &[],
            };
            [file.path.as_os_str().as_encoded_bytes(), content]
        });
        ListDigest { files: self.files.len(), digest: Digest::of_fields(fields) }
    }

    /// What belongs to a shard.
    pub(crate) fn share(&self, shard: Shard) -> Share {
        let mine = self.files.iter().enumerate().filter(|(_, file)| shard.holds(&file.key()));
        let (positions, files) = mine.map(|(position, file)| (position, file.clone())).unzip();
        Share { files, positions }
    }
}

impl Listed {
    /// What decides the shard: the content, so that names and folders do not matter, or the path of
    /// a file whose content nobody knows.
    fn key(&self) -> Digest {
        match self.content {
            Content::Read(digest) => digest,
            Content::Unreadable => Digest::of(self.path.as_os_str().as_encoded_bytes()),
        }
    }
}

impl Source for Listed {
    fn path(&self) -> &Path {
        &self.path
    }

    fn read(&self) -> Result<Result<Vec<u8>, Unusable>> {
        let read = std::fs::read(&self.path).with_path("read", &self.path);
        let found =
            read.as_ref().map_or(Content::Unreadable, |bytes| Content::Read(Digest::of(bytes)));
        if found != self.content {
            bail!(
                "predict {}: it changed after the list of files was made; when nobody writes to the \
                 scans any more, run every shard again",
                self.path.display()
            );
        }
        Ok(read.map_err(Unusable::unreadable))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::num::NonZeroU32;

    use super::*;

    fn listed(files: &[(&str, &[u8])]) -> (tempfile::TempDir, List) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            artifact::write_file(&folder.path().join(name), content).unwrap();
        }
        let paths: Vec<PathBuf> = files.iter().map(|(name, _)| folder.path().join(name)).collect();
        let list = List::of(&paths);
        (folder, list)
    }

    fn shares(list: &List, count: u32) -> Vec<Share> {
        let count = NonZeroU32::new(count).unwrap();
        (0..count.get()).map(|index| list.share(Shard::new(index, count).unwrap())).collect()
    }

    #[test]
    fn the_shares_hold_every_file_once_and_copies_together() {
        let files = [("a", b"1"), ("b", b"2"), ("c", b"1"), ("d", b"3"), ("e", b"4")];
        let (_folder, list) = listed(&files.map(|(name, content)| (name, &content[..])));
        for count in [1, 2, 3, 9] {
            let shares = shares(&list, count);
            let mut positions: Vec<usize> =
                shares.iter().flat_map(|share| share.positions.clone()).collect();
            positions.sort_unstable();
            assert_eq!(positions, [0, 1, 2, 3, 4]);
            let with_a = shares.iter().find(|share| share.positions.contains(&0)).unwrap();
            assert!(with_a.positions.contains(&2), "copies are in one shard");
        }
    }

    #[test]
    fn names_do_not_decide_the_shard() {
        let (_one, first) = listed(&[("a", b"1"), ("b", b"2")]);
        let (_two, second) = listed(&[("z/b", b"2"), ("y", b"1")]);
        let of_content = |list: &List, position| {
            let found = |share: &Share| share.positions.contains(&position);
            shares(list, 5).iter().position(found).unwrap()
        };
        assert_eq!(of_content(&first, 0), of_content(&second, 1));
        assert_eq!(of_content(&first, 1), of_content(&second, 0));
    }

    #[test]
    fn another_content_path_or_order_is_another_list() {
        let (folder, list) = listed(&[("a", b"1"), ("b", b"2")]);
        let (a, b) = (folder.path().join("a"), folder.path().join("b"));
        assert_eq!(List::of(&[a.clone(), b.clone()]).digest(), list.digest());
        assert_ne!(List::of(&[b.clone(), a.clone()]).digest(), list.digest());
        fs::rename(&b, folder.path().join("c")).unwrap();
        assert_ne!(List::of(&[a.clone(), folder.path().join("c")]).digest(), list.digest());
        assert_ne!(List::of(&[a.clone(), b.clone()]).digest(), list.digest(), "b went away");
        fs::write(&b, "3").unwrap();
        assert_ne!(List::of(&[a, b]).digest(), list.digest());
    }

    #[test]
    fn a_file_that_changes_after_it_was_listed_is_named() {
        let (folder, list) = listed(&[("a", b"1"), ("b", b"2")]);
        fs::write(folder.path().join("a"), "other").unwrap();
        fs::remove_file(folder.path().join("b")).unwrap();
        for file in &list.files {
            let error = file.read().unwrap_err().to_string();
            assert!(error.contains("changed") && error.contains(file.path.to_str().unwrap()));
        }
        let again = List::of(&[folder.path().join("b")]);
        assert!(again.files[0].read().unwrap().is_err(), "a row with the reason");
    }
}
