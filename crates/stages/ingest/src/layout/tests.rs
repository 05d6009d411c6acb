use super::*;

fn data(classes: &[(&str, &[&str])], ignored: &[&str]) -> DataConfig {
    DataConfig {
        source: config::SourceConfig::Sample {},
        classes: classes
            .iter()
            .map(|(class, folders)| {
                let folders: Vec<String> = folders.iter().map(ToString::to_string).collect();
                ((*class).to_owned(), folders)
            })
            .collect(),
        corrections: None,
        ignore_files: Vec::new(),
        ignore_folders: ignored.iter().map(ToString::to_string).collect(),
        positive: Vec::new(),
        patients: config::Patients::Unknown,
    }
}

fn two_classes() -> DataConfig {
    data(&[("cancer", &["cancer", "tumour.T2"]), ("normal", &["normal"])], &[])
}

fn files(paths: &[&str]) -> Vec<SourceFile> {
    let content = |path: &str| match path.rsplit('.').next() {
        Some("txt" | "db") => Content::Other,
        Some("sr") => Content::DicomWithoutImage,
        _ => Content::Image,
    };
    paths.iter().map(|path| SourceFile { path: (*path).into(), content: content(path) }).collect()
}

fn labels(layout: &Layout) -> Vec<(&str, Option<Split>, &str)> {
    layout
        .images
        .iter()
        .map(|image| (image.path.as_str(), image.split, image.class.as_str()))
        .collect()
}

#[test]
fn split_and_class_folders_are_found_however_deep() {
    let found = Layout::of(
        &files(&[
            "archive/v2/Data/Training/Normal/a.png",
            "archive/v2/Data/Testing/tumour.T2/b.png",
        ]),
        &two_classes(),
    )
    .unwrap();
    assert_eq!(found.root, "archive/v2/Data");
    assert_eq!(
        labels(&found),
        [
            ("archive/v2/Data/Testing/tumour.T2/b.png", Some(Split::Test), "cancer"),
            ("archive/v2/Data/Training/Normal/a.png", Some(Split::Train), "normal"),
        ]
    );
}

#[test]
fn class_folders_without_splits_are_flat() {
    let found = Layout::of(&files(&["normal/a.png", "cancer/b.png"]), &two_classes()).unwrap();
    assert_eq!(found.root, "");
    assert!(found.images.iter().all(|image| image.split.is_none()));
}

#[test]
fn folders_inside_a_class_belong_to_it_whatever_their_name() {
    let found = Layout::of(
        &files(&[
            "normal/patient 1/a.png",
            "cancer/normal/b.png",
            "cancer/train/c.png",
            "normal/test/d.png",
        ]),
        &two_classes(),
    );
    // `cancer/train` is a split folder inside a class folder, so `patient 1` has no split.
    assert!(matches!(found.unwrap_err(), LayoutError::OutsideSplits { .. }));
    let found =
        Layout::of(&files(&["normal/p1/a.png", "cancer/normal/b.png"]), &two_classes()).unwrap();
    assert_eq!(
        labels(&found),
        [("cancer/normal/b.png", None, "cancer"), ("normal/p1/a.png", None, "normal")]
    );
}

#[test]
fn splits_inside_class_folders_are_known() {
    let found =
        Layout::of(&files(&["normal/train/a.png", "cancer/test/b.png"]), &two_classes()).unwrap();
    assert_eq!(
        labels(&found),
        [
            ("cancer/test/b.png", Some(Split::Test), "cancer"),
            ("normal/train/a.png", Some(Split::Train), "normal")
        ]
    );
}

#[test]
fn an_unmapped_folder_is_refused_with_counts_and_the_yaml_to_add() {
    let error = Layout::of(
        &files(&[
            "d/normal/a.png",
            "d/cancer/b.png",
            "d/Benign nodule/p/c.png",
            "d/Benign nodule/d.png",
        ]),
        &two_classes(),
    )
    .unwrap_err()
    .to_string();
    assert!(error.contains("d/Benign nodule: 2 images"), "{error}");
    assert!(error.contains("    benign_nodule: [Benign nodule]"), "{error}");
    assert!(!error.contains("d/normal"), "{error}");
}

#[test]
fn where_nothing_is_mapped_the_folders_with_images_are_listed() {
    let error = Layout::of(
        &files(&["d/Training/glioma/a.png", "d/Training/notumor/b.png", "d/Training/glioma/c.png"]),
        &two_classes(),
    )
    .unwrap_err()
    .to_string();
    assert!(error.contains("d/Training/glioma: 2 images"), "{error}");
    assert!(error.contains("d/Training/notumor: 1 image\n"), "{error}");
}

#[test]
fn images_beside_the_class_folders_are_refused_not_dropped() {
    let error = Layout::of(&files(&["normal/a.png", "cancer/b.png", "stray.png"]), &two_classes())
        .unwrap_err()
        .to_string();
    assert!(error.contains("(the top folder): 1 image"), "{error}");
}

