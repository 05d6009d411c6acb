//! Features and labels, borrowed and checked.

use std::ops::Range;

use crate::{Error, Result};

/// Features of some images: a matrix `[images, columns]`, row by row.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    values: &'a [f32],
    columns: usize,
}

impl<'a> Rows<'a> {
    /// Divides values into rows of `columns`.
    ///
    /// # Errors
    /// When they do not divide, or a row would be empty.
    pub fn new(values: &'a [f32], columns: usize) -> Result<Self> {
        if columns == 0 || !values.len().is_multiple_of(columns) {
            return Err(Error::NotRows { values: values.len(), columns });
        }
        Ok(Self { values, columns })
    }

    /// How many images there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// How many features an image has.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The features of an image.
    ///
    /// # Panics
    /// When there are not as many images.
    pub fn row(&self, image: usize) -> &'a [f32] {
        &self.values[image * self.columns..][..self.columns]
    }
}

/// Images to learn from.
#[derive(Debug, Clone, Copy)]
pub struct Labelled<'a> {
    /// Their features.
    pub rows: Rows<'a>,
    /// The class of each, from 0.
    pub labels: &'a [usize],
    /// How many classes there are, at least two.
    pub classes: usize,
    /// What the strength is multiplied by for the images of each class; 1 where there are none.
    pub class_weights: Option<&'a [f64]>,
}

/// A named part of the columns: what one layer of a network gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Its name, such as `block4_pool`.
    pub name: String,
    /// Its columns.
    pub columns: Range<usize>,
}

impl Labelled<'_> {
    /// Checks what every head asks for: two classes, an image of each, numbers that are numbers.
    pub(crate) fn check(&self) -> Result<()> {
        let images = self.rows.len();
        if self.labels.len() != images {
            let found = self.labels.len();
            return Err(Error::Count { what: "labels", found, expected: images });
        }
        if self.classes < 2 {
            return Err(Error::OneClass);
        }
        if let Some(weights) = self.class_weights {
            check_weights(weights, self.classes)?;
        }
        let all: Vec<usize> = (0..images).collect();
        self.check_classes(&all)?;
        self.check_finite()
    }

    /// Every class has one of these images.
    pub(crate) fn check_classes(&self, images: &[usize]) -> Result<()> {
        let mut counts = vec![0_usize; self.classes];
        for &image in images {
            let label = self.labels[image];
            let classes = self.classes;
            *counts.get_mut(label).ok_or(Error::Label { image, label, classes })? += 1;
        }
        match counts.iter().position(|count| *count == 0) {
            Some(class) => Err(Error::NoImage { class }),
            None => Ok(()),
        }
    }

    fn check_finite(&self) -> Result<()> {
        let Some(place) = self.rows.values.iter().position(|value| !value.is_finite()) else {
            return Ok(());
        };
        let (image, column) = (place / self.rows.columns, place % self.rows.columns);
        Err(Error::NotFinite { image, column, value: self.rows.values[place] })
    }

    /// What the strength is multiplied by for images of a class.
    pub(crate) fn weight(&self, class: usize) -> f64 {
        self.class_weights.map_or(1.0, |weights| weights[class])
    }
}

fn check_weights(weights: &[f64], classes: usize) -> Result<()> {
    if weights.len() != classes {
        let found = weights.len();
        return Err(Error::Count { what: "class weights", found, expected: classes });
    }
    weights.iter().try_for_each(|&weight| positive("weight of a class", weight))
}

/// Refuses what is not a positive, finite number.
pub(crate) fn positive(what: &'static str, value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() { Ok(()) } else { Err(Error::NotPositive { what, value }) }
}

/// The columns of the cuts named, in ascending order.
pub(crate) fn columns_of(names: &[String], cuts: &[Cut], columns: usize) -> Result<Vec<usize>> {
    let bad = |name: &str, fault| Err(Error::BadCut { name: name.to_owned(), fault });
    let mut used = vec![false; columns];
    for name in names {
        let Some(cut) = cuts.iter().find(|cut| cut.name == *name) else {
            let known: Vec<_> = cuts.iter().map(|cut| cut.name.as_str()).collect();
            return Err(Error::UnknownCut { name: name.clone(), known: known.join(", ") });
        };
        let Some(part) = used.get_mut(cut.columns.clone()).filter(|part| !part.is_empty()) else {
            return bad(name, "is empty, or reaches beyond the last column");
        };
        if part.contains(&true) {
            return bad(name, "is named twice, or shares columns with another");
        }
        part.fill(true);
    }
    let used: Vec<usize> = (0..columns).filter(|column| used[*column]).collect();
    if used.is_empty() { Err(Error::NoCandidate { what: "cut" }) } else { Ok(used) }
}
