//! The input example: a drawn picture. A scan would belong to a person, and many people read
//! registries.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use image::{GrayImage, ImageFormat, Luma};
use serde_json::json;

/// The file that `mlflow.models.Model.load_input_example` reads.
pub(crate) const EXAMPLE_FILE: &str = "input_example.json";
/// The same as the body of a request to `mlflow models serve`.
pub(crate) const SERVING_FILE: &str = "serving_input_example.json";

/// `input_example.json`: a table of one row.
pub(crate) fn table(image_size: u32) -> String {
    json!({ "columns": ["image"], "data": [[encoded(image_size)]] }).to_string()
}

/// `serving_input_example.json`.
pub(crate) fn request(image_size: u32) -> String {
    json!({ "dataframe_split": { "columns": ["image"], "data": [[encoded(image_size)]] } })
        .to_string()
}

fn encoded(image_size: u32) -> String {
    let mut png = Cursor::new(Vec::new());
    drawing(image_size)
        .write_to(&mut png, ImageFormat::Png)
        .expect("a grey picture can be written to memory as PNG");
    STANDARD.encode(png.into_inner())
}

/// An ellipse with two darker ones in it, on black: the outline of a chest.
fn drawing(image_size: u32) -> GrayImage {
    let inside = |x: f32, y: f32, [centre, width, height]: [f32; 3]| {
        ((x - centre) / width).powi(2) + ((y - 0.5) / height).powi(2) < 1.0
    };
    GrayImage::from_fn(image_size, image_size, |x, y| {
        let [x, y] = [x, y].map(|at| (at as f32 + 0.5) / image_size as f32);
        let lungs = [[0.32, 0.13, 0.22], [0.68, 0.13, 0.22]];
        if lungs.into_iter().any(|lung| inside(x, y, lung)) {
            Luma([40])
        } else if inside(x, y, [0.5, 0.42, 0.32]) {
            Luma([150])
        } else {
            Luma([0])
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_a_picture_of_the_models_size() {
        let table: serde_json::Value = serde_json::from_str(&table(48)).unwrap();
        let png = STANDARD.decode(table["data"][0][0].as_str().unwrap()).unwrap();
        let picture = image::load_from_memory(&png).unwrap().to_luma8();
        assert_eq!(picture.dimensions(), (48, 48));
        let at = |x, y| picture.get_pixel(x, y).0[0];
        assert_eq!([at(0, 0), at(24, 24), at(15, 24)], [0, 150, 40]);
    }
}
