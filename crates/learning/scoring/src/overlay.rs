//! A heatmap over the picture that it belongs to, or as a separate layer.

use classifier::model::Heatmap;
use imaging::Thumbnail;

/// How much of the picture is covered at the hottest place.
const STRONGEST: f32 = 0.7;

/// From cold to hot: matplotlib's `plasma`, which grows brighter evenly and does not rely on red
/// against green.
const COLOURS: [[f32; 3]; 5] = [
    [13.0, 8.0, 135.0],
    [126.0, 3.0, 168.0],
    [204.0, 71.0, 120.0],
    [248.0, 149.0, 64.0],
    [240.0, 249.0, 33.0],
];

/// The picture with the map over it: red, green and blue of each pixel, row by row. The map is
/// scaled so that its largest value is the hottest colour; places with 0 stay unchanged. None if
/// the map is 0 everywhere, so that nothing in the picture supports the class.
pub fn overlay(picture: &Thumbnail, map: &Heatmap) -> Option<Vec<u8>> {
    let largest = hottest(map)?;
    let (width, height) = (picture.width as usize, picture.height as usize);
    let pixels = picture.rgb.chunks_exact(3).enumerate();
    let covered = pixels.flat_map(|(place, rgb)| {
        let heat = heat_at(map, place % width, width, place / width, height) / largest;
        let share = STRONGEST * heat;
        let colour = colour_of(heat);
        [0, 1, 2].map(|channel| {
            let under = f32::from(rgb[channel]);
            (under + share * (colour[channel] - under)).round() as u8
        })
    });
    Some(covered.collect())
}

/// The map alone at `width` × `height`: red, green, blue and opacity of each pixel, row by row. The
/// hottest place is opaque; a place with 0 is transparent, so that the picture below shows. None as
/// for [`overlay`].
pub fn heat_layer(map: &Heatmap, width: u32, height: u32) -> Option<Vec<u8>> {
    let largest = hottest(map)?;
    let (width, height) = (width as usize, height as usize);
    let pixels = (0..width * height).flat_map(|place| {
        let heat = heat_at(map, place % width, width, place / width, height) / largest;
        let [red, green, blue] = colour_of(heat).map(|it| it.round() as u8);
        [red, green, blue, (heat * 255.0).round() as u8]
    });
    Some(pixels.collect())
}

fn hottest(map: &Heatmap) -> Option<f32> {
    let largest = map.values.iter().copied().fold(0.0, f32::max);
    (largest > 0.0).then_some(largest)
}

/// The map's value below a pixel, interpolated between the centres of its cells; beyond the
/// outermost centres it stays level. As PyTorch's `interpolate(mode="bilinear",
/// align_corners=False)`.
fn heat_at(map: &Heatmap, x: usize, width: usize, y: usize, height: usize) -> f32 {
    let (left, right, across) = between(x, width, map.side);
    let (above, below, down) = between(y, height, map.side);
    let value = |row: usize, column: usize| map.values[row * map.side + column];
    let upper = value(above, left) * (1.0 - across) + value(above, right) * across;
    let lower = value(below, left) * (1.0 - across) + value(below, right) * across;
    upper * (1.0 - down) + lower * down
}

/// The two cells that a pixel lies between, and its distance from the first.
fn between(pixel: usize, pixels: usize, cells: usize) -> (usize, usize, f32) {
    let place = (pixel as f32 + 0.5) * cells as f32 / pixels as f32 - 0.5;
    let place = place.clamp(0.0, (cells - 1) as f32);
    let first = place.floor() as usize;
    (first, (first + 1).min(cells - 1), place - first as f32)
}

/// The colour of a heat in [0, 1].
fn colour_of(heat: f32) -> [f32; 3] {
    let place = heat.clamp(0.0, 1.0) * (COLOURS.len() - 1) as f32;
    let first = (place.floor() as usize).min(COLOURS.len() - 2);
    let share = place - first as f32;
    let (from, to) = (COLOURS[first], COLOURS[first + 1]);
    [0, 1, 2].map(|channel| from[channel] + share * (to[channel] - from[channel]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(side: u32, level: u8) -> Thumbnail {
        let rgb = vec![level; (side * side * 3) as usize];
        Thumbnail { width: side, height: side, rgb }
    }

    fn map(values: &[f32]) -> Heatmap {
        Heatmap { side: values.len().isqrt(), values: values.to_vec() }
    }

    #[test]
    fn values_are_interpolated_between_the_centres_of_cells() {
        // torch.nn.functional.interpolate(torch.tensor([[[[0., 1.], [2., 3.]]]]), size=(4, 4),
        //                                 mode="bilinear", align_corners=False)
        let expected = [
            [0.0, 0.25, 0.75, 1.0],
            [0.5, 0.75, 1.25, 1.5],
            [1.5, 1.75, 2.25, 2.5],
            [2.0, 2.25, 2.75, 3.0],
        ];
        let map = map(&[0.0, 1.0, 2.0, 3.0]);
        for (y, row) in expected.iter().enumerate() {
            for (x, value) in row.iter().enumerate() {
                assert!((heat_at(&map, x, 4, y, 4) - value).abs() < 1e-6, "({x}, {y})");
            }
        }
    }

    #[test]
    fn the_hottest_place_has_the_last_colour_and_the_cold_stay_as_they_were() {
        // Twice as many pixels as cells: the outer ones lie outside the cells' centres.
        let covered = overlay(&grey(4, 100), &map(&[0.0, 0.0, 0.0, 8.0])).unwrap();
        assert_eq!(covered[..3], [100, 100, 100]);
        let hottest = COLOURS[4].map(|it| (100.0 + 0.7 * (it - 100.0)).round() as u8);
        assert_eq!(covered[4 * 4 * 3 - 3..], hottest);
    }

    #[test]
    fn a_map_of_one_cell_covers_the_picture_evenly() {
        let covered = overlay(&grey(3, 0), &map(&[0.001])).unwrap();
        assert!(covered.chunks(3).all(|pixel| pixel == [168, 174, 23]), "{covered:?}");
    }

    #[test]
    fn a_map_without_heat_covers_nothing() {
        assert_eq!(overlay(&grey(2, 50), &map(&[0.0; 4])), None);
        assert_eq!(heat_layer(&map(&[0.0; 4]), 2, 2), None);
    }

    #[test]
    fn a_layer_is_clear_where_it_is_cold_and_opaque_where_it_is_hottest() {
        let layer = heat_layer(&map(&[0.0, 0.0, 0.0, 8.0]), 4, 4).unwrap();
        assert_eq!(layer.len(), 4 * 4 * 4);
        assert_eq!(layer[3], 0);
        let hottest = COLOURS[4].map(|it| it as u8);
        assert_eq!(layer[layer.len() - 4..], [hottest[0], hottest[1], hottest[2], 255]);
    }
}
