//! From a drawing to pixels, and from pixels to a file.

use std::sync::{Arc, LazyLock};

use image::RgbImage;
use maud::{Markup, html};
use miniz_oxide::deflate::compress_to_vec_zlib;
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::FigureError;
use crate::colour::{Colour, FAINT, INK, WHITE};
use crate::text::{FAMILY, Style, Weight};

/// Compression effort, 0 to 10: zlib's default.
const LEVEL: u8 = 6;

/// The two fonts that are compiled in, and none of the machine's fonts.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    for bytes in [dejavu::sans::regular(), dejavu::sans::bold()] {
        fonts.load_font_source(fontdb::Source::Binary(Arc::new(bytes)));
    }
    Arc::new(fonts)
});

/// The alignment of text relative to its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text on its baseline.
pub(crate) fn text(
    [x, y]: [f64; 2],
    anchor: Anchor,
    style: Style,
    colour: Colour,
    line: &str,
) -> Markup {
    let anchor = match anchor {
        Anchor::Start => "start",
        Anchor::Middle => "middle",
        Anchor::End => "end",
    };
    let weight = match style.weight {
        Weight::Regular => "normal",
        Weight::Bold => "bold",
    };
    html! {
        text x=(px(x)) y=(px(y)) text-anchor=(anchor) fill=(colour)
            font-size=(px(style.size)) font-weight=(weight) { (line) }
    }
}

/// A line of text that reads upwards, with its middle at a position.
pub(crate) fn upward_text([x, y]: [f64; 2], style: Style, colour: Colour, line: &str) -> Markup {
    // A matrix, since the sine of an angle is not the same on every machine.
    html! {
        g transform={ "matrix(0 -1 1 0 " (px(x)) " " (px(y)) ")" } {
            (text([0.0, 0.0], Anchor::Middle, style, colour, line))
        }
    }
}

/// The heading of a picture, at its top left.
pub(crate) fn heading(x: f64, title: &str, subtitle: &str) -> Markup {
    html! {
        (text([x, 38.0], Anchor::Start, Style::bold(22.0), INK, title))
        (text([x, 62.0], Anchor::Start, Style::regular(14.0), FAINT, subtitle))
    }
}

/// A drawing of a size in pixels as pixels, on white, with the notice at its foot.
pub(crate) fn rasterise(
    drawing: &Markup,
    [width, height]: [u32; 2],
) -> Result<RgbImage, FigureError> {
    let foot = [f64::from(width) - 20.0, f64::from(height) - 14.0];
    let svg = html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height)
            font-family=(FAMILY) font-kerning="none" {
            (drawing)
            (text(foot, Anchor::End, Style::regular(12.0), FAINT, crate::NOTICE))
        }
    };
    let options = Options { fontdb: Arc::clone(&FONTS), ..Options::default() };
    let tree = Tree::from_str(&svg.into_string(), &options)?;
    let mut pixels = Pixmap::new(width, height).ok_or(FigureError::Size { width, height })?;
    let [red, green, blue] = WHITE.0;
    pixels.fill(Color::from_rgba8(red, green, blue, u8::MAX));
    resvg::render(&tree, Transform::identity(), &mut pixels.as_mut());
    let rgb = pixels.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]);
    RgbImage::from_raw(width, height, rgb.collect()).ok_or(FigureError::Size { width, height })
}

/// The file of a picture.
pub(crate) fn png(pixels: &RgbImage) -> Result<Vec<u8>, FigureError> {
    let row = pixels.width() as usize * 3;
    let mut rows = Vec::with_capacity(pixels.len() + pixels.height() as usize);
    for pixels in pixels.as_raw().chunks(row) {
        // No filter: even colours need none, and a scan gains nothing from it.
        rows.push(0);
        rows.extend_from_slice(pixels);
    }
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, pixels.width(), pixels.height());
    encoder.set_color(png::ColorType::Rgb);
    // Compressed here: the output of `flate2` differs by CPU and by the features of the build.
    let mut writer = encoder.write_header()?;
    writer.write_chunk(png::chunk::IDAT, &compress_to_vec_zlib(&rows, LEVEL))?;
    writer.finish()?;
    Ok(file)
}

/// A length as written in the drawing: a hundredth of a pixel is enough.
pub(crate) fn px(length: f64) -> String {
    format!("{length:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_pixels_that_were_drawn() {
        let pixels = RgbImage::from_fn(7, 5, |x, y| image::Rgb([x as u8, y as u8, 9]));
        let file = png(&pixels).unwrap();
        assert_eq!(image::load_from_memory(&file).unwrap().to_rgb8(), pixels);
    }

    #[test]
    fn text_is_drawn_and_what_is_special_in_svg_is_text_too() {
        let drawn = |line: &str| {
            let style = Style::bold(20.0);
            let drawing = text([10.0, 40.0], Anchor::Start, style, INK, line);
            rasterise(&drawing, [400, 100]).unwrap()
        };
        let dark = |pixels: &RgbImage| pixels.pixels().filter(|it| it.0[0] < 100).count();
        let empty = dark(&drawn(""));
        assert!(dark(&drawn("normal")) > empty + 100);
        assert!(dark(&drawn("<&>\"'")) > empty + 50);
        // The drawn width equals the measured width.
        let width = Style::bold(20.0).width("carcinoma") as u32;
        let line = drawn("carcinoma");
        let is_ink = |x: u32| (20..45).any(|y| line.get_pixel(x, y).0[0] < 128);
        let last = (0..400).rev().find(|x| is_ink(*x)).unwrap();
        assert!(last.abs_diff(10 + width) <= 3, "{last} {width}");
    }
}
