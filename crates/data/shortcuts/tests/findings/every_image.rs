//! Baselines see every training image, however many there are. An earlier version silently used
//! 2,000 of them, and a model was reported as better than every baseline although it was not.

use dataset::{ClassIndices, Split};
use rayon::prelude::*;
use shortcuts::{Baseline, Findings};

use crate::noise;
use crate::set::{Item, Set};

/// More than any earlier limit.
const TRAINING: usize = 5_200;
const TEST: usize = 300;

/// Pictures whose class shows only in similar pictures, and test pictures made by `test` from the
/// number of a training picture: mostly ones that a draw of 2,000 would miss.
fn findings(test: impl Fn(usize) -> Item + Sync) -> Findings {
    let training =
        |number| Item::new(&noise::picture(number), noise::class_of(number, 2), Split::Train);
    let mut items: Vec<Item> = (0..TRAINING).into_par_iter().map(training).collect();
    let tested = (0..TEST).into_par_iter().map(|at| test(at * TRAINING / TEST + 7));
    items.par_extend(tested);
    Set { names: ClassIndices::of_names(["a", "b"]), items }.findings(1)
}

fn accuracy(findings: &Findings, baseline: Baseline) -> f64 {
    let found = findings.report.baselines.iter().find(|it| it.baseline == baseline).unwrap();
    assert_eq!((found.fitted_on.images, found.fitted_on.of), (TRAINING, TRAINING));
    found.scores[0].all.accuracy
}

#[test]
fn every_copy_is_found_among_more_images_than_any_limit() {
    let findings = findings(|number| {
        Item::new(&noise::near_copy(number, 0), noise::class_of(number, 2), Split::Test)
    });
    // With a draw of 2,000 it would be right on 2/5.2 of them, and on half of the others: 0.69.
    let found = accuracy(&findings, Baseline::THUMBNAIL_NEIGHBOUR);
    assert!(found >= 0.99, "{found}");
    assert!(findings.report.baselines.iter().all(|it| it.fitted_on.is_all()));
}

#[test]
fn where_there_are_no_copies_nothing_is_found() {
    let findings = findings(|number| {
        let fresh = number + 1_000_000;
        Item::new(&noise::picture(fresh), noise::class_of(fresh, 2), Split::Test)
    });
    for baseline in Baseline::all() {
        // 300 random guesses: 0.5 with a standard deviation of 0.029.
        let found = accuracy(&findings, baseline);
        assert!((0.39..=0.61).contains(&found), "{baseline:?}: {found}");
    }
    assert_eq!(findings.report.verdict.shortcuts, []);
}
