//! The patient of a picture.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use imaging::dicom::{Identity, identity, object_without_image};

use crate::file::File;

#[test]
fn patient_and_series_are_read_without_a_pixel() {
    let file = File::ct(2, 2, &[0; 4]);
    let expected = Identity {
        patient_id: Some("patient 17".to_owned()),
        study_instance_uid: Some("1.2.3.5".to_owned()),
        series_instance_uid: Some("1.2.3.6".to_owned()),
        modality: Some("CT".to_owned()),
    };
    let bytes = file.bytes();
    assert!(identity(&bytes).unwrap() == expected);
    assert!(identity(&bytes[..bytes.len() - 20]).unwrap() == expected);
    assert!(identity(&file.deflated_bytes()).unwrap() == expected);
}

#[test]
fn a_deflated_file_is_not_inflated_to_its_end() {
    let file = File::ct(1, 1, &[0]).with_words(&vec![0; 20_000_000]);
    assert_eq!(identity(&file.deflated_bytes()).unwrap().modality.as_deref(), Some("CT"));
}

#[test]
fn an_empty_or_missing_patient_is_none() {
    for file in [
        File::ct(1, 1, &[0]).with_text(tags::PATIENT_ID, VR::LO, "  "),
        File::ct(1, 1, &[0]).with_text(tags::PATIENT_ID, VR::LO, ""),
        File::ct(1, 1, &[0]).without(tags::PATIENT_ID),
    ] {
        assert_eq!(identity(&file.bytes()).unwrap().patient_id, None);
    }
}

#[test]
fn a_patient_of_another_object_inside_is_not_the_pictures() {
    let other = File::grey(1, 1, &[]).with_text(tags::PATIENT_ID, VR::LO, "somebody else");
    let file = File::ct(1, 1, &[0])
        .without(tags::PATIENT_ID)
        .with_sequence(tags::REFERENCED_STUDY_SEQUENCE, other.into_object());
    assert_eq!(identity(&file.bytes()).unwrap().patient_id, None);
}

#[test]
fn debug_output_has_no_patient_in_it() {
    let identity = identity(&File::ct(1, 1, &[0]).bytes()).unwrap();
    let text = format!("{identity:?}");
    assert!(!text.contains("17") && text.contains("CT"), "{text}");
}

#[test]
fn what_is_no_dicom_file_has_no_identity() {
    let message = identity(b"nothing of the kind").unwrap_err().to_string();
    assert!(message.starts_with("not an image"), "{message}");
}

#[test]
fn a_directory_or_report_is_known_by_its_first_kilobyte() {
    let of = |class| File::ct(1, 1, &[0]).with_text(tags::SOP_CLASS_UID, VR::UI, class).bytes();
    for (class, words) in [
        (uids::MEDIA_STORAGE_DIRECTORY_STORAGE, "a directory of DICOM files"),
        (uids::BASIC_TEXT_SR_STORAGE, "a structured report"),
        (uids::SEGMENTATION_STORAGE, "a registration or segmentation"),
        (uids::RT_PLAN_STORAGE, "a radiotherapy plan"),
    ] {
        assert_eq!(object_without_image(&of(class)[..340]), Some(words));
    }
    for class in [uids::CT_IMAGE_STORAGE, uids::RT_DOSE_STORAGE, uids::RT_IMAGE_STORAGE] {
        assert_eq!(object_without_image(&of(class)), None);
    }
    assert_eq!(object_without_image(b"no DICOM file"), None);
}
