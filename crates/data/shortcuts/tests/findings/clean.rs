//! No shortcut is claimed without one.

use dataset::FittedOn;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use shortcuts::Baseline;

use crate::phantoms::set;

#[test]
fn the_sample_set_is_not_accused() {
    for seed in 1..=3 {
        let report = set(120, seed, |_| ()).findings(seed).report;
        let verdict = report.verdict;
        assert_eq!((verdict.images, verdict.pairs.len()), (48, 18));
        assert_eq!(verdict.shortcuts, [], "seed {seed}");
        assert_eq!(verdict.in_words.len(), 1);
        assert!(verdict.in_words[0].starts_with("No shortcut found"), "{:?}", verdict.in_words);
    }
}

#[test]
fn shuffled_labels_are_never_told_apart() {
    // Pictures that differ in everything that baselines use, so that there is much to memorise.
    let mut set = set(80, 21, |drawn| {
        if drawn.number % 2 == 0 {
            drawn.picture.pixels_mut().for_each(|pixel| pixel.0[0] /= 2);
        }
    });
    for seed in 1..=20 {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        for at in (1..set.items.len()).rev() {
            let other = (random.next_u64() % (at as u64 + 1)) as usize;
            let class = set.items[other].class;
            set.items[other].class = set.items[at].class;
            set.items[at].class = class;
        }
        assert_eq!(set.claims(seed), [], "seed {seed}");
    }
}

#[test]
fn findings_do_not_depend_on_the_number_of_threads() {
    let set = set(40, 31, |_| ());
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| set.findings(3))
    };
    let alone = with(1);
    for threads in [2, 5] {
        let together = with(threads);
        assert_eq!(alone, together);
        let json = |it| serde_json::to_string(it).unwrap();
        assert_eq!(json(&alone.report), json(&together.report));
    }
    assert_ne!(alone.predictions, set.findings(4).predictions);
}

#[test]
fn every_image_outside_of_training_is_predicted_by_every_baseline() {
    let set = set(20, 41, |_| ());
    let findings = set.findings(1);
    let handed_on = findings.by_path(|at| format!("{at:02}.png"));
    assert_eq!(handed_on.len(), Baseline::all().count());
    // The fourth and the fifth of five of each class; classes take turns.
    let expected: Vec<String> =
        (0..20).filter(|at| at / 4 % 5 >= 3).map(|at| format!("{at:02}.png")).collect();
    for (baseline, handed_on) in Baseline::all().zip(handed_on) {
        assert_eq!((&handed_on.name, handed_on.kind), (&baseline.name(), baseline.kind()));
        assert_eq!(handed_on.fitted_on, FittedOn::all(12));
        assert!(handed_on.images.keys().eq(&expected), "{:?}", handed_on.images.keys());
        for row in handed_on.images.values() {
            assert_eq!(row.len(), 4);
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{row:?}");
        }
    }
}
