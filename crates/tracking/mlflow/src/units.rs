//! Units of a machine's load, as in the Python client.

/// Of a million bytes.
pub(crate) fn megabytes(bytes: f64) -> f64 {
    bytes / 1e6
}

pub(crate) fn percentage(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole * 100.0 } else { 0.0 }
}

/// To one decimal, as the Python client does.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_rounded_as_in_python() {
        assert_eq!(rounded(12.349), 12.3);
        assert_eq!(percentage(1.0, 4.0), 25.0);
        assert_eq!(percentage(1.0, 0.0), 0.0);
    }
}
