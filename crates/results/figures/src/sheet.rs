//! Test images with their class and the model's prediction.

use dataset::{ClassIndex, ClassIndices};
use image::RgbImage;
use image::imageops::{FilterType, overlay, resize};
use imaging::{Picture, Thumbnail};
use maud::{Markup, html};

use crate::FigureError;
use crate::canvas::{Anchor, heading, png, px, rasterise, text};
use crate::colour::{
    BAR_GROUND, BLUE, FAINT, INK, MAT, PALE_BLUE, PALE_GREY, PALE_VERMILION, VERMILION, WHITE,
};
use crate::labels::labels;
use crate::text::{Style, shown};

const WIDTH: f64 = 1100.0;
const COLUMNS: usize = 4;
const MARGIN: f64 = 20.0;
const GAP: f64 = 16.0;
const TOP: f64 = 84.0;
const FOOT: f64 = 44.0;

const CARD: [f64; 2] = [253.0, 356.0];
const PADDING: f64 = 10.0;
/// Space for a scan, in pixels, and its upper edge in the card.
const SCAN: [u32; 2] = [233, 190];
const SCAN_TOP: f64 = 34.0;

/// Classes whose probability is shown.
const BARS: usize = 3;
const BAR: [f64; 2] = [180.0, 16.0];
const BAR_DISTANCE: f64 = 19.0;

/// A test image and the model's prediction for it.
#[derive(Debug, Clone)]
pub struct SheetImage<'a> {
    /// Its name; of a long path the end is shown.
    pub name: &'a str,
    /// The scan.
    pub scan: &'a Picture,
    /// Its class.
    pub actual: ClassIndex,
    /// The class that was predicted.
    pub predicted: ClassIndex,
    /// The probability of each class.
    pub probabilities: &'a [f64],
}

/// A contact sheet of test images.
#[derive(Debug, Clone, Copy)]
pub struct Sheet<'a> {
    /// Its title.
    pub title: &'a str,
    /// A second line about it.
    pub subtitle: &'a str,
    /// The names of the classes.
    pub classes: &'a ClassIndices,
    /// The images, from left to right and from top to bottom.
    pub images: &'a [SheetImage<'a>],
}

impl Sheet<'_> {
    /// The most images that fit.
    pub const CAPACITY: usize = 12;

    /// The picture, 1100 pixels wide.
    ///
    /// # Errors
    /// When there are more images than fit, or one does not match these classes.
    pub fn png(&self) -> Result<Vec<u8>, FigureError> {
        let count = self.images.len();
        if count > Self::CAPACITY {
            return Err(FigureError::TooManyImages { images: count, most: Self::CAPACITY });
        }
        self.images.iter().try_for_each(|image| image.check(self.classes.len()))?;
        let names = CardNames::of(self.classes);
        let drawing = html! {
            (heading(MARGIN, self.title, self.subtitle))
            @if self.images.is_empty() {
                (text([MARGIN, TOP + 40.0], Anchor::Start, Style::regular(16.0), INK, "no images"))
            }
            @for (place, image) in self.images.iter().enumerate() {
                @let [x, y] = card_at(place);
                g transform={ "translate(" (px(x)) " " (px(y)) ")" } { (image.card(&names)) }
            }
        };
        let rows = count.div_ceil(COLUMNS).max(1) as f64;
        let height = TOP + rows * (CARD[1] + GAP) - GAP + FOOT;
        let mut pixels = rasterise(&drawing, [WIDTH as u32, height as u32])?;
        for (place, image) in self.images.iter().enumerate() {
            let scan = fit(image.scan);
            let [x, y] = card_at(place);
            let centre = |from: f64, room: u32, length: u32| {
                from as i64 + (i64::from(room) - i64::from(length)) / 2
            };
            let x = centre(x + PADDING, SCAN[0], scan.width());
            let y = centre(y + SCAN_TOP, SCAN[1], scan.height());
            overlay(&mut pixels, &scan, x, y);
        }
        png(&pixels)
    }
}

