//! Tables for spreadsheets and `dvc plots`.

use std::path::Path;

use dataset::{ClassIndices, ImageRecord, Split};
use imaging::GREY_BINS;
use serde::Serialize;

use crate::findings::Findings;
use crate::ties::{Evidence, Ties};

pub(crate) const COPIES_FILE: &str = "copies.csv";
pub(crate) const CLASS_COUNTS_FILE: &str = "class_counts.csv";
pub(crate) const HISTOGRAMS_FILE: &str = "histograms.csv";

/// A pair of copies, or of neighbouring slices.
#[derive(Debug, Serialize)]
struct CopyRow<'a> {
    relation: &'a str,
    evidence: &'static str,
    distance: f64,
    split_a: Split,
    split_b: Split,
    class_a: &'a str,
    class_b: &'a str,
    path_a: &'a str,
    path_b: &'a str,
}

/// Writes every pair of copies and of neighbouring slices.
pub(crate) fn write_copies(
    path: &Path,
    images: &[ImageRecord],
    splits: &[Split],
    ties: &Ties,
) -> artifact::Result<()> {
    let row = |a: usize, b: usize, relation, evidence, distance| CopyRow {
        relation,
        evidence,
        distance,
        split_a: splits[a],
        split_b: splits[b],
        class_a: &images[a].class,
        class_b: &images[b].class,
        path_a: &images[a].path,
        path_b: &images[b].path,
    };
    let copies = ties.copies.iter().map(|tie| {
        let evidence = match tie.evidence {
            Evidence::File => "file",
            Evidence::Pixels => "pixels",
            Evidence::Near => "near",
        };
        row(tie.a, tie.b, tie.relation.as_str(), evidence, tie.distance)
    });
    let scans = ties.scans.iter().map(|tie| row(tie.a, tie.b, "same scan?", "scan", tie.distance));
    let header = "relation,evidence,distance,split_a,split_b,class_a,class_b,path_a,path_b";
    write_rows(path, header, copies.chain(scans))
}

#[derive(Debug, Serialize)]
struct CountRow<'a> {
    split: Split,
    class: &'a str,
    images: u64,
}

/// Writes how many images each class has in each split.
pub(crate) fn write_class_counts(
    path: &Path,
    classes: &ClassIndices,
    findings: &Findings,
) -> artifact::Result<()> {
    let rows = findings.balance.splits.iter().flat_map(|split| {
        let counts = classes.names().iter().zip(&split.images_by_class);
        counts.map(|(class, images)| CountRow { split: split.split, class, images: *images })
    });
    write_rows(path, "split,class,images", rows)
}

#[derive(Debug, Serialize)]
struct HistogramRow<'a> {
    split: Split,
    class: &'a str,
    /// The darkest grey of the bin, 0 to 248.
    grey: usize,
    share: f64,
}

/// Writes the mean histogram of each class in each split.
pub(crate) fn write_histograms(
    path: &Path,
    classes: &ClassIndices,
    findings: &Findings,
) -> artifact::Result<()> {
    let rows = findings.intensity.iter().flat_map(|it| {
        let class = classes.name(it.class).unwrap_or_default();
        it.mean_histogram.iter().enumerate().map(move |(bin, share)| HistogramRow {
            split: it.split,
            class,
            grey: bin * 256 / GREY_BINS,
            share: *share,
        })
    });
    write_rows(path, "split,class,grey,share", rows)
}

/// With a header even if there are no rows.
fn write_rows(
    path: &Path,
    header: &str,
    rows: impl Iterator<Item = impl Serialize>,
) -> artifact::Result<()> {
    artifact::write_with(path, |file| {
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(file);
        writer.write_record(header.split(',')).map_err(std::io::Error::other)?;
        for row in rows {
            writer.serialize(row).map_err(std::io::Error::other)?;
        }
        writer.flush()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaks::tests::{image, tie};
    use crate::ties::ScanTie;

    #[test]
    fn copies_and_slices_are_one_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(COPIES_FILE);
        let images =
            [image(0, "a", Split::Train), image(1, "b", Split::Test), image(2, "b", Split::Train)];
        let splits = [Split::Train, Split::Test, Split::Train];
        let scans = vec![ScanTie { a: 1, b: 2, distance: 0.25 }];
        let ties = Ties { copies: vec![tie(0, 1, Evidence::File)], scans };
        write_copies(&path, &images, &splits, &ties).unwrap();
        assert_eq!(
            artifact::read_text(&path).unwrap(),
            "relation,evidence,distance,split_a,split_b,class_a,class_b,path_a,path_b\n\
             ,file,0.0,train,test,a,b,train/a/0.png,test/b/1.png\n\
             same scan?,scan,0.25,test,train,b,b,test/b/1.png,train/b/2.png\n"
        );
    }

    #[test]
    fn without_copies_there_is_still_a_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(COPIES_FILE);
        write_copies(&path, &[], &[], &Ties::default()).unwrap();
        assert!(artifact::read_text(&path).unwrap().starts_with("relation,evidence"));
    }
}
