//! The temperature, the thresholds, and the images they are fitted on.

use dataset::Split;

use crate::project::{Answer, Plain, Project, number, plain};

/// Three to one for `bright`.
const THREE_TO_ONE: Answer = Answer::Constant([1.098_612_3, 0.0]);

/// A few validation images are enough.
const NO_FOLDS: &[(&str, &str)] = &[("out_of_fold_below: 200", "out_of_fold_below: 0")];

/// Ten training images without copies.
fn training() -> Vec<Plain> {
    let bright = plain(Split::Train, "bright", [201, 202, 203, 204, 205]);
    [bright, plain(Split::Train, "dark", [11, 12, 13, 14, 15])].concat()
}

#[test]
fn the_temperature_is_the_one_worked_out_by_hand() {
    // Three in five are bright: ln 3 / T = ln(3 / 2).
    let bright = plain(Split::Valid, "bright", 100..112);
    let dark = plain(Split::Valid, "dark", 40..48);
    let project = Project::new(&[training(), bright, dark].concat(), THREE_TO_ONE, NO_FOLDS);
    let calibration = project.succeed(&[]);
    let temperature = number(&calibration, "/temperature/temperature");
    assert!((temperature - 3_f64.ln() / 1.5_f64.ln()).abs() < 1e-4, "{temperature}");
    assert_eq!(calibration["temperature"]["outcome"], "minimum");
    let after = number(&calibration, "/temperature/loss_after");
    assert!((after - -(0.6 * 0.6_f64.ln() + 0.4 * 0.4_f64.ln())).abs() < 1e-6, "{after}");
    assert!(after < number(&calibration, "/temperature/loss_before"));
    assert!((number(&calibration, "/expected_calibration_error/before") - 0.15).abs() < 1e-6);
    assert!(number(&calibration, "/expected_calibration_error/after") < 1e-4);
    assert_eq!(calibration["notice"], "Research use only. Not a medical device.");
}

#[test]
fn thresholds_are_those_that_keep_the_specificity() {
    // The score grows with brightness. Twenty dark images, of which two may count as bright at 0.90
    // and one at 0.95: those of 130 and 150. The bright ones lie between and around them.
    let dark = plain(Split::Valid, "dark", (20..38).chain([130, 150]));
    let bright = plain(Split::Valid, "bright", [50, 60, 140, 160, 170, 180, 190, 200, 210, 220]);
    let project = Project::new(&[training(), dark, bright].concat(), Answer::Brightness, NO_FOLDS);
    let calibration = project.succeed(&[]);
    let at = |which: usize, key: &str| {
        number(&calibration, &format!("/positive/operating_points/{which}/{key}"))
    };
    assert_eq!((at(0, "required_specificity"), at(1, "required_specificity")), (0.90, 0.95));
    // Above the third brightest dark image, of 37, all ten bright ones; above that of 130, eight.
    assert_eq!((at(0, "sensitivity/hits"), at(1, "sensitivity/hits")), (10.0, 8.0));
    assert_eq!((at(0, "specificity/hits"), at(1, "specificity/hits")), (18.0, 19.0));
    assert!(at(0, "threshold") < at(1, "threshold"));
    assert!(at(0, "threshold") > 0.0 && at(1, "threshold") < 1.0);
}

#[test]
fn few_validation_images_are_joined_by_training_images_out_of_fold() {
    let valid = [plain(Split::Valid, "bright", 100..103), plain(Split::Valid, "dark", 40..43)];
    let project = Project::new(&[training(), valid.concat()].concat(), Answer::Brightness, &[]);
    let calibration = project.succeed(&[]);
    assert_eq!(number(&calibration, "/images/validation"), 6.0);
    assert_eq!(number(&calibration, "/images/out_of_fold"), 10.0);
    assert_eq!(number(&calibration, "/temperature/images"), 16.0);
    let reason = calibration["images"]["reason"].as_str().unwrap();
    assert!(reason.contains("fewer than 200") && reason.contains("in 5 folds"), "{reason}");
    let three = project.succeed(&["--folds", "3"]);
    assert!(three["images"]["reason"].as_str().unwrap().contains("in 3 folds"));
}

#[test]
fn copies_of_training_images_are_left_out() {
    // 201 and 11 are in training too.
    let bright = plain(Split::Valid, "bright", [100, 101, 201]);
    let dark = plain(Split::Valid, "dark", [40, 41, 11]);
    let project = Project::new(&[training(), bright, dark].concat(), THREE_TO_ONE, NO_FOLDS);
    let calibration = project.succeed(&[]);
    assert_eq!(number(&calibration, "/images/validation"), 4.0);
    assert_eq!(number(&calibration, "/images/left_out_copies"), 2.0);
    assert_eq!(number(&calibration, "/temperature/images"), 4.0);
}

#[test]
fn a_class_that_is_absent_from_validation_leaves_no_threshold_and_says_why() {
    let bright = plain(Split::Valid, "bright", 100..110);
    let project = Project::new(&[training(), bright].concat(), THREE_TO_ONE, NO_FOLDS);
    let calibration = project.succeed(&[]);
    // All predictions are right: they do not determine the confidence.
    assert_eq!(calibration["temperature"]["outcome"], "lowest_allowed");
    assert_eq!(number(&calibration, "/temperature/temperature"), 1.0);
    let points = calibration["positive"]["operating_points"].as_array().unwrap();
    assert_eq!(points.len(), 2);
    for point in points {
        assert!(point.get("threshold").is_none(), "{point}");
    }
    // The files can be read back, for example by the next stage.
    let model = classifier::description::ModelDescription::read(&project.path("model")).unwrap();
    let read = classifier::calibration::Calibration::read(&project.path("model"), &model);
    assert!(read.unwrap().is_some());
}

#[test]
fn validation_that_is_all_copies_is_refused() {
    let valid = [plain(Split::Valid, "bright", [201]), plain(Split::Valid, "dark", [11])];
    let project =
        Project::new(&[training(), valid.concat()].concat(), Answer::Brightness, NO_FOLDS);
    let log = project.fail(1, &[]);
    assert!(log.contains("no validation images without a copy in training"), "{log}");
}

#[test]
fn limits_for_foreign_images_accept_those_of_the_training() {
    let valid = [plain(Split::Valid, "bright", 100..110), plain(Split::Valid, "dark", 40..50)];
    let project =
        Project::new(&[training(), valid.concat()].concat(), Answer::Brightness, NO_FOLDS);
    let calibration = project.succeed(&[]);
    assert_eq!(number(&calibration, "/foreign/held_out"), 30.0);
    assert_eq!(number(&calibration, "/foreign/acceptance"), 0.99);
    let limit = number(&calibration, "/foreign/feature_distance_limit");
    assert!(limit > 0.0 && limit.is_finite(), "{limit}");
    let correlation = number(&calibration, "/foreign/histogram/correlation_limit");
    assert!((-1.0..=1.0).contains(&correlation), "{correlation}");
}