/// The names of the classes, for each position in a card.
struct CardNames {
    /// After "actual" and "predicted".
    lines: Vec<String>,
    /// Beside a bar.
    bars: Vec<String>,
}

const NAME: Style = Style::bold(11.5);
const SMALL: Style = Style::regular(11.0);
const SMALL_BOLD: Style = Style::bold(11.0);
const NAME_LEFT: f64 = 70.0;

impl CardNames {
    fn of(classes: &ClassIndices) -> Self {
        let in_a_line =
            |style, room| labels(classes, style, room, 1).into_iter().flatten().collect();
        Self {
            lines: in_a_line(NAME, CARD[0] - NAME_LEFT - PADDING),
            bars: in_a_line(SMALL_BOLD, BAR[0] - 8.0),
        }
    }
}

impl SheetImage<'_> {
    fn check(&self, names: usize) -> Result<(), FigureError> {
        for class in [self.actual, self.predicted] {
            if class.0 >= names {
                return Err(FigureError::NoSuchClass { image: self.name.into(), class, names });
            }
        }
        let are_shares = self.probabilities.iter().all(|it| (0.0..=1.0).contains(it));
        if self.probabilities.len() == names && are_shares {
            return Ok(());
        }
        let probabilities = self.probabilities.to_vec();
        Err(FigureError::Probabilities { image: self.name.into(), probabilities, names })
    }

    fn is_right(&self) -> bool {
        self.actual == self.predicted
    }

    /// The card without its scan, its upper left corner at the origin.
    fn card(&self, names: &CardNames) -> Markup {
        let (verdict, colour, stroke) = if self.is_right() {
            ("✓ right", BLUE, "1.5")
        } else {
            ("✗ wrong", VERMILION, "3")
        };
        let confidence = percent(self.probabilities[self.predicted.0]);
        let below = SCAN_TOP + f64::from(SCAN[1]);
        let right = CARD[0] - PADDING;
        let path = SMALL.shorten_start(&shown(self.name), right - PADDING);
        html! {
            rect x="0" y="0" width=(px(CARD[0])) height=(px(CARD[1])) rx="6" fill=(WHITE)
                stroke=(colour) stroke-width=(stroke) {}
            (text([PADDING, 23.0], Anchor::Start, Style::bold(15.0), colour, verdict))
            (text([right, 23.0], Anchor::End, Style::bold(15.0), colour, &confidence))
            rect x=(px(PADDING)) y=(px(SCAN_TOP)) width=(SCAN[0]) height=(SCAN[1]) fill=(MAT) {}
            (text([PADDING, below + 15.0], Anchor::Start, SMALL, FAINT, &path))
            (fact(below + 36.0, "actual", &names.lines[self.actual.0]))
            (fact(below + 55.0, "predicted", &names.lines[self.predicted.0]))
            @for (number, class) in self.bars().into_iter().enumerate() {
                @let y = below + 64.0 + BAR_DISTANCE * number as f64;
                (self.bar(class, &names.bars[class.0], y))
            }
        }
    }

    /// The most probable classes, and always the actual one.
    fn bars(&self) -> Vec<ClassIndex> {
        let mut classes: Vec<_> = (0..self.probabilities.len()).map(ClassIndex).collect();
        let probability = |class: &ClassIndex| self.probabilities[class.0];
        classes.sort_by(|a, b| probability(b).total_cmp(&probability(a)));
        let actual = classes.iter().position(|class| *class == self.actual);
        if let Some(place) = actual.filter(|place| *place >= BARS) {
            classes.swap(BARS - 1, place);
        }
        classes.truncate(BARS);
        classes
    }

    /// The name of a class on its bar, in bold for the actual class.
    fn bar(&self, class: ClassIndex, name: &str, y: f64) -> Markup {
        let probability = self.probabilities[class.0];
        let fill = match (class == self.predicted, self.is_right()) {
            (true, true) => PALE_BLUE,
            (true, false) => PALE_VERMILION,
            (false, _) => PALE_GREY,
        };
        let style = if class == self.actual { SMALL_BOLD } else { SMALL };
        let [width, height] = BAR;
        let baseline = y + 12.0;
        html! {
            rect x=(px(PADDING)) y=(px(y)) width=(px(width)) height=(px(height)) fill=(BAR_GROUND) {}
            // In SVG, a bar of no width is not a rectangle.
            @if width * probability >= 0.01 {
                rect x=(px(PADDING)) y=(px(y)) width=(px(width * probability)) height=(px(height))
                    fill=(fill) {}
            }
            (text([PADDING + 4.0, baseline], Anchor::Start, style, INK, name))
            (text([CARD[0] - PADDING, baseline], Anchor::End, SMALL, INK, &percent(probability)))
        }
    }
}

