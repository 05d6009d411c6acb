use std::fmt;

use dicom_dictionary_std::tags;

use super::attributes::Attributes;
use super::place::Extent;
use crate::contain::contained;
use crate::{DecodeError, PictureFormat};

/// How far a deflated file is inflated. What is asked for stands in its first kilobytes.
const MOST_BYTES: usize = 16 << 20;

/// Whose image a DICOM file holds, and which examination it is of.
///
/// Debug output has no patient in it, so that logs cannot have one.
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

/// Reads whose image a DICOM file holds. No pixel is looked at; what is empty is `None`.
///
/// # Errors
/// When the bytes are no DICOM file, end too early, or are damaged.
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
