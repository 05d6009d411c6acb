//! Heads that are solved: chosen by cross-validation, one checkpoint, the same bytes.

use std::fs;
use std::process::Stdio;

use classifier::checkpoint;
use config::HeadKind;

use crate::project::Project;
use crate::{is_checkpoint, wait_for};

const KERNEL: &[(&str, &str)] = &[];
const LINEAR: &[(&str, &str)] =
    &[("kind: kernel ", "kind: linear "), ("widths: [0.5, 1.0, 2.0, 4.0]", "widths: []")];

/// The one checkpoint of the one run.
fn checkpoint_of(project: &Project) -> checkpoint::CheckpointMetadata {
    let published = project.published();
    let checkpoints: Vec<_> = published.iter().filter(|(name, _)| is_checkpoint(name)).collect();
    let [(name, _)] = checkpoints[..] else { panic!("{} checkpoints", checkpoints.len()) };
    let file = name.file_name().expect("a name").to_string_lossy().into_owned();
    assert!(file.starts_with("model_e1_acc"), "{file}");
    let path = project.path("artifacts/model_training").join(name);
    // Complete: names and shapes of all tensors.
    checkpoint::read(&path).expect("a checkpoint").metadata
}

#[test]
fn a_solved_head_leaves_one_checkpoint_with_what_was_chosen_and_why() {
    for (changes, kind) in [(KERNEL, HeadKind::Kernel), (LINEAR, HeadKind::Linear)] {
        let project = Project::solved(changes);
        project.succeed(&[]);
        let metadata = checkpoint_of(&project);
        assert_eq!(metadata.architecture.head.kind, kind);
        assert_eq!(metadata.valid_accuracy, 1.0, "bright and dark are told apart");
        let solved = metadata.solved.expect("how it was solved");
        let widths = if kind == HeadKind::Kernel { 4 } else { 1 };
        assert_eq!(solved.search.candidates.len(), 5 * widths * 3);
        assert_eq!(solved.choice.width.is_some(), kind == HeadKind::Kernel);
    }
}

#[test]
fn a_solved_run_killed_while_it_works_ends_with_the_same_bytes() {
    for changes in [KERNEL, LINEAR] {
        let undisturbed = Project::solved(changes);
        undisturbed.succeed(&[]);
        let killed = Project::solved(changes);
        let mut child = killed.train(&[]).stderr(Stdio::piped()).spawn().expect("a process");
        wait_for(&mut child, "run ");
        child.kill().expect("SIGKILL");
        child.wait().expect("the end of the process");
        killed.succeed(&[]);
        assert!(killed.published() == undisturbed.published(), "the killed run has other bytes");
        let left =
            fs::read_dir(killed.path("artifacts/training_work")).expect("the folder").count();
        assert_eq!(left, 0);
    }
}

#[test]
fn threads_do_not_change_the_bytes_of_a_solved_head() {
    let with_threads = |threads: &str| {
        let project = Project::solved(KERNEL);
        let mut train = project.train(&[]);
        let done = train.env("RAYON_NUM_THREADS", threads).status().expect("the program starts");
        assert!(done.success());
        project.published()
    };
    assert!(with_threads("1") == with_threads("3"));
}

#[test]
fn linear_and_kernel_heads_share_the_features_of_a_base() {
    let project = Project::solved(KERNEL);
    // Eight of the 20 training pictures are the validation pictures, too.
    assert!(project.succeed(&[]).contains("features: 20 computed, 8 found"));
    // The base is unchanged; only the head's parameters change.
    project.change_params("strengths: [1.0, 3.0, 10.0, 30.0, 100.0]", "strengths: [2.0]");
    assert!(project.train_anew(&[]).contains("features: 0 computed, 28 found"));
}

#[test]
fn shuffled_labels_are_not_learnt() {
    let project = Project::solved(KERNEL);
    project.succeed(&["--permute-labels"]);
    let solved = checkpoint_of(&project).solved.expect("how it was solved");
    assert!(solved.search.best().accuracy < 0.8, "{:?}", solved.search.best());
}

#[test]
fn cut_points_that_do_not_exist_are_refused_with_those_there_are() {
    let project = Project::solved(&[("- [block4_pool]", "- [block6_pool]")]);
    let log = project.fail(2, &[]);
    assert!(log.contains("train.solve.cuts") && log.contains("\"block6_pool\""), "{log}");
    assert!(log.contains("block1_pool, block2_pool"), "{log}");
}

