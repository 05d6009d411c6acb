//! The effect of copies of test images in training, on data where it is known: four bright images
//! are labelled like the dark ones, and only a head that saw their copies can know it.

use std::path::Path;

use artifact::Digest;
use classifier::BaseWeights;
use classifier::architecture::BaseDescription;
use classifier::bases;
use classifier::initialise::{fresh_head, random_base};
use classifier::tensors::{self, HostTensor, TensorMap};
use config::{HeadKind, TrainParams};
use dataset::{Exclusion, GroupNumber, ImageRecord, Split, ValidatedManifest, ValidatedRecord};
use predicates::str::contains;

use crate::project::{Project, architecture, bitmap, close, metadata, record, write_model};

const HARD: u8 = 4;

/// A noisy picture, so that a head can distinguish it from others.
fn noisy(number: u8, is_bright: bool) -> Vec<u8> {
    let level = if is_bright { 150 } else { 40 };
    bitmap(32, |x, y| level + Digest::of(&[number, x, y]).as_bytes()[0] % 64)
}

/// An image, its bytes, and the hard one that it shows, if any.
type Image = (ImageRecord, Vec<u8>, Option<u8>);

fn images() -> Vec<Image> {
    let mut images = Vec::new();
    let mut number = HARD;
    for (split, count) in [(Split::Train, 12), (Split::Valid, 4), (Split::Test, 4)] {
        for (class, is_bright) in [("cancer", false), ("normal", true)] {
            for _ in 0..count {
                let bytes = noisy(number, is_bright);
                let path = format!("{split}/{class}/{number:03}.bmp");
                images.push((record(&path, split, class, &bytes), bytes, None));
                number += 1;
            }
        }
    }
    for number in 0..HARD {
        let bytes = noisy(number, true);
        for split in [Split::Train, Split::Valid, Split::Test] {
            let path = format!("{split}/cancer/hard{number}.bmp");
            images.push((record(&path, split, "cancer", &bytes), bytes.clone(), Some(number)));
        }
    }
    images
}

fn validated(data: &Path, exclude_copies: bool) -> ValidatedManifest {
    let records = images().into_iter().zip(100..).map(|((image, _, hard), alone)| {
        let is_left_out = exclude_copies && hard.is_some() && image.split == Split::Train;
        ValidatedRecord {
            original_split: image.split,
            duplicate_group: hard.map(|number| GroupNumber(number.into())),
            group: GroupNumber(hard.map_or(alone, u32::from)),
            patient_id: None,
            excluded: is_left_out.then_some(Exclusion::Leak),
            image,
        }
    });
    ValidatedManifest::new(data, records.collect())
}

/// Long enough to memorise the hard ones.
fn training() -> TrainParams {
    let mut training = crate::project::params().train;
    training.descent = Some(config::DescentParams {
        epochs: 30,
        batch_size: 8,
        learning_rate: 0.001,
        ..config::DescentParams::default()
    });
    training.precision = config::Precision::Fp32;
    training
}

/// The project with a base, and an untrained model: only the refits matter here.
fn project(exclude_copies: bool) -> Project {
    project_with_head(exclude_copies, fresh_head(&architecture(HeadKind::MultiScale), 1))
}

fn project_with_head(exclude_copies: bool, model_head: TensorMap) -> Project {
    let project = Project::empty("model".into());
    for (image, bytes, _) in images() {
        artifact::write_file(&project.data().join(image.path), &bytes).unwrap();
    }
    let validated = validated(&project.data(), exclude_copies);
    project.write_validated(&validated);

    let (base, architecture) = (random_base(bases::vgg16(), 1), architecture(HeadKind::MultiScale));
    let head = fresh_head(&architecture, 1);
    let folder = project.path("artifacts/base_model");
    let write = |name, weights| tensors::write(&folder.join(name), weights, &()).unwrap();
    let base_sha256 = write(BaseDescription::BASE_FILE, &base);
    let mut whole = base.clone();
    whole.extend(head);
    let description = BaseDescription {
        format: BaseDescription::FORMAT,
        architecture,
        weights: BaseWeights::drawn("random"),
        base_sha256,
        updated_base_sha256: write(BaseDescription::UPDATED_BASE_FILE, &whole),
    };
    artifact::write_json(&folder.join(BaseDescription::FILE), &description).unwrap();

    let mut metadata = metadata(HeadKind::MultiScale, validated.included().digest(), base_sha256);
    metadata.training = training();
    write_model(&project.path("model"), base, model_head, &metadata);
    project
}

