//! Random forests.
//!
//! Written here because the available libraries are not sufficient. smartcore's trees miss cuts
//! between values that many rows share, such as sizes in pixels or yes and no, which costs a third
//! of the accuracy on the metadata of real scans. Neither smartcore's nor linfa's forests give
//! probabilities, which the AUROC needs.
//! which there is no AUROC.

use picture_checks::Facts;
use rayon::prelude::*;

use crate::features::Feature;
use crate::random;
use crate::table::Table;
use crate::tree::{Labels, Tree, TreeTrainingSet, bootstrap};

/// Trees of a forest, as scikit-learn's default.
const TREES: usize = 100;

/// How many of the features are tried at each branch of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FeaturesPerBranch {
    /// The square root of their number, as scikit-learn: for many informative features.
    SquareRoot,
    /// A third: for features of which one may decide everything, such as the cell that holds a
    /// mark. Of a hundred features the square root would leave it out of nine branches in ten.
    Third,
}

impl FeaturesPerBranch {
    fn of(self, features: usize) -> usize {
        let tried = match self {
            Self::SquareRoot => features.isqrt(),
            Self::Third => features / 3,
        };
        tried.max(1)
    }
}

/// A random forest (Breiman 2001) as scikit-learn's `RandomForestClassifier`: trees grown until
/// leaves are pure, each on a bootstrap draw of the pictures; its probabilities are the mean of the
/// trees'. Each tree has its own random numbers, whatever thread grows it.
pub(crate) struct Forest {
    features: Vec<Feature>,
    trees: Vec<Tree>,
}

impl Forest {
    /// Grows a forest on pictures and their labels. Forests of different `stream` share no random
    /// numbers.
    pub(crate) fn fit(
        features: Vec<Feature>,
        tried: FeaturesPerBranch,
        pictures: &[&Facts],
        labels: Labels<'_>,
        seed: u64,
        stream: u64,
    ) -> Self {
        let trees = grow(&table(&features, pictures), tried, labels, seed, stream);
        Self { features, trees }
    }

    /// The probability of each class: `[pictures, classes]`, row by row.
    pub(crate) fn probabilities(&self, pictures: &[&Facts]) -> Vec<f64> {
        pictures
            .par_iter()
            .flat_map_iter(|facts| {
                let row: Vec<f32> = self.features.iter().map(|feature| feature.of(facts)).collect();
                mean_shares(&self.trees, &row)
            })
            .collect()
    }
}

fn grow(
    table: &Table,
    tried: FeaturesPerBranch,
    labels: Labels<'_>,
    seed: u64,
    stream: u64,
) -> Vec<Tree> {
    let lesson = TreeTrainingSet { table, labels, tried: tried.of(table.columns()) };
    let tree = |number: usize| {
        let mut random = random::stream(seed, stream * TREES as u64 + number as u64);
        let drawn = bootstrap(labels, &mut random);
        Tree::grow(&lesson, drawn, &mut random)
    };
    (0..TREES).into_par_iter().map(tree).collect()
}

/// Summed in the order of the trees.
fn mean_shares(trees: &[Tree], row: &[f32]) -> Vec<f64> {
    let mut sums = trees[0].shares(row).to_vec();
    for tree in &trees[1..] {
        sums.iter_mut().zip(tree.shares(row)).for_each(|(sum, share)| *sum += share);
    }
    sums.iter_mut().for_each(|sum| *sum /= trees.len() as f64);
    sums
}

