use std::fmt;

use dicom_dictionary_std::tags;

use super::attributes::Attributes;
use super::place::Extent;
use crate::contain::contained;
use crate::{DecodeError, PictureFormat};

/// How far a deflated file is inflated. The identity is in its first kilobytes.
const MOST_BYTES: usize = 16 << 20;

/// The patient of a DICOM image, and its examination.
///
/// Debug output leaves out the patient, so that logs never contain one.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// PatientID (0010,0020).
    pub patient_id: Option<String>,
    /// StudyInstanceUID (0020,000D).
    pub study_instance_uid: Option<String>,
    /// SeriesInstanceUID (0020,000E).
    pub series_instance_uid: Option<String>,
    /// Modality (0008,0060): `CT`, `MR`, …
    pub modality: Option<String>,
}

/// Reads the patient of a DICOM image. No pixel is read; an empty value is `None`.
///
/// # Errors
/// When the bytes are not a DICOM file, end too early, or are damaged.
pub fn identity(bytes: &[u8]) -> Result<Identity, DecodeError> {
    if !super::is_dicom(bytes) {
        return Err(DecodeError::not_an_image(bytes));
    }
    contained(PictureFormat::Dicom, || read(bytes))
}

fn read(bytes: &[u8]) -> Result<Identity, DecodeError> {
    let wanted =
        [tags::MODALITY, tags::PATIENT_ID, tags::STUDY_INSTANCE_UID, tags::SERIES_INSTANCE_UID];
    let extent = Extent::Until(tags::SERIES_INSTANCE_UID);
    let attributes = Attributes::read(bytes, &wanted, extent, MOST_BYTES)?;
    let [modality, patient_id, study_instance_uid, series_instance_uid] =
        wanted.map(|tag| attributes.text(tag));
    Ok(Identity { patient_id, study_instance_uid, series_instance_uid, modality })
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("modality", &self.modality).finish_non_exhaustive()
    }
}
