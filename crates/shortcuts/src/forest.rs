//! Random forests with probabilities.

use picture_checks::Facts;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;
use smartcore::ensemble::random_forest_classifier::{
    RandomForestClassifier, RandomForestClassifierParameters,
};
use smartcore::error::Failed;
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::features::Feature;

/// Trees of a forest, as scikit-learn's default.
const TREES: usize = 100;

/// Pictures that are voted on at a time: bounds the memory for their features.
const PICTURES_AT_A_TIME: usize = 1_000;

type Tree = RandomForestClassifier<f32, u32, DenseMatrix<f32>, Vec<u32>>;

/// A random forest. smartcore's gives no probabilities, so that this is a hundred forests of one
/// tree, whose votes are counted: the same trees (a bootstrap draw within each class, the square
/// root of the features tried at each split, grown until leaves are pure), each by a seed of its
/// own, on any thread.
pub(crate) struct Forest {
    features: Vec<Feature>,
    trees: Vec<Tree>,
}

impl Forest {
    /// Grows a forest on pictures and their classes. There must be at least two classes, and a
    /// feature that varies.
    ///
    /// # Errors
    /// When smartcore refuses the training set.
    pub(crate) fn fit(
        features: Vec<Feature>,
        pictures: &[&Facts],
        classes: &[usize],
        seed: u64,
        stream: u64,
    ) -> Result<Self, Failed> {
        let table = table(&features, pictures)?;
        let classes: Vec<u32> = classes.iter().map(|class| *class as u32).collect();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(stream);
        let seeds: Vec<u64> = (0..TREES).map(|_| random.next_u64()).collect();
        let grow = |seed: u64| {
            let parameters =
                RandomForestClassifierParameters::default().with_n_trees(1).with_seed(seed);
            Tree::fit(&table, &classes, parameters)
        };
        let trees = seeds.into_par_iter().map(grow).collect::<Result<_, _>>()?;
        Ok(Self { features, trees })
    }

    /// The share of the trees that vote for each of `classes` classes: `[pictures, classes]`, row by
    /// row.
    ///
    /// # Errors
    /// When smartcore refuses the pictures.
    pub(crate) fn probabilities(
        &self,
        pictures: &[&Facts],
        classes: usize,
    ) -> Result<Vec<f64>, Failed> {
        let mut probabilities = Vec::with_capacity(pictures.len() * classes);
        for pictures in pictures.chunks(PICTURES_AT_A_TIME) {
            let votes = self.votes(pictures, classes)?;
            probabilities.extend(votes.into_iter().map(|votes| votes as f64 / TREES as f64));
        }
        Ok(probabilities)
    }

    fn votes(&self, pictures: &[&Facts], classes: usize) -> Result<Vec<usize>, Failed> {
        let table = table(&self.features, pictures)?;
        let none = || vec![0_usize; pictures.len() * classes];
        self.trees
            .par_iter()
            .map(|tree| tree.predict(&table))
            .try_fold(none, |mut votes, predicted| {
                for (row, class) in votes.chunks_exact_mut(classes).zip(predicted?) {
                    row[class as usize] += 1;
                }
                Ok(votes)
            })
            .try_reduce(none, |mut votes, others| {
                votes.iter_mut().zip(others).for_each(|(votes, others)| *votes += others);
                Ok(votes)
            })
    }
}

/// Features by columns: trees go through one feature of many pictures at a time.
fn table(features: &[Feature], pictures: &[&Facts]) -> Result<DenseMatrix<f32>, Failed> {
    let column = |feature: Feature| pictures.iter().map(move |facts| feature.of(facts));
    let values = features.iter().copied().flat_map(column).collect();
    DenseMatrix::new(pictures.len(), features.len(), values, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::tests::facts_of;

    fn probabilities(seed: u64, threads: usize) -> Vec<f64> {
        let pictures: Vec<Facts> = (0..40_u8)
            .map(|at| facts_of(8 + u32::from(at % 7), 8, |x, _| at * (x as u8)))
            .collect();
        let pictures: Vec<&Facts> = pictures.iter().collect();
        let classes: Vec<usize> = (0..40).map(|at| usize::from(at % 3 == 0)).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let forest = Forest::fit(Feature::histogram(), &pictures, &classes, seed, 0).unwrap();
            forest.probabilities(&pictures, 3).unwrap()
        })
    }

    #[test]
    fn probabilities_are_those_of_the_seed_for_any_number_of_threads() {
        assert_eq!(probabilities(1, 1), probabilities(1, 3));
        assert_ne!(probabilities(1, 1), probabilities(2, 1));
    }

    #[test]
    fn votes_are_shares_and_a_class_that_was_not_seen_gets_none() {
        for row in probabilities(1, 2).chunks_exact(3) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12 && row[2] == 0.0, "{row:?}");
        }
    }

    #[test]
    fn a_forest_learns_what_one_threshold_tells() {
        let pictures: Vec<Facts> = (0..60).map(|at| facts_of(10 + at, 10, |_, _| 0)).collect();
        let pictures: Vec<&Facts> = pictures.iter().collect();
        let classes: Vec<usize> = (0..60).map(|at| usize::from(at >= 30)).collect();
        let (odd, even): (Vec<_>, Vec<_>) = (0..60).partition(|at| at % 2 == 1);
        let of = |at: &[usize]| at.iter().map(|at| pictures[*at]).collect::<Vec<_>>();
        let known: Vec<usize> = odd.iter().map(|at| classes[*at]).collect();
        let forest = Forest::fit(vec![Feature::Width], &of(&odd), &known, 3, 0).unwrap();
        let told = forest.probabilities(&of(&even), 2).unwrap();
        for (row, at) in told.chunks_exact(2).zip(even) {
            if !(28..=31).contains(&at) {
                assert!(row[classes[at]] > 0.9, "{at}: {row:?}");
            }
        }
    }
}
