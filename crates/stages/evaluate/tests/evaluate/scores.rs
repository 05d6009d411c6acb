//! Which inputs are scored, and which are refused.

use classifier::tensors;
use dataset::Manifest;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

use crate::project::{CANCERS, FILES, HISTORY, NORMALS, Project, close, pixel};

#[test]
fn scores_are_those_worked_out_by_hand() {
    let project = Project::new();
    project.evaluate(&[]).success();
    let scores = project.scores();
    let close = |key: &str, expected: f64| close(&scores, key, expected);
    let (cancers, normals) = (CANCERS as f64, NORMALS as f64);
    let images = cancers + normals;
    close("/images", images);
    close("/accuracy", cancers / images);
    close("/loss", -(cancers * 0.75_f64.ln() + normals * 0.25_f64.ln()) / images);
    close("/classes/cancer/precision", cancers / images);
    close("/classes/cancer/recall", 1.0);
    close("/classes/normal/precision", 0.0);
    close("/classes/normal/support", normals);
    close("/macro/recall", 0.5);
    close("/weighted/recall", cancers / images);
}

#[test]
fn the_table_and_the_notice_go_to_standard_output() {
    Project::new()
        .evaluate(&[])
        .success()
        .stdout(contains("normal               0.0000  0.0000  0.0000  0.5000       4  too few"))
        .stdout(contains("accuracy 0.7647"))
        .stdout(contains("Research use only. Not a medical device."))
        .stderr(contains("normal has 4 test images").and(contains("other data").not()));
}

#[test]
fn every_test_image_has_a_row_in_manifest_order() {
    let project = Project::new();
    project.evaluate(&[]).success();
    let predictions = project.output("predictions.csv");
    let rows: Vec<&str> = predictions.lines().collect();
    assert_eq!(rows.len(), 1 + CANCERS + NORMALS);
    assert_eq!(
        rows[0],
        "path,actual,predicted,correct,confidence,has_copy_in_training,prob_cancer,prob_normal"
    );
    assert!(rows[1].starts_with("test/cancer/00.bmp,cancer,cancer,true,0.75"), "{}", rows[1]);
    assert!(rows[CANCERS + NORMALS].starts_with("test/normal/03.bmp,normal,cancer,false,0.75"));
    let expected = "actual,predicted,count\n\
                    cancer,cancer,13\ncancer,normal,0\nnormal,cancer,4\nnormal,normal,0\n";
    assert_eq!(project.output("confusion_matrix.csv"), expected);
    assert_eq!(project.output("history.csv"), HISTORY);
}

#[test]
fn the_same_model_and_images_give_the_same_bytes() {
    let project = Project::new();
    project.evaluate(&[]).success();
    project.evaluate(&["--output", "again"]).success();
    for file in FILES {
        let again = artifact::read_text(&project.path("again").join(file)).unwrap();
        assert!(project.output(file) == again, "{file} differs");
    }
}

#[test]
fn an_image_that_changed_since_ingest_stops_it_and_the_old_scores_stay() {
    let project = Project::new();
    project.evaluate(&[]).success();
    let before = project.output("scores.json");
    artifact::write_file(&project.data().join("test/normal/02.bmp"), &pixel(200)).unwrap();
    project.evaluate(&[]).code(1).stderr(contains("test/normal/02.bmp: its content changed"));
    assert_eq!(project.output("scores.json"), before);
}

#[test]
fn a_test_image_that_is_no_picture_is_named() {
    let project = Project::new();
    project.add("test/normal/broken.png", "normal", b"no picture");
    project.evaluate(&[]).code(1).stderr(contains("test/normal/broken.png: not an image"));
    assert!(!project.path("artifacts/evaluation").exists());
}

#[test]
fn a_class_that_the_model_does_not_know_is_named() {
    let project = Project::new();
    project.add("test/cyst/1.bmp", "cyst", &pixel(1));
    project.evaluate(&[]).code(1).stderr(contains("\"cyst\" is not one of"));
}

#[test]
fn images_of_another_data_set_are_scored_with_a_warning() {
    let project = Project::new();
    project.add("test/normal/new.bmp", "normal", &pixel(9));
    project.evaluate(&[]).success().stderr(contains("trained on other data"));
}

#[test]
fn an_empty_test_split_says_so() {
    let project = Project::new();
    project.write(&Manifest::new(project.data(), Vec::new()));
    project.evaluate(&[]).code(1).stderr(contains("find test images"));
}

#[test]
fn dumped_inputs_are_what_the_model_sees() {
    let project = Project::new();
    project.evaluate(&["--dump-inputs", "inputs.safetensors", "--limit", "3"]).success();
    let dumped = tensors::read_foreign(&project.path("inputs.safetensors")).unwrap();
    assert_eq!(dumped["images"].shape(), [3, 3, 32, 32]);
    assert_eq!(dumped["images"].values()[..3 * 32 * 32], [0.0; 3 * 32 * 32]);
    assert_eq!(dumped["images"].values()[3 * 32 * 32], 1.0 / 255.0);
    assert_eq!(dumped["probabilities"].shape(), [3, 2]);
    assert_eq!(dumped["grad_cam"].shape(), [3, 2, 2]);
    assert!((dumped["probabilities"].values()[0] - 0.75).abs() < 1e-6);
    assert!(!project.path("artifacts/evaluation").exists());
}

#[test]
fn a_limit_without_a_dump_is_refused() {
    Project::new().evaluate(&["--limit", "3"]).code(2).stderr(contains("--dump-inputs"));
}

#[test]
fn a_missing_model_names_the_file() {
    let project = Project::new();
    project.command().assert().code(1).stderr(contains("model/model.json"));
}

#[test]
fn one_image_is_scored_without_intervals() {
    let project = Project::with_images(&[("cancer", 0)]);
    project.evaluate(&[]).success().stdout(contains("accuracy 1.0000"));
    let scores = project.scores();
    close(&scores, "/accuracy", 1.0);
    close(&scores, "/images", 1.0);
    // One image cannot vary between resamples, and there are no images of other classes.
    assert!(scores["auroc"].is_null() && scores["intervals"]["auroc"].is_null());
    assert_eq!(scores["classes"]["cancer"]["note"], "too few");
}

#[test]
fn a_class_without_test_images_has_no_scores_of_its_own() {
    let images: Vec<_> = (0..25).map(|number| ("cancer", number)).collect();
    let project = Project::with_images(&images);
    project.evaluate(&[]).success().stderr(contains("normal has 0 test images"));
    let scores = project.scores();
    assert_eq!(scores["classes"]["normal"]["support"], 0);
    assert_eq!(scores["classes"]["normal"]["note"], "too few");
    assert!(scores["classes"]["normal"]["auroc"].is_null());
    assert!(scores["classes"]["cancer"]["note"].is_null());
    close(&scores, "/classes/cancer/recall", 1.0);
    close(&scores, "/balanced_accuracy", 1.0);
}
