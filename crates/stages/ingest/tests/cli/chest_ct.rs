//! The real chest CT archive, if it is available.

use std::env;
use std::path::PathBuf;

use crate::project::{Project, counts_of};

/// The archive at `HOUNSFIELD_CHEST_CT_ZIP`, or beside the repository.
fn archive() -> Option<PathBuf> {
    let beside =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../../../shared/data/chest-ctscan-images.zip");
    let path = env::var_os("HOUNSFIELD_CHEST_CT_ZIP").map_or_else(|| beside.into(), PathBuf::from);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: no {}; set HOUNSFIELD_CHEST_CT_ZIP", path.display());
    None
}

#[test]
fn chest_ct_gives_613_72_and_259_images_of_four_classes() {
    let Some(archive) = archive() else { return };
    let project = Project::new(
        "
    adenocarcinoma: [adenocarcinoma, adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib]
    large_cell_carcinoma: [large.cell.carcinoma, large.cell.carcinoma_left.hilum_T2_N2_M0_IIIa]
    normal: [normal]
    squamous_cell_carcinoma: [squamous.cell.carcinoma, squamous.cell.carcinoma_left.hilum_T1_N2_M0_IIIa]",
    );
    project.ingest(&["--source", archive.to_str().unwrap()]);
    assert_eq!(
        project.counts(),
        counts_of(&[
            ("train/adenocarcinoma", 195),
            ("train/large_cell_carcinoma", 115),
            ("train/normal", 148),
            ("train/squamous_cell_carcinoma", 155),
            ("valid/adenocarcinoma", 23),
            ("valid/large_cell_carcinoma", 21),
            ("valid/normal", 13),
            ("valid/squamous_cell_carcinoma", 15),
            ("test/adenocarcinoma", 92),
            ("test/large_cell_carcinoma", 51),
            ("test/normal", 54),
            ("test/squamous_cell_carcinoma", 62),
        ])
    );
    let report = project.report();
    let images = ["train", "valid", "test"].map(|split| report["splits"][split]["images"].clone());
    assert_eq!(images, [613, 72, 259]);
    assert_eq!(report["data_root"], "Data");
    assert!(report["draw"].is_null());
}

#[test]
fn merging_the_cancer_folders_keeps_all_944_images() {
    let Some(archive) = archive() else { return };
    let project = Project::new(
        "
    cancer:
      - adenocarcinoma
      - adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib
      - large.cell.carcinoma
      - large.cell.carcinoma_left.hilum_T2_N2_M0_IIIa
      - squamous.cell.carcinoma
      - squamous.cell.carcinoma_left.hilum_T1_N2_M0_IIIa
    normal: [normal]",
    );
    project.ingest(&["--source", archive.to_str().unwrap()]);
    assert_eq!(
        project.counts(),
        counts_of(&[
            ("train/cancer", 465),
            ("train/normal", 148),
            ("valid/cancer", 59),
            ("valid/normal", 13),
            ("test/cancer", 205),
            ("test/normal", 54),
        ])
    );
}