#[test]
fn what_is_not_an_image_is_listed_with_its_reason() {
    let found = Layout::of(
        &files(&[
            "__MACOSX/normal/._a.png",
            "masks/normal/m.png",
            "normal/.a.png",
            "normal/a.png",
            "normal/notes.txt",
            "normal/report.sr",
            "cancer/b.png",
        ]),
        &data(&[("cancer", &["cancer"]), ("normal", &["normal"])], &["Masks"]),
    )
    .unwrap();
    let passed =
        |path: &str, reason, files| PassedOver { path: path.into(), reason, files, format: None };
    assert_eq!(
        found.passed_over,
        [
            passed("__MACOSX", Reason::Hidden, Some(1)),
            passed("masks", Reason::IgnoredFolder, Some(1)),
            passed("normal/.a.png", Reason::Hidden, None),
            passed("normal/notes.txt", Reason::NotAnImage, None),
            passed("normal/report.sr", Reason::DicomWithoutImage, None),
        ]
    );
    assert_eq!(found.images.len(), 2);
}

#[test]
fn a_copy_of_the_data_set_inside_it_is_refused_until_it_is_ignored() {
    let listing = files(&[
        "xray/train/normal/a.png",
        "xray/train/cancer/b.png",
        "xray/xray/train/normal/a.png",
        "xray/xray/train/cancer/b.png",
    ]);
    let error = Layout::of(&listing, &two_classes()).unwrap_err().to_string();
    assert!(error.contains("xray/xray: 2 images"), "{error}");
    let classes: &[(&str, &[&str])] = &[("cancer", &["cancer"]), ("normal", &["normal"])];
    let found = Layout::of(&listing, &data(classes, &["xray/xray"])).unwrap();
    assert_eq!(found.images.len(), 2);
}

#[test]
fn two_data_sets_side_by_side_are_refused() {
    let error =
        Layout::of(&files(&["one/train/normal/a.png", "two/train/cancer/b.png"]), &two_classes())
            .unwrap_err()
            .to_string();
    assert!(error.contains("  one\n  two\n"), "{error}");
}

#[test]
fn class_folders_may_lie_in_groups() {
    let found = Layout::of(
        &files(&["set/benign/normal/a.png", "set/malignant/cancer/b.png"]),
        &two_classes(),
    )
    .unwrap();
    assert_eq!(found.root, "set");
    assert_eq!(found.images.len(), 2);
}

#[test]
fn a_mapped_class_without_images_is_refused() {
    let error = Layout::of(&files(&["normal/a.png", "cancer/x.sr"]), &two_classes())
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("no image of class cancer (1 DICOM files that are directories"),
        "{error}"
    );
    assert!(error.contains("  normal: 1 image\n"), "{error}");
}

#[test]
fn a_source_without_images_says_how_many_files_it_saw() {
    let error = Layout::of(&files(&["a.txt", "b.txt"]), &two_classes()).unwrap_err().to_string();
    assert!(error.starts_with("2 files and no image"), "{error}");
}

#[test]
fn common_folder_counts_whole_parts() {
    assert_eq!(common_folder(["a/bc/d", "a/b/d"]), "a");
    assert_eq!(common_folder(["a/b", "a/b/c"]), "a/b");
    assert_eq!(common_folder([]), "");
}

#[test]
fn split_folders_are_told_by_their_words() {
    let found = Layout::of(
        &files(&["01_train/normal/a.png", "02_val/cancer/b.png", "test_images/normal/c.png"]),
        &two_classes(),
    )
    .unwrap();
    let splits: Vec<_> = found.images.iter().map(|image| image.split).collect();
    assert_eq!(splits, [Some(Split::Train), Some(Split::Valid), Some(Split::Test)]);
    assert!(found.split_like.is_empty());
}

#[test]
fn folders_that_could_be_splits_and_are_gone_through_are_told() {
    let found =
        Layout::of(&files(&["normal/site_train_b/a.png", "cancer/b.png"]), &two_classes()).unwrap();
    assert_eq!(found.split_like, ["normal/site_train_b"]);
}

#[test]
fn files_are_left_out_by_pattern() {
    let data = DataConfig { ignore_files: vec!["*_MASK*.png".into()], ..two_classes() };
    let found =
        Layout::of(&files(&["normal/a.png", "normal/a_mask.png", "cancer/b.png"]), &data).unwrap();
    assert_eq!(found.images.len(), 2);
    assert_eq!(found.passed_over[0].reason, Reason::IgnoredFile);
    let broken = DataConfig { ignore_files: vec!["[a".into()], ..two_classes() };
    let error = Layout::of(&files(&["normal/a.png"]), &broken).unwrap_err().to_string();
    assert!(error.contains("data.ignore_files") && error.contains("[a"), "{error}");
}

#[test]
fn formats_that_are_not_read_are_counted_even_where_there_is_no_image() {
    let heic = |path: &str| SourceFile {
        path: path.into(),
        content: Content::Unsupported(Unsupported::Heic),
    };
    let found = [heic("normal/a.heic"), heic("cancer/b.heic")];
    let error = Layout::of(&found, &two_classes()).unwrap_err().to_string();
    assert!(error.contains("formats that are not read: 2 HEIC"), "{error}");
    let mixed = [files(&["normal/a.png", "cancer/b.png"]), found.to_vec()].concat();
    let layout = Layout::of(&mixed, &two_classes()).unwrap();
    assert_eq!(unsupported_in_words(&layout.passed_over), "2 HEIC");
}