#[test]
fn epochs_have_no_effect_on_a_solved_head_and_are_refused() {
    let log = Project::solved(KERNEL).fail(2, &["--epochs", "3"]);
    assert!(log.contains("train.descent is set") && log.contains("the head is kernel"), "{log}");
}

#[test]
fn layers_below_a_linear_head_learn_on_from_the_solved_one() {
    let project = Project::solved(&[
        LINEAR[0],
        LINEAR[1],
        ("freeze: all", "freeze: {until: block5_conv2}"),
        ("- [block4_pool]", "- [block5_pool]"),
        ("descent: null", "descent: {epochs: 2, batch_size: 8, learning_rate: 0.00001}"),
    ]);
    let log = project.succeed(&[]);
    assert!(log.contains("epoch 1/2"), "{log}");
    let history = project.published();
    let history = history.iter().find(|(name, _)| name.ends_with("history.csv")).expect("one");
    let text = String::from_utf8(history.1.clone()).expect("text");
    let first = text.lines().nth(1).expect("the first epoch");
    assert!(first.ends_with(",1.0"), "it starts from what is solved already: {text}");
}

/// A linear head with last convolutions that continue to learn, with all options of fine-tuning.
const FINE_TUNED: &[(&str, &str)] = &[
    LINEAR[0],
    LINEAR[1],
    ("freeze: all", "freeze: {until: block5_conv2}"),
    ("- [block4_pool]", "- [block5_pool]"),
    ("folds: 5\n    strengths", "folds: 2\n    strengths"),
    (
        "descent: null",
        "descent: {epochs: 3, batch_size: 8, learning_rate: 0.00001, warm_up_epochs: 1, \
         schedule: {kind: cosine, step_epochs: 1, gamma: 1.0}, rate_of_block_below: 0.5, \
         average: 0.9, folds: 2, augmentation: {rotation_degrees: 5.0, width_shift: 0.0, \
         height_shift: 0.0, shear_degrees: 0.0, zoom: 0.0, horizontal_flip: false, \
         fill_mode: nearest, fill_value: 0.0, views: 2}}",
    ),
];

#[test]
fn cross_validation_says_how_long_to_fine_tune_and_whether_it_pays() {
    let project = Project::solved(FINE_TUNED);
    let log = project.succeed(&[]);
    assert!(log.contains("fold 2/2, epoch 3/3"), "{log}");
    // Bright and dark are distinguished from the start: nothing can be gained.
    assert!(log.contains("fine-tuning does not beat the solved head"), "{log}");
    let metadata = checkpoint_of(&project);
    let search = metadata.epochs.expect("the cross-validation");
    assert_eq!((search.chosen, search.epochs.len(), search.images), (1, 3, 20));
    assert_eq!(search.start.expect("the solved head").accuracy, 1.0);
    assert!(!search.gain.expect("a verdict").beats_start);
}

#[test]
fn a_fine_tuning_killed_between_folds_goes_on_and_ends_with_the_same_bytes() {
    let undisturbed = Project::solved(FINE_TUNED);
    undisturbed.succeed(&[]);
    let killed = Project::solved(FINE_TUNED);
    for line in ["fold 1/2, epoch 2/3", "fold 2/2, epoch 1/3"] {
        let mut child = killed.train(&[]).stderr(Stdio::piped()).spawn().expect("a process");
        wait_for(&mut child, line);
        child.kill().expect("SIGKILL");
        child.wait().expect("the end of the process");
    }
    assert!(killed.succeed(&[]).contains("fold 1/2 is done already"));
    assert!(killed.published() == undisturbed.published(), "the killed run has other bytes");
}

#[test]
fn layers_that_the_head_does_not_read_are_not_fine_tuned() {
    let reads_below: Vec<_> = FINE_TUNED
        .iter()
        .map(
            |change| {
                if change.0.starts_with("- [block4") { ("seed: 17", "seed: 17") } else { *change }
            },
        )
        .chain([("      - [block3_pool, block4_pool, block5_pool]\n", "")])
        .chain([(
            "      - [block1_pool, block2_pool, block3_pool, block4_pool, block5_pool]\n",
            "",
        )])
        .collect();
    let log = Project::solved(&reads_below).fail(1, &[]);
    assert!(log.contains("have one of block5_pool"), "{log}");
}
