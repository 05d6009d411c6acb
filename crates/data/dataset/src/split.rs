use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The use of an image: for training, for choosing the checkpoint, or for scoring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Used for training.
    Train,
    /// Chooses the checkpoint.
    Valid,
    /// Scored once, at the end.
    Test,
}

/// Text that names no split.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a split (train, valid or test)")]
pub struct UnknownSplit(String);

impl Split {
    /// All three, in the order of the pipeline.
    pub const ALL: [Self; 3] = [Self::Train, Self::Valid, Self::Test];

    /// The folder name: `train`, `valid` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Valid => "valid",
            Self::Test => "test",
        }
    }

    /// The split that a source folder of this name holds, found by its words in any letter case:
    /// `train`, `01_train`, `Training`, `train_images`, `val-set`, `TestData`.
    ///
    /// A word is a run of letters; a digit, a sign or a capital after a small letter ends it. Words
    /// beside the one that names the split must be such as `images`, `set` or `data`: `test_lesion`
    /// is not a split. A name with two splits, such as `train_test`, is neither.
    pub fn from_folder_name(name: &str) -> Option<Self> {
        let mut found = None;
        for word in words(name) {
            match Self::from_word(&word) {
                Some(split) if found.is_none_or(|known| known == split) => found = Some(split),
                Some(_) => return None,
                None if BESIDE_SPLITS.contains(&word.as_str()) => {}
                None => return None,
            }
        }
        found
    }

    /// Whether a folder's name mentions a split, together with any other words.
    pub fn is_spoken_of_in(name: &str) -> bool {
        words(name).iter().any(|word| Self::from_word(word).is_some())
    }

    fn from_word(word: &str) -> Option<Self> {
        match word {
            "train" | "training" | "trn" => Some(Self::Train),
            "valid" | "val" | "validation" | "validate" | "dev" => Some(Self::Valid),
            "test" | "testing" | "tst" => Some(Self::Test),
            _ => None,
        }
    }
}

/// Words beside the name of a split that have no meaning of their own.
const BESIDE_SPLITS: [&str; 24] = [
    "all",
    "ct",
    "data",
    "dataset",
    "dicom",
    "directory",
    "dir",
    "final",
    "fold",
    "folder",
    "image",
    "images",
    "img",
    "imgs",
    "jpg",
    "new",
    "of",
    "part",
    "png",
    "sample",
    "samples",
    "scans",
    "set",
    "split",
];

/// The runs of letters in a name, in small letters.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before_is_small = false;
    for letter in name.chars() {
        let starts_anew = !letter.is_alphabetic() || (letter.is_uppercase() && before_is_small);
        if starts_anew && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (letter.is_alphabetic(), words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
        before_is_small = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = UnknownSplit;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|split| split.name() == text)
            .ok_or_else(|| UnknownSplit(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_told_by_the_words_of_a_folder_in_any_case() {
        let of = Split::from_folder_name;
        for name in
            ["train", "Training", "01_train", "train_images", "TrainingSet", "TRAIN", "train (1)"]
        {
            assert_eq!(of(name), Some(Split::Train), "{name}");
        }
        for name in ["VAL", "val_images", "02-validation", "dev set", "ValidData"] {
            assert_eq!(of(name), Some(Split::Valid), "{name}");
        }
        for name in ["Testing", "03_test", "test-images", "testset of scans 2"] {
            let expected = (!name.starts_with("testset")).then_some(Split::Test);
            assert_eq!(of(name), expected, "{name}");
        }
    }

    #[test]
    fn a_folder_that_says_more_than_a_split_or_of_two_is_none() {
        let of = Split::from_folder_name;
        for name in ["normal", "train_test", "test_lesion", "trained", "contest", "", "007"] {
            assert_eq!(of(name), None, "{name}");
        }
        assert!(Split::is_spoken_of_in("train_test") && Split::is_spoken_of_in("my_test_lesions"));
        assert!(!Split::is_spoken_of_in("contest"));
    }
}
