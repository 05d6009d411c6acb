//! Sets of phantoms in which only the lesion distinguishes the classes.

use dataset::ClassIndices;
use image::GrayImage;
use ingest::sample::{SampleClass, phantom};
use rayon::prelude::*;

use crate::set::{Item, Set, split_of};

/// A phantom before it is encoded.
pub(crate) struct Drawn {
    pub(crate) picture: GrayImage,
    pub(crate) class: SampleClass,
    /// Its number within its class.
    pub(crate) number: usize,
}

/// The names of the classes, in order.
pub(crate) fn names() -> ClassIndices {
    ClassIndices::of_names(SampleClass::ALL.map(SampleClass::folder))
}

/// This many phantoms, the classes in turn, each changed by `change` before it is encoded.
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
