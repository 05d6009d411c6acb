//! A disc of DICOM files.

use std::fs;

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use image::{GrayImage, Luma};
use serde_json::json;

use crate::project::{Project, TWO_CLASSES};

/// A CT slice of a patient: black is −1350 and white 150 Hounsfield units, the ends of the lung
/// window.
fn slice(patient: &str, picture: &GrayImage) -> Vec<u8> {
    let text = |tag, vr, text: &str| DataElement::new(tag, vr, text);
    let word = |tag, word: u16| DataElement::new(tag, VR::US, PrimitiveValue::from(word));
    let [rows, columns] = [picture.height(), picture.width()].map(|side| side as u16);
    let stored = picture.pixels().map(|pixel| u16::from(pixel.0[0]) * 100 / 17);
    let slice = InMemDicomObject::from_element_iter([
        text(tags::SOP_CLASS_UID, VR::UI, uids::CT_IMAGE_STORAGE),
        text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.4"),
        text(tags::MODALITY, VR::CS, "CT"),
        text(tags::PATIENT_ID, VR::LO, patient),
        word(tags::SAMPLES_PER_PIXEL, 1),
        text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2"),
        word(tags::ROWS, rows),
        word(tags::COLUMNS, columns),
        word(tags::BITS_ALLOCATED, 16),
        word(tags::BITS_STORED, 16),
        word(tags::HIGH_BIT, 15),
        word(tags::PIXEL_REPRESENTATION, 0),
        text(tags::RESCALE_INTERCEPT, VR::DS, "-1350"),
        text(tags::RESCALE_SLOPE, VR::DS, "1"),
        DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(stored.collect())),
    ]);
    written(slice)
}

/// The table of contents of a disc.
fn directory() -> Vec<u8> {
    written(InMemDicomObject::from_element_iter([
        DataElement::new(tags::SOP_CLASS_UID, VR::UI, uids::MEDIA_STORAGE_DIRECTORY_STORAGE),
        DataElement::new(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.5"),
    ]))
}

fn written(object: InMemDicomObject) -> Vec<u8> {
    let meta = FileMetaTableBuilder::new().transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN);
    let mut bytes = Vec::new();
    object.with_meta(meta).unwrap().write_all(&mut bytes).unwrap();
    bytes
}

/// A disc of two patients, one per class: with extensions, without, and with files to ignore.
fn disc() -> Project {
    let project = Project::new(TWO_CLASSES);
    for number in 0..6 {
        let [patient, class] = [["P1", "benign"], ["P2", "malignant"]][number % 2];
        let ending = if number < 3 { ".dcm" } else { "" };
        let slice = slice(patient, &GrayImage::from_pixel(9, 6, Luma([number as u8 * 20])));
        project.write(&format!("disc/{class}/IM{number}{ending}"), slice);
    }
    project.write("disc/DICOMDIR", directory());
    project
}

#[test]
fn dicom_files_are_ingested_as_they_are_with_or_without_an_ending() {
    let project = disc();
    project.ingest(&["--source", "disc", "--split", "0.34,0.33,0.33"]);
    assert_eq!(project.counts().values().sum::<usize>(), 6);
    for record in project.manifest().records() {
        assert_eq!((record.width, record.height), (9, 6), "{}", record.path);
        let name = record.path.rsplit('/').next().unwrap();
        let source = project.path(&format!("disc/{}/{name}", record.class));
        let kept = fs::read(project.output().join(&record.path)).unwrap();
        assert!(kept == fs::read(source).unwrap(), "{} has changed", record.path);
    }
    let passed_over = &project.report()["passed_over"];
    let directory = json!([{"path": "DICOMDIR", "reason": "dicom_without_image"}]);
    assert_eq!(passed_over, &directory);
}

#[test]
fn a_damaged_dicom_file_is_refused_by_name_and_reason() {
    let project = disc();
    let bytes = fs::read(project.path("disc/benign/IM4")).unwrap();
    project.write("disc/benign/IM4", &bytes[..bytes.len() - 10]);
    let message = project.refuse(1, &["--source", "disc"]);
    assert!(message.contains("benign/IM4: truncated DICOM"), "{message}");
    assert!(!message.contains("P1"), "{message}");
}