/// Upper left corner of a card.
fn card_at(place: usize) -> [f64; 2] {
    let (row, column) = ((place / COLUMNS) as f64, (place % COLUMNS) as f64);
    [MARGIN + column * (CARD[0] + GAP), TOP + row * (CARD[1] + GAP)]
}

fn fact(y: f64, what: &str, value: &str) -> Markup {
    html! {
        (text([PADDING, y], Anchor::Start, SMALL, FAINT, what))
        (text([NAME_LEFT, y], Anchor::Start, NAME, INK, value))
    }
}

/// The scan as large as fits, with its proportions kept.
fn fit(scan: &Picture) -> RgbImage {
    let [room_x, room_y] = SCAN.map(u64::from);
    let (width, height) = (u64::from(scan.width()), u64::from(scan.height()));
    let longest = if width * room_y >= height * room_x {
        room_x
    } else {
        // As high as fits.
        (room_y * width.max(height) / height).max(1)
    };
    let small = Thumbnail::of(scan, longest as u32);
    let pixels = RgbImage::from_raw(small.width, small.height, small.rgb)
        .expect("a thumbnail has as many values as its size says");
    // A small scan is enlarged by a whole factor, so that its pixels stay unchanged.
    let factor = (SCAN[0] / small.width).min(SCAN[1] / small.height).max(1);
    let [width, height] = [small.width * factor, small.height * factor];
    if factor == 1 { pixels } else { resize(&pixels, width, height, FilterType::Nearest) }
}

