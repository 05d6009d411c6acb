//! How much a constant added to each class's score could change a predictor's accuracy.

use crate::predictions::Predictions;

/// A probability of 0 has no logarithm: below this, all count the same.
const LEAST_PROBABILITY: f64 = 1e-12;

/// Rounds of searching for better offsets, class by class; it usually ends after three.
const ROUNDS: usize = 20;

/// A class, and the log probability of each.
type Row = (usize, Vec<f64>);

/// The constants to add to the log probability of each class for the highest accuracy.
///
/// Found on the same labels that it is scored on: an upper bound of a correction's effect, and
/// never to be applied.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassOffsets {
    /// In nats, by class; the first is 0.
    pub offsets: Vec<f64>,
    /// The share of images whose class is then predicted; at least the predictor's own.
    pub accuracy: f64,
}

impl ClassOffsets {
    /// Searches for the best offsets by coordinate ascent: for one class after the other the best
    /// of all values, with the others fixed, until no class can be improved. It starts once without
    /// offsets and once from offsets that give every class the same mean, and the better end
    /// counts. Each step is exact; the end may be a local maximum, so that the true bound may be
    /// higher. `None` if there are no images.
    pub fn best(predictions: &Predictions) -> Option<Self> {
        if predictions.is_empty() {
            return None;
        }
        let rows: Vec<Row> = predictions
            .rows()
            .map(|(actual, row)| (actual.0, row.iter().map(|it| log_probability(*it)).collect()))
            .collect();
        let classes = predictions.classes();
        let (none, level) = (vec![0.0; classes], levelling(&rows, classes));
        let (from_none, from_level) = (climb(&rows, none), climb(&rows, level));
        let (mut offsets, right) = if from_level.1 > from_none.1 { from_level } else { from_none };
        let first = offsets[0];
        offsets.iter_mut().for_each(|offset| *offset -= first);
        Some(Self { offsets, accuracy: right as f64 / rows.len() as f64 })
    }
}

/// Improves one class after the other; returns the final offsets, and how many images they get
/// right.
fn climb(rows: &[Row], mut offsets: Vec<f64>) -> (Vec<f64>, usize) {
    let mut right = right(rows, &offsets);
    for _ in 0..ROUNDS {
        let before = right;
        for class in 0..offsets.len() {
            let (offset, found) = best_of_class(rows, &offsets, class);
            if found > right {
                (offsets[class], right) = (offset, found);
            }
        }
        if right == before {
            break;
        }
    }
    (offsets, right)
}

/// The offsets that move each class's mean over the images to 0.
fn levelling(rows: &[Row], classes: usize) -> Vec<f64> {
    let mean = |class: usize| crate::mean(rows.iter().map(|(_, row)| row[class])).unwrap_or(0.0);
    (0..classes).map(|class| -mean(class)).collect()
}

/// The natural logarithm of a probability, of at least 1e-12.
pub fn log_probability(probability: f64) -> f64 {
    probability.max(LEAST_PROBABILITY).ln()
}

fn right(rows: &[Row], offsets: &[f64]) -> usize {
    rows.iter().filter(|(actual, row)| best_class(row, offsets, None) == Some(*actual)).count()
}

/// The class with the highest sum, the first of equals; `without` is left out.
fn best_class(row: &[f64], offsets: &[f64], without: Option<usize>) -> Option<usize> {
    let sums = row.iter().zip(offsets).map(|(value, offset)| value + offset).enumerate();
    sums.filter(|(class, _)| Some(*class) != without)
        .reduce(|best, it| if it.1 > best.1 { it } else { best })
        .map(|(class, _)| class)
}

/// The offset of `class` that gets the most images right, and their number.
///
/// An image is assigned to the class if the offset is above the lead of the best other class.
/// Nothing changes between two leads, so that only the midpoints have to be tried.
fn best_of_class(rows: &[Row], offsets: &[f64], class: usize) -> (f64, usize) {
    let mut right_below = 0;
    let mut leads = Vec::with_capacity(rows.len());
    for (actual, row) in rows {
        let Some(other) = best_class(row, offsets, Some(class)) else { continue };
        right_below += usize::from(other == *actual);
        let change = i64::from(*actual == class) - i64::from(other == *actual);
        leads.push((row[other] + offsets[other] - row[class], change));
    }
    leads.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut right = right_below as i64;
    let mut best = (leads.first().map_or(0.0, |(lead, _)| lead - 1.0), right);
    for (at, (lead, change)) in leads.iter().enumerate() {
        right += change;
        let next = leads.get(at + 1).map_or(lead + 2.0, |(next, _)| *next);
        if next > *lead && right > best.1 {
            best = ((lead + next) / 2.0, right);
        }
    }
    (best.0, best.1.max(0) as usize)
}

#[cfg(test)]
mod tests {
    use dataset::ClassIndex;

    use super::*;

    /// Softmax of logits.
    fn row(logits: [f64; 3]) -> Vec<f64> {
        let sum: f64 = logits.iter().map(|it| it.exp()).sum();
        logits.iter().map(|it| it.exp() / sum).collect()
    }

    /// Three classes distinguished by a logit of 2 against 0; one class's logit is shifted.
    fn shifted(shift: f64) -> Predictions {
        let rows = (0..30).map(|number: usize| {
            let actual = number % 3;
            let mut logits = [0.0; 3];
            logits[actual] = 2.0 + number as f64 / 100.0;
            logits[2] += shift;
            (ClassIndex(actual), row(logits))
        });
        Predictions::new(3, rows).unwrap()
    }

    #[test]
    fn a_shift_of_one_class_is_taken_back() {
        let moved = shifted(5.0);
        assert!((moved.confusion_matrix().accuracy() - 1.0 / 3.0).abs() < 1e-12);
        let found = ClassOffsets::best(&moved).unwrap();
        assert_eq!(found.accuracy, 1.0);
        // Anything between a lead of 3.0 and one of 7.0 gets all right.
        assert!((-7.0..-3.0).contains(&found.offsets[2]), "{found:?}");
        assert_eq!(found.offsets[0], 0.0);
    }

    #[test]
    fn what_is_right_already_stays() {
        let found = ClassOffsets::best(&shifted(0.0)).unwrap();
        assert_eq!(found, ClassOffsets { offsets: vec![0.0; 3], accuracy: 1.0 });
    }

    #[test]
    fn no_offset_helps_where_the_order_is_wrong() {
        let rows = [(0, 0.3), (0, 0.2), (1, 0.7), (1, 0.8)];
        let rows = rows.map(|(actual, first)| (ClassIndex(actual), [first, 1.0 - first]));
        let found = ClassOffsets::best(&Predictions::new(2, rows).unwrap()).unwrap();
        assert_eq!(found.accuracy, 0.5, "one class for all images is the best there is");
    }

    #[test]
    fn a_probability_of_zero_is_no_infinity() {
        let rows = [(0, 0.0), (1, 1.0)];
        let rows = rows.map(|(actual, first)| (ClassIndex(actual), [first, 1.0 - first]));
        let found = ClassOffsets::best(&Predictions::new(2, rows).unwrap()).unwrap();
        assert!(found.offsets.iter().all(|offset| offset.is_finite()), "{found:?}");
        let none = Predictions::new(2, [] as [(ClassIndex, [f64; 2]); 0]).unwrap();
        assert_eq!(ClassOffsets::best(&none), None);
    }
}
