use dataset::ClassIndex;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// Curves need an epoch.
    #[error("draw the curves: there is no epoch")]
    NoEpoch,
    /// A curve cannot show NaN or infinity.
    #[error("draw the curves: a value of epoch {epoch} is not a number")]
    NotANumber {
        /// Its epoch.
        epoch: u32,
    },
    /// Names and rows must belong together.
    #[error("draw the confusion matrix: it has {rows} rows, but {names} classes are named")]
    ClassCount {
        /// Rows of the matrix.
        rows: usize,
        /// Names of classes.
        names: usize,
    },
    /// The cells would be too small to read.
    #[error("draw the confusion matrix: {classes} classes have no room; at most {most} do")]
    TooManyClasses {
        /// Classes of the matrix.
        classes: usize,
        /// The most there may be.
        most: usize,
    },
    /// A sheet holds [`Sheet::CAPACITY`](crate::Sheet::CAPACITY) images.
    #[error("draw a prediction sheet: {images} images have no room; at most {most} do")]
    TooManyImages {
        /// Images of the sheet.
        images: usize,
        /// The most there may be.
        most: usize,
    },
    /// A prediction must be about the classes that are named.
    #[error("draw {image}: it has class {class}, but {names} classes are named", class = class.0)]
    NoSuchClass {
        /// The image.
        image: String,
        /// The class.
        class: ClassIndex,
        /// Names of classes.
        names: usize,
    },
    /// Each class has a probability between 0 and 1.
    #[error("draw {image}: its probabilities are {probabilities:?}, and {names} classes are named")]
    Probabilities {
        /// The image.
        image: String,
        /// Its probabilities.
        probabilities: Vec<f64>,
        /// Names of classes.
        names: usize,
    },
    /// The drawing cannot be parsed.
    #[error("rasterise a picture: {0}")]
    Drawing(#[from] resvg::usvg::Error),
    /// The picture does not fit into memory.
    #[error("rasterise a picture of {width}×{height} pixels")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// The picture cannot be written as PNG.
    #[error("encode a picture: {0}")]
    Encoding(#[from] png::EncodingError),
}
