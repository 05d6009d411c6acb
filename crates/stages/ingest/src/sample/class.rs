/// The content of a phantom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SampleClass {
    /// A spiculated nodule under the pleura.
    Adenocarcinoma,
    /// A large lobulated mass.
    LargeCellCarcinoma,
    /// No lesion.
    Normal,
    /// A mass at the hilum.
    SquamousCellCarcinoma,
}

impl SampleClass {
    /// Every class, in alphabetical order.
    pub const ALL: [Self; 4] =
        [Self::Adenocarcinoma, Self::LargeCellCarcinoma, Self::Normal, Self::SquamousCellCarcinoma];

    /// The folder that holds the class.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Adenocarcinoma => "adenocarcinoma",
            Self::LargeCellCarcinoma => "large_cell_carcinoma",
            Self::Normal => "normal",
            Self::SquamousCellCarcinoma => "squamous_cell_carcinoma",
        }
    }
}
