use std::fmt;
use std::str::FromStr;

/// A range of values that is mapped to all greys, as radiologists set it: values below are black,
/// values above are white.
///
/// The values are those after a DICOM file's rescale slope and intercept: Hounsfield units for CT.
/// Written and parsed as `centre,width`: `-600,1500`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    centre: f64,
    width: f64,
}

/// Numbers that are not a [`Window`]. Reads after "failed to read the window: ".
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WindowError {
    /// Not two numbers with a comma between them.
    #[error("{0:?} is not a centre and a width, such as -600,1500")]
    NotTwoNumbers(String),
    /// Infinite or not a number.
    #[error("a centre of {centre} and a width of {width} are not both finite")]
    NotFinite {
        /// Centre.
        centre: f64,
        /// Width.
        width: f64,
    },
    /// DICOM PS3.3 C.11.2.1.2 requires a width of at least 1.
    #[error("a width of {0} is below 1")]
    TooNarrow(f64),
}

impl Window {
    /// The lung window, in Hounsfield units: from −1350 to 150.
    pub const LUNG: Self = Self { centre: -600.0, width: 1500.0 };

    /// A window around `centre`.
    ///
    /// # Errors
    /// When a number is not finite, or the width below 1.
    pub fn new(centre: f64, width: f64) -> Result<Self, WindowError> {
        if !centre.is_finite() || !width.is_finite() {
            return Err(WindowError::NotFinite { centre, width });
        }
        if width < 1.0 {
            return Err(WindowError::TooNarrow(width));
        }
        Ok(Self { centre, width })
    }

    /// A window of a file whose curve is not the linear one, and allows any width above 0: PS3.3
    /// C.11.2.1.3. `None` for numbers that are not such a window.
    pub(crate) fn of_any_width(centre: f64, width: f64) -> Option<Self> {
        (centre.is_finite() && width.is_finite() && width > 0.0).then_some(Self { centre, width })
    }

    /// The value that becomes the middle grey.
    pub fn centre(&self) -> f64 {
        self.centre
    }

    /// How many values are distinguished: at least 1, or more than 0 if a file has another curve
    /// than the linear one.
    pub fn width(&self) -> f64 {
        self.width
    }
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let not_two = || WindowError::NotTwoNumbers(text.to_owned());
        let (centre, width) = text.split_once(',').ok_or_else(not_two)?;
        let number = |text: &str| text.trim().parse::<f64>().map_err(|_| not_two());
        Self::new(number(centre)?, number(width)?)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.centre, self.width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_read_as_it_is_written() {
        for text in ["-600,1500", "40,400", "0.5,1"] {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
        assert_eq!(" -600 , 1500 ".parse(), Ok(Window::LUNG));
    }

    #[test]
    fn what_is_no_window_is_refused_with_the_reason() {
        for (text, reason) in [
            ("", "not a centre and a width"),
            ("-600", "not a centre and a width"),
            ("-600,1500,3", "not a centre and a width"),
            ("a,b", "not a centre and a width"),
            ("40,0.5", "below 1"),
            ("40,-400", "below 1"),
            ("NaN,400", "finite"),
            ("40,inf", "finite"),
        ] {
            let message = text.parse::<Window>().unwrap_err().to_string();
            assert!(message.contains(reason), "{text}: {message}");
        }
    }
}
