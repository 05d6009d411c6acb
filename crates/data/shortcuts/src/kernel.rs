//! The model's own kind of head, on a baseline's input.

use std::collections::BTreeMap;

use dataset::GroupNumber;
use metrics::{Temperature, softmax_with_temperature};
use solvers::{Choice, Cut, Fitted, Kind, Labelled, SearchSpace, Searched};

use crate::random;

/// Folds of the cross-validation that chooses strength and width.
const FOLDS: usize = 5;

/// The values to choose from.
const STRENGTHS: [f64; 3] = [1.0, 10.0, 100.0];
const WIDTHS: [f64; 4] = [1.0 / 16.0, 0.25, 1.0, 4.0];

/// Used if a class has images of one group only, so that none can be held out.
const STRENGTH_UNCHOSEN: f64 = 10.0;
const WIDTH_UNCHOSEN: f64 = 1.0;

/// Strength and width are chosen on about this many training images, in whole groups, with each
/// class in its share; the final fit uses all of them.
const MOST_CHOOSING_IMAGES: usize = 2_000;

/// The least number of images of a class among these, unless it has fewer.
const LEAST_OF_CLASS: usize = 50;

/// The stream of random numbers that draws them.
const STREAM: u64 = 1 << 33;

/// The name of all columns together.
const ALL_COLUMNS: &str = "all";

/// A support vector machine with a Gaussian kernel, and probabilities.
pub(crate) struct Kernel {
    fitted: Fitted,
    temperature: Temperature,
    /// The classes that were trained on, of all classes.
    known: Vec<usize>,
    classes: usize,
    columns: usize,
    /// How it was fitted, for people.
    pub(crate) remark: String,
}

/// Rows to learn from: `values` are `[images, columns]`.
pub(crate) struct KernelTrainingSet<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) columns: usize,
    pub(crate) labels: &'a [usize],
    pub(crate) groups: &'a [GroupNumber],
    pub(crate) classes: usize,
    pub(crate) seed: u64,
}

impl Kernel {
    /// Chooses strength and width by grouped cross-validation, fits them on all rows, and uses the
    /// temperature that fits the held-out rows best.
    pub(crate) fn fit(lesson: &KernelTrainingSet<'_>) -> solvers::Result<Self> {
        let mut known = lesson.labels.to_vec();
        known.sort_unstable();
        known.dedup();
        let place = |label: &usize| known.partition_point(|class| class < label);
        let labels: Vec<usize> = lesson.labels.iter().map(place).collect();
        let cuts = [Cut { name: ALL_COLUMNS.into(), columns: 0..lesson.columns }];

        let choosing = choosing(&labels, lesson.groups, lesson.seed);
        let (choice, temperature, remark) =
            match lesson.search(&labels, known.len(), &choosing, &cuts) {
                Ok(searched) => {
                    let chosen = &searched.search.candidates[searched.search.chosen];
                    let temperature =
                        Temperature::new(chosen.temperature).unwrap_or(Temperature::ONE);
                    let remark = in_words(&searched, choosing.len(), labels.len());
                    (searched.search.choice().clone(), temperature, remark)
                }
                // The last case: all images except those of one fold look the same.
                Err(
                    solvers::Error::TooFewGroups { .. }
                    | solvers::Error::NoFolds
                    | solvers::Error::NothingVaries,
                ) => {
                    let choice = Choice {
                        cuts: vec![ALL_COLUMNS.into()],
                        strength: STRENGTH_UNCHOSEN,
                        width: Some(WIDTH_UNCHOSEN),
                    };
                    let remark = format!(
                        "strength {STRENGTH_UNCHOSEN} and width {WIDTH_UNCHOSEN}: too few groups \
                         to choose by cross-validation"
                    );
                    (choice, Temperature::ONE, remark)
                }
                Err(error) => return Err(error),
            };
        let data = Labelled {
            rows: solvers::Rows::new(lesson.values, lesson.columns)?,
            labels: &labels,
            classes: known.len(),
            class_weights: None,
        };
        let fitted = solvers::kernel::fit(&data, &cuts, &choice, lesson.seed)?;
        let (classes, columns) = (lesson.classes, lesson.columns);
        Ok(Self { fitted, temperature, known, classes, columns, remark })
    }

    /// Probabilities `[rows, classes]`, row by row; a class that was not trained on has 0.
    ///
    /// # Errors
    /// When the values do not fill rows.
    pub(crate) fn probabilities(&self, values: &[f32]) -> solvers::Result<Vec<f64>> {
        let logits = self.fitted.logits(&solvers::Rows::new(values, self.columns)?)?;
        let mut probabilities = vec![0.0; logits.len() * self.classes];
        for (row, logits) in probabilities.chunks_exact_mut(self.classes).zip(logits) {
            let logits: Vec<f64> = logits.into_iter().map(f64::from).collect();
            let shares = softmax_with_temperature(&logits, self.temperature);
            for (class, share) in self.known.iter().zip(shares) {
                row[*class] = share;
            }
        }
        Ok(probabilities)
    }
}

