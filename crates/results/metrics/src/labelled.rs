//! A table of numbers, one row per image and one column per class, with each image's class.

use dataset::ClassIndex;

/// Why rows cannot be scored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LabelledError {
    /// There is no class.
    #[error("there are no classes to score")]
    NoClasses,
    /// A row with too few or too many values.
    #[error("image {image} has {found} values; expected one for each of {classes} classes")]
    RowLength {
        /// The image's position, from 0.
        image: usize,
        /// Values in its row.
        found: usize,
        /// Classes.
        classes: usize,
    },
    /// An image of a class that has no column.
    #[error("image {image} is of class {}; the last of {classes} is {}", actual.0, classes - 1)]
    Class {
        /// The image's position, from 0.
        image: usize,
        /// Its class.
        actual: ClassIndex,
        /// Classes.
        classes: usize,
    },
    /// A logit that is NaN or infinite.
    #[error("image {image} has the output {value}, which is no finite number")]
    NotFinite {
        /// The image's position, from 0.
        image: usize,
        /// The value.
        value: f64,
    },
    /// A value that is not a probability.
    #[error("image {image} has the probability {value}; expected a number from 0 to 1")]
    NotAProbability {
        /// The image's position, from 0.
        image: usize,
        /// The value.
        value: f64,
    },
    /// Probabilities that do not add up.
    #[error("the probabilities of image {image} add up to {sum}; expected 1")]
    Sum {
        /// The image's position, from 0.
        image: usize,
        /// Their sum.
        sum: f64,
    },
}

/// Rows of one value per class, and the class of each.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Labelled {
    classes: usize,
    actual: Vec<ClassIndex>,
    /// Row-major, `[images, classes]`.
    values: Vec<f64>,
}

impl Labelled {
    /// Collects rows, each checked by `check` with the image's position.
    pub(crate) fn new<R: AsRef<[f64]>>(
        classes: usize,
        rows: impl IntoIterator<Item = (ClassIndex, R)>,
        check: impl Fn(usize, &[f64]) -> Result<(), LabelledError>,
    ) -> Result<Self, LabelledError> {
        if classes == 0 {
            return Err(LabelledError::NoClasses);
        }
        let mut table = Self { classes, actual: Vec::new(), values: Vec::new() };
        for (image, (actual, row)) in rows.into_iter().enumerate() {
            let row = row.as_ref();
            if row.len() != classes {
                return Err(LabelledError::RowLength { image, found: row.len(), classes });
            }
            if actual.0 >= classes {
                return Err(LabelledError::Class { image, actual, classes });
            }
            check(image, row)?;
            table.actual.push(actual);
            table.values.extend_from_slice(row);
        }
        Ok(table)
    }

    pub(crate) fn classes(&self) -> usize {
        self.classes
    }

    pub(crate) fn len(&self) -> usize {
        self.actual.len()
    }

    pub(crate) fn actual(&self, image: usize) -> ClassIndex {
        self.actual[image]
    }

    pub(crate) fn row(&self, image: usize) -> &[f64] {
        &self.values[image * self.classes..][..self.classes]
    }

    /// Every image's class and row, in order.
    pub(crate) fn rows(&self) -> impl ExactSizeIterator<Item = (ClassIndex, &[f64])> {
        self.actual.iter().copied().zip(self.values.chunks_exact(self.classes))
    }

    /// The rows of `images`, in that order; an image may appear several times.
    pub(crate) fn select(&self, images: &[usize]) -> Self {
        let mut values = Vec::with_capacity(images.len() * self.classes);
        for &image in images {
            values.extend_from_slice(self.row(image));
        }
        Self {
            classes: self.classes,
            actual: images.iter().map(|&image| self.actual[image]).collect(),
            values,
        }
    }
}
