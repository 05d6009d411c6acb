//! Sets that are too small or too odd for a result: no panic, and a message about it.

use dataset::{ClassIndices, Split};
use image::{GrayImage, Luma};
use shortcuts::FitError;

use crate::set::{Item, Set};

/// A grey ramp with its own size and slope.
fn picture(number: u32) -> GrayImage {
    GrayImage::from_fn(20 + number % 13, 20 + number % 7, |x, y| {
        Luma([((x * (number % 5 + 1) + y * 3 + number) % 256) as u8])
    })
}

/// A set with this many pictures of each class in each split.
fn set(names: &[&str], counts: &[(Split, &[usize])]) -> Set {
    let mut items = Vec::new();
    for (split, of_class) in counts {
        for (class, count) in of_class.iter().enumerate() {
            for _ in 0..*count {
                items.push(Item::new(&picture(items.len() as u32), class, *split));
            }
        }
    }
    Set { names: ClassIndices::of_names(names.iter().copied()), items }
}

#[test]
fn one_picture_of_each_class_proves_nothing() {
    let set = set(&["a", "b"], &[(Split::Train, &[1, 1]), (Split::Test, &[1, 1])]);
    let verdict = set.findings(1).report.verdict;
    assert_eq!(verdict.shortcuts, []);
    for pair in &verdict.pairs {
        assert_eq!(pair.groups, [1, 1]);
        assert!(pair.auroc.is_some() && !pair.is_told_apart, "{pair:?}");
    }
}

#[test]
fn a_class_without_test_images_has_no_scores_there() {
    let counts: [(Split, &[usize]); 2] = [(Split::Train, &[6, 6, 6]), (Split::Test, &[9, 9, 0])];
    let report = set(&["a", "b", "c"], &counts).findings(1).report;
    for baseline in &report.baselines {
        let [test] = &baseline.scores[..] else { panic!("{baseline:?}") };
        assert_eq!((test.split, test.all.images, test.all.auroc), (Split::Test, 18, None));
        assert_eq!((test.all.classes[2].images, test.all.classes[2].recall), (0, None));
        assert_eq!(test.all.pairs.iter().filter(|pair| pair.auroc.is_some()).count(), 1);
    }
    let of_c = report.verdict.pairs.iter().filter(|pair| pair.classes[1] == "c");
    assert!(of_c.clone().count() == 6 && of_c.clone().all(|it| it.auroc.is_none()));
}

#[test]
fn a_class_that_was_not_trained_on_is_never_predicted() {
    let counts: [(Split, &[usize]); 2] = [(Split::Train, &[6, 6, 0]), (Split::Test, &[5, 5, 30])];
    let set = set(&["a", "b", "c"], &counts);
    let findings = set.findings(1);
    for prediction in &findings.predictions {
        assert!(prediction.rows().all(|row| row[2] == 0.0), "{prediction:?}");
    }
    assert!(findings.report.verdict.shortcuts.iter().all(|claim| claim.giveaway.is_none()));
}

#[test]
fn one_class_alone_cannot_be_told_from_anything() {
    let report = set(&["only"], &[(Split::Train, &[5]), (Split::Test, &[5])]).findings(1).report;
    assert_eq!(report.verdict.in_words, ["Shortcuts cannot be judged: there is only one class."]);
    assert!(report.baselines.iter().all(|it| it.scores[0].all.accuracy == 1.0));
}

#[test]
fn without_images_outside_of_training_nothing_can_be_judged() {
    let report = set(&["a", "b"], &[(Split::Train, &[5, 5])]).findings(1).report;
    assert!(report.baselines.iter().all(|it| it.scores.is_empty()));
    assert_eq!(
        report.verdict.in_words,
        ["Shortcuts cannot be judged: there are no images outside of training."]
    );
}

#[test]
fn without_training_images_the_reason_is_told() {
    let refused = set(&["a", "b"], &[(Split::Test, &[3, 3])]).try_findings(1);
    assert!(matches!(refused, Err(FitError::NoTrainingImages)), "{refused:?}");
}

#[test]
fn a_label_beyond_the_classes_is_refused_wherever_it_stands() {
    for split in Split::ALL {
        let mut set = set(&["a", "b"], &[(Split::Train, &[3, 3]), (split, &[1, 1])]);
        set.items.last_mut().unwrap().class = 2;
        let Err(error) = set.try_findings(1) else { panic!("{split} was not refused") };
        assert!(error.to_string().contains("is of class 2; the last of 2 is 1"), "{error}");
    }
}

#[test]
fn pictures_that_are_all_alike_are_told_apart_by_nothing() {
    let mut set = set(&["a", "b"], &[(Split::Train, &[9, 9]), (Split::Test, &[9, 9])]);
    let alike = picture(1);
    for item in &mut set.items {
        *item = Item::new(&alike, item.class, item.split);
    }
    let verdict = set.findings(1).report.verdict;
    assert!(verdict.pairs.iter().all(|pair| pair.auroc == Some(0.5)), "{verdict:?}");
    assert_eq!(verdict.shortcuts, []);
}
