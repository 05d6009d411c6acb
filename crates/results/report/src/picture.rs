use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;
use maud::{Markup, html};

/// JPEG quality of pictures in a report: small, but good enough.
const QUALITY: u8 = 72;

/// A picture within the page, as a JPEG in a `data:` address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    address: String,
    description: String,
}

impl Picture {
    /// Uses pixels: red, green and blue of each, row by row. `description` is for readers who
    /// cannot see it.
    ///
    /// # Panics
    /// When there are not `3 · width · height` values.
    pub fn new(rgb: &[u8], [width, height]: [u32; 2], description: impl Into<String>) -> Self {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, QUALITY)
            .encode(rgb, width, height, ExtendedColorType::Rgb8)
            .expect("pixels of the stated size can be written to memory");
        let address = format!("data:image/jpeg;base64,{}", STANDARD.encode(bytes));
        Self { address, description: description.into() }
    }

    /// The picture.
    pub fn markup(&self) -> Markup {
        html! { img src=(self.address) alt=(self.description) loading="lazy"; }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pixels_are_in_the_page() {
        let markup = Picture::new(&[200; 8 * 4 * 3], [8, 4], "grey").markup().into_string();
        let encoded = markup.split("base64,").nth(1).unwrap().split('"').next().unwrap();
        let decoded = image::load_from_memory(&STANDARD.decode(encoded).unwrap()).unwrap();
        assert_eq!((decoded.width(), decoded.height()), (8, 4));
        assert!(decoded.to_luma8().pixels().all(|pixel| pixel.0[0].abs_diff(200) < 4));
        assert!(markup.contains("alt=\"grey\""), "{markup}");
    }
}