impl KernelTrainingSet<'_> {
    fn search(
        &self,
        labels: &[usize],
        classes: usize,
        images: &[usize],
        cuts: &[Cut],
    ) -> solvers::Result<Searched> {
        let row = |image: &usize| &self.values[*image * self.columns..][..self.columns];
        let values: Vec<f32> = images.iter().flat_map(row).copied().collect();
        let labels: Vec<usize> = images.iter().map(|image| labels[*image]).collect();
        let groups: Vec<GroupNumber> = images.iter().map(|image| self.groups[*image]).collect();
        let data = Labelled {
            rows: solvers::Rows::new(&values, self.columns)?,
            labels: &labels,
            classes,
            class_weights: None,
        };
        let space = SearchSpace {
            folds: FOLDS,
            seed: self.seed,
            strengths: STRENGTHS.into(),
            widths: WIDTHS.into(),
            cuts: vec![vec![ALL_COLUMNS.into()]],
        };
        solvers::search(Kind::Kernel, &data, &groups, cuts, &space, &|_, _| ())
    }
}

fn in_words(searched: &Searched, images: usize, of: usize) -> String {
    let Choice { strength, width, .. } = searched.search.choice();
    let chosen = &searched.search.candidates[searched.search.chosen];
    let share = if images == of { String::new() } else { format!(" of {of}") };
    format!(
        "strength {strength}, width {}: chosen by {} folds that keep groups whole, on {images}{share} \
         training images (accuracy there {:.3} ± {:.3})",
        width.unwrap_or(WIDTH_UNCHOSEN),
        searched.search.folds,
        chosen.accuracy,
        chosen.standard_error
    )
}

/// The images that strength and width are chosen on, in order.
fn choosing(labels: &[usize], groups: &[GroupNumber], seed: u64) -> Vec<usize> {
    if labels.len() <= MOST_CHOOSING_IMAGES {
        return (0..labels.len()).collect();
    }
    // The groups of each class; a group belongs to the class of its first image.
    let mut members: BTreeMap<GroupNumber, Vec<usize>> = BTreeMap::new();
    for (image, group) in groups.iter().enumerate() {
        members.entry(*group).or_default().push(image);
    }
    let mut of_class: BTreeMap<usize, Vec<Vec<usize>>> = BTreeMap::new();
    for members in members.into_values() {
        of_class.entry(labels[members[0]]).or_default().push(members);
    }
    let mut drawn = Vec::new();
    for (class, mut groups) in of_class {
        random::shuffle(&mut groups, &mut random::stream(seed, STREAM + class as u64));
        let images: usize = groups.iter().map(Vec::len).sum();
        let share = (MOST_CHOOSING_IMAGES * images).div_ceil(labels.len()).max(LEAST_OF_CLASS);
        let mut taken = 0;
        for (number, members) in groups.into_iter().enumerate() {
            // At least one group for each fold.
            if taken >= share && number >= FOLDS {
                break;
            }
            taken += members.len();
            drawn.extend(members);
        }
    }
    drawn.sort_unstable();
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ring around a disc: no line separates them. Of three classes the second has no image.
    fn rings(images: usize) -> (Vec<f32>, Vec<usize>, Vec<GroupNumber>) {
        let point = |at: usize| {
            let (angle, label) = (at as f32 * 2.4, at % 2);
            let radius = if label == 0 { 1.0 } else { 3.0 } + (at % 5) as f32 / 10.0;
            [radius * angle.cos(), radius * angle.sin()]
        };
        let labels = (0..images).map(|at| 2 * (at % 2)).collect();
        let groups = (0..images).map(|at| GroupNumber((at / 4) as u32)).collect();
        ((0..images).flat_map(point).collect(), labels, groups)
    }

    fn fit(values: &[f32], labels: &[usize], groups: &[GroupNumber]) -> Kernel {
        let lesson = KernelTrainingSet { values, columns: 2, labels, groups, classes: 3, seed: 1 };
        Kernel::fit(&lesson).unwrap()
    }

    #[test]
    fn what_no_line_tells_apart_is_told_with_probabilities() {
        let (values, labels, groups) = rings(120);
        let kernel = fit(&values, &labels, &groups);
        let rows = kernel.probabilities(&values).unwrap();
        for (row, label) in rows.chunks_exact(3).zip(labels) {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-9 && row[1] == 0.0, "{row:?}");
            assert!(row[label] > 0.9, "{row:?}");
        }
        assert!(kernel.remark.contains("5 folds that keep groups whole, on 120 training images"));
    }

    #[test]
    fn without_groups_to_hold_out_it_is_fitted_all_the_same_and_says_so() {
        let (values, labels, _) = rings(40);
        let groups = vec![GroupNumber(0); 40];
        let kernel = fit(&values, &labels, &groups);
        assert!(kernel.remark.contains("too few groups"), "{}", kernel.remark);
        let rows = kernel.probabilities(&values).unwrap();
        assert!(rows.chunks_exact(3).zip(labels).all(|(row, label)| row[label] > 0.5));
    }

    #[test]
    fn of_many_images_whole_groups_of_every_class_choose() {
        let labels: Vec<usize> = (0..6_000).map(|at| usize::from(at >= 5_940)).collect();
        let groups: Vec<GroupNumber> = (0..6_000).map(|at| GroupNumber(at / 4)).collect();
        let drawn = choosing(&labels, &groups, 1);
        assert!((2_000..2_100).contains(&drawn.len()), "{}", drawn.len());
        assert!(drawn.chunks_exact(4).all(|group| group[0] / 4 == group[3] / 4));
        assert_eq!(drawn.iter().filter(|image| labels[**image] == 1).count(), 52);
        assert_ne!(drawn, choosing(&labels, &groups, 2));
        assert_eq!(choosing(&labels[..2_000], &groups[..2_000], 1).len(), 2_000);
    }
}
