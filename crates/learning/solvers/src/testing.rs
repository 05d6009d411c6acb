//! Training images for tests, drawn by a seed.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use crate::{Choice, Cut, Labelled, Rows};

/// Images of classes that lie around the corners of a simplex, one after the other.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) features: Vec<f32>,
    pub(crate) labels: Vec<usize>,
    columns: usize,
    classes: usize,
}

impl Drawn {
    pub(crate) fn new(images: usize, columns: usize, classes: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(images as u64);
        let labels: Vec<usize> = (0..images).map(|image| image % classes).collect();
        let mut feature = |label: usize, column: usize| {
            let noise: f32 = StandardNormal.sample(&mut random);
            noise + if column % classes == label { 1.0 } else { 0.0 }
        };
        let mut features = Vec::with_capacity(images * columns);
        for &label in &labels {
            features.extend((0..columns).map(|column| feature(label, column)));
        }
        Self { features, labels, columns, classes }
    }

    pub(crate) fn data(&self) -> Labelled<'_> {
        let rows = Rows::new(&self.features, self.columns).unwrap();
        let (labels, classes) = (&self.labels, self.classes);
        Labelled { rows, labels, classes, class_weights: None }
    }
}

/// One cut, `all`, of the first columns, and a second, `half`, of half of them.
pub(crate) fn cuts(columns: usize) -> [Cut; 2] {
    let cut = |name: &str, end| Cut { name: name.to_owned(), columns: 0..end };
    [cut("all", columns), cut("half", columns / 2)]
}

pub(crate) fn choice(strength: f64, width: Option<f64>) -> Choice {
    Choice { cuts: vec!["all".to_owned()], strength, width }
}

/// The result of some work on this many threads.
pub(crate) fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}
