//! Features and labels, borrowed and checked.

use std::ops::Range;

use crate::{Error, Result};

/// Sums and differences of larger features could exceed the range of an f32.
const LARGEST_FEATURE: f32 = 1e30;

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

    /// Number of images.
    pub fn len(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Number of features of an image.
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
    /// Number of classes, at least two.
    pub classes: usize,
    /// The factor of the strength for the images of each class; 1 if there are none.
    pub class_weights: Option<&'a [f64]>,
}

/// A named part of the columns: the output of one layer of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Its name, such as `block4_pool`.
    pub name: String,
    /// Its columns.
    pub columns: Range<usize>,
}

impl Labelled<'_> {
    /// Checks the requirements of every head: two classes, an image of each, finite numbers.
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

    /// Checks that every class has one of these images.
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
        // A NaN is not within any range.
        let within = |value: &f32| value.abs() <= LARGEST_FEATURE;
        let Some(place) = self.rows.values.iter().position(|value| !within(value)) else {
            return Ok(());
        };
        let (image, column) = (place / self.rows.columns, place % self.rows.columns);
        Err(Error::NotFinite { image, column, value: self.rows.values[place] })
    }

    /// The factor of the strength for images of a class.
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

/// Refuses a value that is not positive and finite.
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

#[cfg(test)]
mod tests {
    use super::*;

    const VALUES: [f32; 6] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];

    fn checked(values: &[f32], labels: &[usize], classes: usize) -> Result<()> {
        let rows = Rows::new(values, 2)?;
        Labelled { rows, labels, classes, class_weights: None }.check()
    }

    #[test]
    fn what_cannot_be_learnt_from_is_refused_in_words() {
        let refused = |result: Result<()>| result.unwrap_err().to_string();
        assert_eq!(checked(&VALUES, &[0, 1, 0], 2), Ok(()));
        assert_eq!(
            refused(checked(&VALUES[..5], &[0, 1, 0], 2)),
            "5 values do not divide into rows of 2"
        );
        assert_eq!(refused(checked(&VALUES, &[0, 1], 2)), "there are 2 labels; expected 3");
        assert_eq!(
            refused(checked(&VALUES, &[0, 0, 0], 1)),
            "there is only one class: there is nothing to distinguish"
        );
        assert_eq!(refused(checked(&VALUES, &[0, 2, 0], 3)), "class 1 has no training image");
        assert_eq!(
            refused(checked(&VALUES, &[0, 2, 1], 2)),
            "image 1 has the class 2; there are only 2 classes"
        );
        assert_eq!(refused(checked(&[], &[], 2)), "class 0 has no training image");
    }

    #[test]
    fn a_feature_that_is_no_number_is_named() {
        for value in [f32::NAN, f32::INFINITY, -f32::MAX] {
            let mut values = VALUES;
            values[3] = value;
            let error = checked(&values, &[0, 1, 0], 2).unwrap_err().to_string();
            assert!(error.starts_with("feature 1 of image 1 is "), "{error}");
        }
    }

    #[test]
    fn weights_of_classes_are_positive_and_one_for_each() {
        let rows = Rows::new(&VALUES, 2).unwrap();
        let with = |weights: &[f64]| {
            Labelled { rows, labels: &[0, 1, 0], classes: 2, class_weights: Some(weights) }.check()
        };
        assert_eq!(with(&[1.0, 2.0]), Ok(()));
        let expected = Error::Count { what: "class weights", found: 1, expected: 2 };
        assert_eq!(with(&[1.0]), Err(expected));
        let refused = Err(Error::NotPositive { what: "weight of a class", value: 0.0 });
        assert_eq!(with(&[1.0, 0.0]), refused);
    }

    #[test]
    fn cuts_are_found_by_name_and_may_not_overlap() {
        let cut = |name: &str, columns| Cut { name: name.to_owned(), columns };
        let cuts = [cut("a", 0..2), cut("b", 4..6), cut("ab", 1..5), cut("far", 5..9)];
        let read = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            columns_of(&names, &cuts, 6).map_err(|error| error.to_string())
        };
        assert_eq!(read(&["b", "a"]), Ok(vec![0, 1, 4, 5]));
        assert_eq!(read(&["c"]), Err("there is no cut \"c\"; there are a, b, ab, far".to_owned()));
        let shared = "is named twice, or shares columns with another";
        assert_eq!(read(&["a", "a"]), Err(format!("cut \"a\" {shared}")));
        assert_eq!(read(&["a", "ab"]), Err(format!("cut \"ab\" {shared}")));
        let beyond = "is empty, or reaches beyond the last column";
        assert_eq!(read(&["far"]), Err(format!("cut \"far\" {beyond}")));
        assert_eq!(read(&[]), Err("no cut to choose from".to_owned()));
    }
}
