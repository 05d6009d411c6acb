//! Errors about a DICOM file.

use crate::{DecodeError, PictureFormat};

pub(super) fn truncated() -> DecodeError {
    DecodeError::Truncated(PictureFormat::Dicom)
}

pub(super) fn damaged(reason: impl Into<String>) -> DecodeError {
    DecodeError::Damaged { format: PictureFormat::Dicom, reason: reason.into() }
}

pub(super) fn unclear(reason: impl Into<String>) -> DecodeError {
    DecodeError::Unclear { format: PictureFormat::Dicom, reason: reason.into() }
}

pub(super) fn too_costly(reason: impl Into<String>) -> DecodeError {
    DecodeError::TooCostly { format: PictureFormat::Dicom, reason: reason.into() }
}

pub(super) fn unsupported(reason: impl Into<String>) -> DecodeError {
    DecodeError::Unsupported { format: PictureFormat::Dicom, reason: reason.into() }
}
