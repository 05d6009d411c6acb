//! Sets of phantoms: made so that nothing but the lesion tells the classes.

use dataset::ClassIndices;
use image::GrayImage;
use ingest::sample::{SampleClass, phantom};
use rayon::prelude::*;

use crate::set::{Item, Set, split_of};

/// A phantom as it is about to be encoded.
pub(crate) struct Drawn {
    pub(crate) picture: GrayImage,
    pub(crate) class: SampleClass,
    /// Which of its class it is.
    pub(crate) number: usize,
}

/// The names of the classes, in order.
pub(crate) fn names() -> ClassIndices {
    ClassIndices::of_names(SampleClass::ALL.map(SampleClass::folder))
}

/// So many phantoms, the classes in turn, each changed by `change` before it is encoded.
pub(crate) fn set(phantoms: usize, seed: u64, change: fn(&mut Drawn)) -> Set {
    let draw = |index: usize| {
        let classes = SampleClass::ALL.len();
        let (class, number) = (SampleClass::ALL[index % classes], index / classes);
        let mut drawn = Drawn { picture: phantom(seed, index, class).picture, class, number };
        change(&mut drawn);
        Item::new(&drawn.picture, index % classes, split_of(number))
    };
    Set { names: names(), items: (0..phantoms).into_par_iter().map(draw).collect() }
}
