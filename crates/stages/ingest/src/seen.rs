//! Whether all grey DICOM images of a set use the same kind of window.

use std::collections::BTreeMap;

use imaging::SeenThrough;

/// How many images use each kind of window, and the first of each.
#[derive(Debug, Default)]
pub(crate) struct WindowCounts(BTreeMap<SeenThrough, (usize, String)>);

impl WindowCounts {
    /// Counts an image; one that is not grey DICOM uses none.
    pub(crate) fn count(&mut self, through: Option<SeenThrough>, path: &str) {
        let Some(through) = through else { return };
        self.0.entry(through).or_insert_with(|| (0, path.to_owned())).0 += 1;
    }

    /// The warning if they differ: the same tissue has different greys in each kind, and a model
    /// can distinguish the kinds by that.
    pub(crate) fn warning(&self) -> Option<String> {
        if self.0.len() < 2 {
            return None;
        }
        let of = |(through, (count, first)): (&SeenThrough, &(usize, String))| {
            format!("{count} through {through} (first: {first})")
        };
        let listed: Vec<String> = self.0.iter().map(of).collect();
        Some(format!(
            "DICOM images of this set are not all seen through the same window: {}; a model can \
             distinguish them by that, so keep one kind, or check that each class has all kinds",
            listed.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_mixes_windows_is_told_of_with_counts_and_first_files() {
        let mut kinds = WindowCounts::default();
        kinds.count(None, "a/photo.png");
        kinds.count(Some(SeenThrough::Lung), "a/1.dcm");
        kinds.count(Some(SeenThrough::Lung), "a/2.dcm");
        assert_eq!(kinds.warning(), None);
        kinds.count(Some(SeenThrough::WholeRange), "b/3.dcm");
        let warning = kinds.warning().unwrap();
        assert!(warning.contains("2 through the lung window"), "{warning}");
        assert!(warning.contains("1 through a window from their lowest"), "{warning}");
        assert!(warning.contains("a/1.dcm") && warning.contains("b/3.dcm"), "{warning}");
    }
}
