//! Images in order of their class.

use std::ops::Range;

use crate::Labelled;

/// Images sorted by class.
#[derive(Debug)]
pub(crate) struct ByClass {
    /// Their numbers in the matrix.
    pub(crate) images: Vec<usize>,
    /// The range of each class among them.
    pub(crate) parts: Vec<Range<usize>>,
}

impl ByClass {
    pub(crate) fn of(data: &Labelled<'_>, mut images: Vec<usize>) -> Self {
        images.sort_by_key(|image| data.labels[*image]);
        let end = |class| images.partition_point(|image| data.labels[*image] <= class);
        let start = |class| images.partition_point(|image| data.labels[*image] < class);
        let parts = (0..data.classes).map(|class| start(class)..end(class)).collect();
        Self { images, parts }
    }

    /// The bound of the dual variables of each class.
    pub(crate) fn bounds(&self, data: &Labelled<'_>, strength: f64) -> Vec<f64> {
        (0..self.parts.len()).map(|class| strength * data.weight(class)).collect()
    }
}