/// A probability in percent; an uncertain one is never shown as 0 % or 100 %.
fn percent(probability: f64) -> String {
    match 100.0 * probability {
        it if it > 0.0 && it < 0.1 => "<0.1 %".into(),
        it if it < 100.0 && it > 99.9 => ">99.9 %".into(),
        it => format!("{it:.1} %"),
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, ImageFormat, Luma};

    use super::*;

    fn scan(width: u32, height: u32, grey: u8) -> Picture {
        let mut file = std::io::Cursor::new(Vec::new());
        let pixels = GrayImage::from_pixel(width, height, Luma([grey]));
        pixels.write_to(&mut file, ImageFormat::Png).unwrap();
        imaging::decode(file.get_ref()).unwrap()
    }

    fn classes() -> ClassIndices {
        ClassIndices::of_names(["a", "b", "c", "d"])
    }

    fn image<'a>(scan: &'a Picture, actual: usize, probabilities: &'a [f64]) -> SheetImage<'a> {
        let (actual, predicted) = (ClassIndex(actual), ClassIndex(0));
        SheetImage { name: "test/a/1.png", scan, actual, predicted, probabilities }
    }

    fn draw(images: &[SheetImage<'_>]) -> RgbImage {
        let classes = classes();
        let sheet = Sheet { title: "Title", subtitle: "subtitle", classes: &classes, images };
        let bytes = sheet.png().unwrap();
        assert_eq!(bytes, sheet.png().unwrap());
        image::load_from_memory(&bytes).unwrap().to_rgb8()
    }

    const SURE: [f64; 4] = [0.9, 0.05, 0.03, 0.02];

    #[test]
    fn scans_of_any_shape_are_in_their_place() {
        for (width, height) in [(512, 512), (1, 1), (16, 20), (2000, 30), (30, 2000), (234, 191)] {
            let scan = scan(width, height, 77);
            let picture = draw(&[image(&scan, 0, &SURE), image(&scan, 1, &SURE)]);
            let shown = fit(&scan);
            assert!(shown.width() <= SCAN[0] && shown.height() <= SCAN[1], "{width}×{height}");
            let large = shown.width() * 2 > SCAN[0] || shown.height() * 2 > SCAN[1];
            assert!(large, "{width}×{height} as {}×{}", shown.width(), shown.height());
            for place in 0..2 {
                let [x, y] = card_at(place);
                let x = (x + PADDING) as u32 + SCAN[0] / 2;
                let y = (y + SCAN_TOP) as u32 + SCAN[1] / 2;
                assert_eq!(picture.get_pixel(x, y).0, [77; 3], "{width}×{height}");
            }
        }
    }

    #[test]
    fn sheets_grow_by_rows_and_may_be_empty() {
        let scan = scan(8, 8, 0);
        let heights = [0, 1, 4, 5, 12].map(|count| {
            let picture = draw(&vec![image(&scan, 0, &SURE); count]);
            assert_eq!(picture.width(), 1100);
            picture.height()
        });
        assert_eq!(heights, [484, 484, 484, 856, 1228]);
        let classes = classes();
        let images = vec![image(&scan, 0, &SURE); 13];
        let error = Sheet { title: "", subtitle: "", classes: &classes, images: &images }.png();
        assert!(matches!(error, Err(FigureError::TooManyImages { images: 13, .. })), "{error:?}");
    }

    #[test]
    fn right_and_wrong_differ_without_colours_too() {
        let scan = scan(8, 8, 0);
        let grey = |actual| {
            let picture = draw(&[image(&scan, actual, &SURE)]);
            image::imageops::grayscale(&picture)
        };
        // Two pixels into the card at the left: within a wrong one's frame, outside a right one's.
        let [x, y] = card_at(0).map(|it| it as u32);
        let [right, wrong] = [grey(0), grey(1)].map(|it| it.get_pixel(x + 1, y + 100).0[0]);
        assert!(right > 240 && wrong < 180, "{right} {wrong}");
    }

    #[test]
    fn the_actual_class_has_a_bar_however_improbable() {
        let scan = scan(8, 8, 0);
        let bars = |actual| image(&scan, actual, &[0.5, 0.3, 0.01, 0.19]).bars();
        assert_eq!(bars(0), [0, 1, 3].map(ClassIndex));
        assert_eq!(bars(2), [0, 1, 2].map(ClassIndex));
    }

    #[test]
    fn probabilities_of_other_classes_are_refused_by_name() {
        let scan = scan(8, 8, 0);
        let classes = classes();
        for probabilities in [&[0.5, 0.5][..], &[f64::NAN, 0.0, 0.0, 0.0], &[2.0, 0.0, 0.0, 0.0]] {
            let images = [image(&scan, 0, probabilities)];
            let error = Sheet { title: "", subtitle: "", classes: &classes, images: &images }.png();
            assert!(error.unwrap_err().to_string().contains("test/a/1.png"));
        }
        let images = [image(&scan, 4, &SURE)];
        let error = Sheet { title: "", subtitle: "", classes: &classes, images: &images }.png();
        assert!(matches!(error, Err(FigureError::NoSuchClass { .. })), "{error:?}");
    }

    #[test]
    fn only_what_is_certain_is_shown_as_such() {
        let texts = [0.0, 0.0004, 0.5, 0.9996, 1.0].map(percent);
        assert_eq!(texts, ["0.0 %", "<0.1 %", "50.0 %", ">99.9 %", "100.0 %"]);
    }
}
