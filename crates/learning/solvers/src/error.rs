/// A head that cannot be fitted. Messages read after "failed to fit the head: ".
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The values do not fill whole rows.
    #[error("{values} values do not divide into rows of {columns}")]
    NotRows {
        /// Number of values.
        values: usize,
        /// Values in one row.
        columns: usize,
    },
    /// Two counts that must be equal differ.
    #[error("there are {found} {what}; expected {expected}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// The number found.
        found: usize,
        /// The number expected.
        expected: usize,
    },
    /// A label beyond the last class.
    #[error("image {image} has the class {label}; there are only {classes} classes")]
    Label {
        /// The image, counted from 0.
        image: usize,
        /// Its class.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// Only one class.
    #[error("there is only one class: there is nothing to distinguish")]
    OneClass,
    /// A class without training images.
    #[error("class {class} has no training image")]
    NoImage {
        /// The class, counted from 0.
        class: usize,
    },
    /// A NaN, an infinity or a number close to it among the features.
    #[error(
        "feature {column} of image {image} is {value}; expected a number between −1e30 and 1e30"
    )]
    NotFinite {
        /// The image, counted from 0.
        image: usize,
        /// The column, counted from 0.
        column: usize,
        /// The value.
        value: f32,
    },
    /// All images look the same to the head.
    #[error("no feature differs between the training images")]
    NothingVaries,
    /// A cut that does not exist.
    #[error("there is no cut {name:?}; there are {known}")]
    UnknownCut {
        /// The name asked for.
        name: String,
        /// The names that exist.
        known: String,
    },
    /// A cut that is named twice, or that reaches beyond the last column.
    #[error("cut {name:?} {fault}")]
    BadCut {
        /// Its name.
        name: String,
        /// The error.
        fault: &'static str,
    },
    /// A number outside its range.
    #[error("the {what} is {value}; expected a positive, finite number")]
    NotPositive {
        /// The name of the number.
        what: &'static str,
        /// The number.
        value: f64,
    },
    /// A width for a head without one, or none for a head that needs one.
    #[error("a {kind} head {needs}")]
    Width {
        /// The kind of head.
        kind: &'static str,
        /// What it needs.
        needs: &'static str,
    },
    /// The optimum was not reached.
    #[error(
        "the {what} is not solved after {steps} steps: {left:.1e} is left of its condition, \
         which allows {allowed:.1e}"
    )]
    NotSolved {
        /// The part that was being solved.
        what: &'static str,
        /// Number of steps.
        steps: usize,
        /// The remaining distance from the optimum.
        left: f64,
        /// The distance allowed.
        allowed: f64,
    },
    /// The normal equations have no solution in floating point.
    #[error("the equations of the {what} are singular: features repeat each other, or are huge")]
    Singular {
        /// The part that was being solved.
        what: &'static str,
    },
    /// Classes that cannot be held out.
    #[error(
        "class {class} has images of only one group: no fold could leave it in its training part"
    )]
    TooFewGroups {
        /// The class, counted from 0.
        class: usize,
    },
    /// Groups that cannot be assigned to folds.
    #[error("the groups cannot be dealt to two folds that both leave every class to train on")]
    NoFolds,
    /// A fit without logits for an image.
    #[error("a logit is not finite: features differ by too many orders of magnitude")]
    NoLogits,
    /// A search without candidates.
    #[error("no {what} to choose from")]
    NoCandidate {
        /// The missing part.
        what: &'static str,
    },
}

/// The result of fitting.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The message with a class's name in place of its number.
    pub fn in_words(&self, names: &[String]) -> String {
        match self {
            Self::TooFewGroups { class } => format!(
                "all training images of {} are one group (of one patient, one scan, or copies of each \
                 other), so no part can be held out; bring more of the class",
                names.get(*class).map_or("a class", String::as_str)
            ),
            other => other.to_string(),
        }
    }
}