fn table(features: &[Feature], pictures: &[&Facts]) -> Table {
    Table::new(pictures.len(), features.len(), |column, row| features[column].of(pictures[row]))
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
        let labels: Vec<usize> = (0..40).map(|at| usize::from(at % 3 == 0)).collect();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let labels = Labels { of_rows: &labels, classes: 3 };
            let features = Feature::histogram();
            let forest =
                Forest::fit(features, FeaturesPerBranch::SquareRoot, &pictures, labels, seed, 0);
            forest.probabilities(&pictures)
        })
    }

    #[test]
    fn probabilities_are_those_of_the_seed_for_any_number_of_threads() {
        assert_eq!(probabilities(1, 1), probabilities(1, 3));
        assert_ne!(probabilities(1, 1), probabilities(2, 1));
    }

    #[test]
    fn probabilities_add_up_and_a_class_that_was_not_seen_has_none() {
        for row in probabilities(1, 2).chunks_exact(3) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12 && row[2] == 0.0, "{row:?}");
        }
    }

    #[test]
    fn a_forest_learns_what_one_threshold_tells() {
        let pictures: Vec<Facts> = (0..60).map(|at| facts_of(10 + at, 10, |_, _| 0)).collect();
        let pictures: Vec<&Facts> = pictures.iter().collect();
        let labels: Vec<usize> = (0..60).map(|at| usize::from(at >= 30)).collect();
        let known = Labels { of_rows: &labels, classes: 2 };
        let forest = Forest::fit(
            vec![Feature::Width],
            FeaturesPerBranch::SquareRoot,
            &pictures,
            known,
            3,
            0,
        );
        let told = forest.probabilities(&pictures);
        for (at, row) in told.chunks_exact(2).enumerate() {
            // Next to the threshold a tree is wrong if it did not draw the picture.
            let least = if (26..34).contains(&at) { 0.5 } else { 0.95 };
            assert!(row[labels[at]] > least, "{at}: {row:?}");
        }
    }

    /// Rows of four columns, class by class in turn: one that depends a little on the class, one of
    /// few values, one of noise, and a yes or no.
    fn toy(rows: usize) -> (Vec<[f32; 4]>, Vec<usize>) {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 24
        };
        let mut row = |class: usize| {
            let drawn = [(); 4].map(|()| next());
            [
                drawn[0] + 40 * class as u32,
                drawn[1] / 64 + class as u32 / 2,
                drawn[2],
                u32::from(drawn[3] >= if class == 1 { 160 } else { 96 }),
            ]
            .map(|value| value as f32)
        };
        let labels: Vec<usize> = (0..rows).map(|at| at % 3).collect();
        (labels.iter().map(|class| row(*class)).collect(), labels)
    }

    #[test]
    fn probabilities_are_those_of_scikit_learn() {
        // RandomForestClassifier(100, random_state=s).fit(rows, labels).predict_proba(asked):
        // the mean over 60 states; a single forest is within 0.052 of it (one standard deviation).
        let asked = [
            ([20.0, 0.0, 128.0, 0.0], [0.175, 0.824, 0.001]),
            ([128.0, 2.0, 60.0, 1.0], [0.633, 0.054, 0.313]),
            ([180.0, 1.0, 200.0, 0.0], [0.218, 0.127, 0.655]),
            ([300.0, 4.0, 100.0, 1.0], [0.004, 0.040, 0.956]),
        ];
        let (rows, labels) = toy(150);
        let table = Table::new(rows.len(), 4, |column, row| rows[row][column]);
        let labels = Labels { of_rows: &labels, classes: 3 };
        let forests: Vec<Vec<Tree>> = (0..30)
            .map(|seed| grow(&table, FeaturesPerBranch::SquareRoot, labels, seed, 0))
            .collect();
        for (row, expected) in asked {
            let mut mean = [0.0; 3];
            for forest in &forests {
                for (class, share) in mean_shares(forest, &row).into_iter().enumerate() {
                    mean[class] += share / forests.len() as f64;
                }
            }
            for (found, expected) in mean.into_iter().zip(expected) {
                // Standard error of the difference: 0.052 * sqrt(1 / 30 + 1 / 60) = 0.012.
                assert!((found - expected).abs() < 0.045, "{row:?}: {mean:?}, {expected}");
            }
        }
    }

    #[test]
    fn at_least_one_feature_is_tried() {
        assert_eq!(
            [1, 4, 31, 32, 112].map(|count| FeaturesPerBranch::SquareRoot.of(count)),
            [1, 2, 5, 5, 10]
        );
        assert_eq!(
            [1, 4, 31, 32, 112].map(|count| FeaturesPerBranch::Third.of(count)),
            [1, 1, 10, 10, 37]
        );
    }
}
