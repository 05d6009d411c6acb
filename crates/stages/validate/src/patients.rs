//! The patient of each image, if it is recorded anywhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use artifact::Digest;
use artifact::IoError;
use config::Patients;
use dataset::{ImageFileError, ImageRecord, Manifest};
use imaging::{DecodeError, PictureFormat};
use rayon::prelude::*;
use regex::Regex;
use serde::Deserialize;

/// A table of patients that cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PatientsError {
    #[error(transparent)]
    File(#[from] IoError),
    #[error("read {}: {source}", path.display())]
    Row {
        path: PathBuf,
        #[source]
        source: csv::Error,
    },
    #[error(
        "read {}: its columns are separated by {separator}; separate them by commas",
        path.display()
    )]
    Separator { path: PathBuf, separator: &'static str },
    #[error(
        "tell the patient of {image}: {} gives it {first:?} and {second:?}; write more of the path",
        path.display()
    )]
    Ambiguous { path: PathBuf, image: String, first: String, second: String },
    #[error(
        "find a patient in {}: none of its {rows} paths is the end of an image's path; the first \
         image is {image}",
        path.display()
    )]
    NoneFit { path: PathBuf, rows: usize, image: String },
    #[error(transparent)]
    Image(#[from] ImageFileError),
    #[error("tell the patient of {}: {source}", path.display())]
    Dicom {
        path: PathBuf,
        #[source]
        source: DecodeError,
    },
}

/// The start of UTF-8 text that some programs write.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A row of the table; further columns are ignored.
#[derive(Debug, Deserialize)]
struct Row {
    path: String,
    patient_id: String,
}

/// The patient of each image, in order; none if it is not recorded.
pub(crate) fn patients_of(
    manifest: &Manifest,
    source: &Patients,
) -> Result<Vec<Option<String>>, PatientsError> {
    let images = manifest.records();
    match source {
        Patients::Unknown => Ok(vec![None; images.len()]),
        Patients::Path { pattern } => {
            let regex = Regex::new(pattern).expect("the pattern was checked with the file");
            Ok(images.iter().map(|image| captured(&regex, &image.path)).collect())
        }
        Patients::Csv { path } => from_table(images, path),
        Patients::Dicom => {
            let found: Vec<_> = images.par_iter().map(|image| from_file(manifest, image)).collect();
            // Collected first, so that of several errors the first in order is reported.
            found.into_iter().collect()
        }
    }
}

/// A pseudonym for the patient that a DICOM file names. Other pictures have none.
fn from_file(manifest: &Manifest, image: &ImageRecord) -> Result<Option<String>, PatientsError> {
    let path = manifest.file_of(image);
    let bytes = dataset::read_image(&path, image.sha256)?;
    if imaging::looks_like_image(&bytes) != Some(PictureFormat::Dicom) {
        return Ok(None);
    }
    let identity =
        imaging::dicom::identity(&bytes).map_err(|source| PatientsError::Dicom { path, source })?;
    Ok(identity.patient_id.as_deref().map(pseudonym))
}

/// The first 64 bits of the SHA-256 of a PatientID, in hexadecimal: equal for equal patients in
/// every data set, and without a name or number in a manifest, a report or a log.
fn pseudonym(patient_id: &str) -> String {
    const DIGITS: usize = 16;
    let mut digest = Digest::of(patient_id.as_bytes()).to_string();
    digest.truncate(DIGITS);
    digest
}

fn captured(regex: &Regex, path: &str) -> Option<String> {
    let patient = regex.captures(path)?.get(1)?.as_str();
    (!patient.is_empty()).then(|| patient.to_owned())
}

fn from_table(images: &[ImageRecord], path: &Path) -> Result<Vec<Option<String>>, PatientsError> {
    let bytes = artifact::read_bytes(path)?;
    // As Excel writes it: the csv crate would read the mark as a part of the first column's name.
    let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
    refuse_other_separators(text, path)?;
    let rows = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(text)
        .deserialize()
        .collect::<Result<Vec<Row>, _>>()
        .map_err(|source| PatientsError::Row { path: path.to_owned(), source })?;
    let mut patient_of: BTreeMap<&str, &str> = BTreeMap::new();
    for row in &rows {
        let known = patient_of.insert(row.path.trim_matches('/'), &row.patient_id);
        if let Some(first) = known.filter(|first| *first != row.patient_id) {
            return Err(PatientsError::Ambiguous {
                path: path.to_owned(),
                image: row.path.clone(),
                first: first.to_owned(),
                second: row.patient_id.clone(),
            });
        }
    }
    let found = images
        .iter()
        .map(|image| look_up(&patient_of, &image.path, path))
        .collect::<Result<Vec<_>, _>>()?;
    if let (Some(first), true) = (images.first(), found.iter().all(Option::is_none)) {
        let image = first.path.clone();
        return Err(PatientsError::NoneFit { path: path.to_owned(), rows: rows.len(), image });
    }
    Ok(found)
}