#[test]
fn copies_of_hard_images_are_found_to_make_the_score() {
    let project = project(false);
    project.evaluate(&[]).success().stdout(contains("the copies make the score"));
    let scores = project.scores();
    let leak = &scores["worth"]["leak"];
    assert_eq!(leak["outcome"], "measured");
    close(leak, "/copied_test_images", f64::from(HARD));
    close(leak, "/left_out", f64::from(HARD));
    close(leak, "/controls", 3.0);
    close(leak, "/accuracy/without_copies_on_copied", 0.0);
    close(leak, "/accuracy/controls_on_copied", 1.0);
    close(leak, "/effect/value", 1.0);
    close(leak, "/classes/cancer/effect", 1.0);
    assert!(leak["classes"].get("normal").is_none(), "no image of normal is copied");
    close(&scores, "/worth/without_copies/images", 8.0);
    let page = project.output("report.html");
    let summary = page.split("<section").next().unwrap();
    assert!(summary.contains("the copies are worth +1.000 on those"), "{summary}");
    assert!(summary.contains("The accuracy of 0.667, less 0.333 for copies"), "{summary}");
    assert!(summary.contains("4 test images have a copy in training: set validation.policy.leaks"));
}

#[test]
fn the_report_says_where_the_score_comes_from() {
    let project = project(false);
    project.evaluate(&[]).success();
    let scores = project.scores();
    let worth = &scores["worth"];
    // Every hard image is also in training unchanged: a similarity of 1.
    let look_alikes = &worth["look_alikes"];
    assert!(look_alikes["images"].as_u64() >= Some(HARD.into()), "{look_alikes}");
    close(look_alikes, "/training_images", 28.0);
    let steps = worth["waterfall"]["steps"].as_array().unwrap();
    let kinds: Vec<_> = steps.iter().map(|step| step["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["copies", "look_alikes", "shortcuts", "chance"]);
    // Four of twelve images are right only with their copies.
    close(&steps[0], "/worth/value", 4.0 / 12.0);
    assert_eq!(worth["probes"]["probes"].as_array().unwrap().len(), 5);
    close(worth, "/shift/validation/images", 12.0);
    // The model's head is all zeros: nothing supports any class.
    assert_eq!(scores["explanations"]["verdict"], "empty");
    let page = project.output("report.html");
    for part in ["Where the score comes from", "grey levels matched", "Every map is empty"] {
        assert!(page.contains(part), "{part} is missing");
    }
    assert!(!page.contains("where the model looked\""), "no map is shown");
}

#[test]
fn what_is_switched_off_says_so() {
    let project = project(true);
    let params = artifact::read_text(&project.path("params.yaml")).unwrap();
    let params = params.replace("probes: true", "probes: false");
    let params = params.replace("explanations: 30", "explanations: 0");
    artifact::write_file(&project.path("params.yaml"), params.as_bytes()).unwrap();
    project.evaluate(&[]).success();
    let scores = project.scores();
    assert_eq!(scores["worth"]["probes"]["reason"], "evaluate.probes is false");
    assert_eq!(scores["explanations"]["reason"], "evaluate.explanations is 0");
}

#[test]
fn copies_that_validate_took_out_of_training_are_no_leak() {
    let project = project(true);
    project.evaluate(&[]).success();
    assert_eq!(project.scores()["worth"]["leak"]["outcome"], "no_copies");
    assert!(project.scores()["worth"]["without_copies"].is_null());
}

fn without_refits(project: &Project) {
    let params = artifact::read_text(&project.path("params.yaml")).unwrap();
    let params = params.replace("control_refits: 3", "control_refits: 0");
    artifact::write_file(&project.path("params.yaml"), params.as_bytes()).unwrap();
}

#[test]
fn what_is_kept_for_the_refits_changes_no_prediction() {
    let mut head = fresh_head(&architecture(HeadKind::MultiScale), 1);
    let weight = &head["classifier.0.weight"];
    let values = (0..weight.values().len()).map(|i| (i as f32 * 0.7).sin()).collect();
    let weight = HostTensor::new(weight.shape(), values);
    head.insert("classifier.0.weight".into(), weight);
    let project = project_with_head(false, head);

    project.evaluate(&[]).success();
    assert!(project.path("artifacts/features").is_dir());
    let kept = project.output("predictions.csv");
    let probabilities = |row: &str| row.split(',').filter(|it| it.contains('.')).count();
    assert!(kept.lines().skip(1).all(|row| probabilities(row) > 1), "{kept}");

    without_refits(&project);
    project.evaluate(&[]).success();
    assert_eq!(project.output("predictions.csv"), kept);
}

#[test]
fn an_effect_that_is_not_asked_for_is_not_measured() {
    let project = project(false);
    without_refits(&project);
    project.evaluate(&[]).success();
    let leak = &project.scores()["worth"]["leak"];
    assert_eq!(leak["outcome"], "not_measured");
    close(leak, "/copied_test_images", f64::from(HARD));
    assert!(
        project.output("report.html").contains("was not measured: evaluate.control_refits is 0")
    );
}
