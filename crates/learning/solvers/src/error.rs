/// A head that cannot be fitted. Messages read after "failed to fit the head: ".
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The values do not fill whole rows.
    #[error("{values} values do not divide into rows of {columns}")]
    NotRows {
        /// How many values there are.
        values: usize,
        /// How many one row has.
        columns: usize,
    },
    /// Two things that go together differ in number.
    #[error("there are {found} {what}; expected {expected}")]
    Count {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        expected: usize,
    },
    /// A label beyond the last class.
    #[error("image {image} has the class {label}; there are only {classes} classes")]
    Label {
        /// The image, counted from 0.
        image: usize,
        /// Its class.
        label: usize,
        /// How many classes there are.
        classes: usize,
    },
    /// Nothing to tell apart.
    #[error("there is only one class: there is nothing to distinguish")]
    OneClass,
    /// A class that no training image has.
    #[error("class {class} has no training image")]
    NoImage {
        /// The class, counted from 0.
        class: usize,
    },
    /// A NaN, an infinity or a number next to it among the features.
    #[error(
        "feature {column} of image {image} is {value}; expected a number between −1e30 and 1e30"
    )]
    NotFinite {
        /// The image, counted from 0.
        image: usize,
        /// The column, counted from 0.
        column: usize,
        /// What stands there.
        value: f32,
    },
    /// All images look the same to the head.
    #[error("no feature differs between the training images")]
    NothingVaries,
    /// A cut that the features do not have.
    #[error("there is no cut {name:?}; there are {known}")]
    UnknownCut {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A cut named twice, or one that reaches beyond the last column.
    #[error("cut {name:?} {fault}")]
    BadCut {
        /// Its name.
        name: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A number that cannot be what it is.
    #[error("the {what} is {value}; expected a positive, finite number")]
    NotPositive {
        /// What the number is.
        what: &'static str,
        /// The number.
        value: f64,
    },
    /// A width where there must be none, or none where there must be one.
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
        /// What was being solved.
        what: &'static str,
        /// How many steps were made.
        steps: usize,
        /// How far from the optimum it still is.
        left: f64,
        /// How far it may be.
        allowed: f64,
    },
    /// The normal equations have no solution in floating point.
    #[error("the equations of the {what} are singular: features repeat each other, or are huge")]
    Singular {
        /// What was being solved.
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
    /// Groups that cannot be dealt out.
    #[error("the groups cannot be dealt to two folds that both leave every class to train on")]
    NoFolds,
    /// A fit that says nothing of an image.
    #[error("a logit is not finite: features differ by too many orders of magnitude")]
    NoLogits,
    /// A search among nothing.
    #[error("no {what} to choose from")]
    NoCandidate {
        /// What there is none of.
        what: &'static str,
    },
}

/// What fitting returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The same in words that have a class's name in place of its number.
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