/// A table whose first line has another separator than commas is reported as such, not as a table
/// without the column.
fn refuse_other_separators(text: &[u8], path: &Path) -> Result<(), PatientsError> {
    let header = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let header = String::from_utf8_lossy(header);
    let is_column = |name: &str| matches!(name.trim().trim_matches('"'), "path" | "patient_id");
    let named = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")];
    match named.iter().find(|(it, _)| header.split(*it).filter(|name| is_column(name)).count() == 2)
    {
        None => Ok(()),
        Some((_, separator)) => Err(PatientsError::Separator { path: path.to_owned(), separator }),
    }
}

/// The patient of the longest row that is the end of the image's path. If several rows have one
/// file name, the first would be a matter of chance, so every end is checked.
fn look_up(
    patient_of: &BTreeMap<&str, &str>,
    image: &str,
    table: &Path,
) -> Result<Option<String>, PatientsError> {
    let ends =
        std::iter::once(image).chain(image.match_indices('/').map(|(at, _)| &image[at + 1..]));
    let mut found = ends.filter_map(|end| patient_of.get(end));
    let Some(longest) = found.next() else { return Ok(None) };
    if let Some(other) = found.find(|other| *other != longest) {
        return Err(PatientsError::Ambiguous {
            path: table.to_owned(),
            image: image.to_owned(),
            first: (*longest).to_owned(),
            second: (*other).to_owned(),
        });
    }
    Ok(Some((*longest).to_owned()).filter(|patient| !patient.is_empty()))
}

#[cfg(test)]
mod tests {
    use dataset::Split;

    use super::*;

    fn images(paths: &[&str]) -> Manifest {
        let image = |path: &&str| ImageRecord {
            path: (*path).to_owned(),
            split: Split::Train,
            class: "normal".into(),
            sha256: Digest::of(path.as_bytes()),
            width: 1,
            height: 1,
        };
        Manifest::new(Path::new("."), paths.iter().map(image).collect())
    }

    fn from_csv(text: &str, paths: &[&str]) -> Result<Vec<Option<String>>, PatientsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("patients.csv");
        artifact::write_file(&path, text.as_bytes()).unwrap();
        patients_of(&images(paths), &Patients::Csv { path })
    }

    #[test]
    fn a_pattern_captures_the_patient_and_leaves_out_what_it_does_not_match() {
        let source = Patients::Path { pattern: r"/p(\d+)_".into() };
        let found = patients_of(&images(&["train/a/p17_2.png", "train/a/x.png"]), &source);
        assert_eq!(found.unwrap(), [Some("17".to_owned()), None]);
    }

    #[test]
    fn a_table_may_name_files_by_the_end_of_their_path() {
        let text = "path,patient_id,age\n1.png,P1,60\nb/2.png,P2,61\n";
        let found = from_csv(text, &["train/a/1.png", "train/b/2.png", "train/c/2.png"]).unwrap();
        assert_eq!(found, [Some("P1".to_owned()), Some("P2".to_owned()), None]);
    }

    #[test]
    fn two_patients_for_one_image_are_refused_by_name() {
        for text in
            ["path,patient_id\n1.png,P1\n1.png,P2\n", "path,patient_id\n1.png,P1\na/1.png,P2\n"]
        {
            let message = from_csv(text, &["train/a/1.png"]).unwrap_err().to_string();
            assert!(message.contains("1.png") && message.contains("\"P1\""), "{message}");
        }
    }

    #[test]
    fn a_table_of_other_images_is_refused() {
        let message = from_csv("path,patient_id\nx.png,P1\n", &["train/a/1.png"]).unwrap_err();
        assert!(message.to_string().contains("train/a/1.png"), "{message}");
    }

    #[test]
    fn a_digest_stands_for_the_patient_of_a_dicom_file() {
        // printf 'patient 17' | sha256sum
        assert_eq!(pseudonym("patient 17"), "b377c98d646bf9d4");
    }

    #[test]
    fn a_table_as_excel_writes_it_is_read() {
        let found = from_csv("\u{feff}path,patient_id\r\n1.png, P1\r\n", &["train/a/1.png"]);
        assert_eq!(found.unwrap(), [Some("P1".to_owned())]);
    }

    #[test]
    fn another_separator_is_named() {
        for (text, name) in [
            ("path;patient_id\n1.png;P1\n", "semicolons"),
            ("path\tpatient_id\n1.png\tP1\n", "tabs"),
        ] {
            let message = from_csv(text, &["a/1.png"]).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains("patients.csv"), "{message}");
        }
    }

    #[test]
    fn a_missing_column_names_the_file() {
        let message = from_csv("path,who\nx.png,P1\n", &["a/1.png"]).unwrap_err().to_string();
        assert!(message.contains("patients.csv") && message.contains("patient_id"), "{message}");
    }
}
