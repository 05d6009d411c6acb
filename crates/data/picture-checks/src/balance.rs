use dataset::{ClassIndex, Split};
use serde::Serialize;

/// How many images each class has in each split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassBalance {
    /// The splits that have images, in the order train, valid, test.
    pub splits: Vec<SplitBalance>,
}

/// How many images each class has in one split.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SplitBalance {
    /// The split.
    pub split: Split,
    /// Its images.
    pub images: u64,
    /// Its images of each class, in class order.
    pub images_by_class: Vec<u64>,
    /// Images of the largest class over those of the smallest. None where a class has no image.
    pub largest_to_smallest: Option<f64>,
    /// Share of the images that are of the largest class: the accuracy of always predicting it.
    pub majority_share: f64,
}

impl ClassBalance {
    /// Counts images, given the number of classes and the class and split of each image. Classes
    /// beyond the last are not counted.
    pub fn of(classes: usize, images: impl IntoIterator<Item = (ClassIndex, Split)>) -> Self {
        let mut counts = Split::ALL.map(|split| (split, vec![0_u64; classes]));
        for (class, split) in images {
            for (_, by_class) in counts.iter_mut().filter(|(of, _)| *of == split) {
                if let Some(count) = by_class.get_mut(class.0) {
                    *count += 1;
                }
            }
        }
        let splits = counts
            .into_iter()
            .filter(|(_, by_class)| by_class.iter().any(|count| *count > 0))
            .map(|(split, by_class)| SplitBalance::new(split, by_class))
            .collect();
        Self { splits }
    }
}

impl SplitBalance {
    fn new(split: Split, images_by_class: Vec<u64>) -> Self {
        let images: u64 = images_by_class.iter().sum();
        let largest = images_by_class.iter().copied().max().unwrap_or(0) as f64;
        let smallest = images_by_class.iter().copied().min().unwrap_or(0) as f64;
        Self {
            split,
            images,
            largest_to_smallest: (smallest > 0.0).then(|| largest / smallest),
            majority_share: largest / images.max(1) as f64,
            images_by_class,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_counted_by_split_and_class() {
        let images = [
            (ClassIndex(0), Split::Test),
            (ClassIndex(1), Split::Train),
            (ClassIndex(1), Split::Train),
            (ClassIndex(0), Split::Train),
        ];
        let balance = ClassBalance::of(2, images);
        assert_eq!(balance.splits.len(), 2);
        let train = &balance.splits[0];
        assert_eq!((train.split, train.images), (Split::Train, 3));
        assert_eq!(train.images_by_class, [1, 2]);
        assert_eq!(train.largest_to_smallest, Some(2.0));
        assert_eq!(train.majority_share, 2.0 / 3.0);
        assert_eq!(balance.splits[1].largest_to_smallest, None);
    }
}
