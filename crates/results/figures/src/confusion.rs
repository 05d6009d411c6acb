//! The confusion matrix.

use dataset::{ClassIndex, ClassIndices};
use maud::{Markup, html};
use metrics::ConfusionMatrix;

use crate::FigureError;
use crate::canvas::{Anchor, heading, png, px, rasterise, text, upward_text};
use crate::colour::{FAINT, FRAME, INK, WHITE, of_share};
use crate::labels::labels;
use crate::text::Style;

/// With more classes, a count would not fit into its cell.
const MOST_CLASSES: usize = 40;

/// Side of the whole matrix, at most, and of one cell.
const SIDE: f64 = 660.0;
const LARGEST_CELL: f64 = 170.0;
/// A smaller cell only has room for its count.
const CELL_WITH_SHARE: f64 = 40.0;

const LEFT: f64 = 20.0;
const TOP: f64 = 122.0;
/// Room for names of rows, and for names of columns that do not fit above one another.
const NAMES: f64 = 200.0;
/// Room for the sums of the rows and for the scale of the colours.
const SUMS: f64 = 84.0;
const SCALE: f64 = 110.0;

/// Distance of the baselines of names of columns.
const LEADING: f64 = 17.0;

/// Half of the square root of 2: the sine and cosine of 45°.
const DIAGONAL: f64 = std::f64::consts::FRAC_1_SQRT_2;

/// A confusion matrix of the test images: a row is an actual class, a column a predicted one; the
/// colour of a cell is its share of the row.
#[derive(Debug, Clone, Copy)]
pub struct Confusion<'a> {
    /// The counts.
    pub matrix: &'a ConfusionMatrix,
    /// The names of its classes.
    pub classes: &'a ClassIndices,
}

/// Positions of the parts.
struct Layout {
    classes: usize,
    /// Side of a cell, in whole pixels.
    cell: f64,
    /// Left edge of the cells.
    left: f64,
    names: Names,
}

/// Names of the columns.
enum Names {
    /// Under their column, each in a few lines.
    Upright(Vec<Vec<String>>),
    /// Slanted towards their column, each in a line or two.
    Slanted(Vec<Vec<String>>),
}

impl Confusion<'_> {
    /// The picture, 800 to 1100 pixels wide.
    ///
    /// # Errors
    /// When the numbers of names and classes differ, or there are more than 40 classes.
    pub fn png(&self) -> Result<Vec<u8>, FigureError> {
        let classes = self.matrix.classes().count();
        if classes != self.classes.len() {
            return Err(FigureError::ClassCount { rows: classes, names: self.classes.len() });
        }
        if classes > MOST_CLASSES {
            return Err(FigureError::TooManyClasses { classes, most: MOST_CLASSES });
        }
        let layout = Layout::of(self.classes);
        let rows = labels(self.classes, layout.row_style(), NAMES - 10.0, layout.row_lines());
        let drawing = html! {
            (heading(LEFT, "Confusion matrix of the test images", &self.subtitle()))
            @for actual in self.matrix.classes() {
                (self.row(actual, &layout, &rows[actual.0]))
            }
            (layout.column_names())
            (layout.axis_titles())
            (layout.colour_scale())
        };
        png(&rasterise(&drawing, layout.size())?)
    }

    fn subtitle(&self) -> String {
        let (right, total) = (self.matrix.correct(), self.matrix.total());
        let share = 100.0 * self.matrix.accuracy();
        format!("{right} of {total} classified correctly ({share:.1} %)")
    }

    fn row(&self, actual: ClassIndex, layout: &Layout, name: &[String]) -> Markup {
        let support = self.matrix.support(actual);
        let [x, y] = layout.cell_at(actual, ClassIndex(0));
        let middle = y + layout.cell / 2.0;
        let style = layout.row_style();
        let images = support.to_string();
        html! {
            (lines([x - 10.0, middle], Anchor::End, style, name))
            @for predicted in self.matrix.classes() {
                (self.cell(actual, predicted, support, layout))
            }
            (text([layout.right() + SUMS / 2.0, middle + 5.0], Anchor::Middle, style, INK, &images))
        }
    }

    fn cell(
        &self,
        actual: ClassIndex,
        predicted: ClassIndex,
        support: u64,
        layout: &Layout,
    ) -> Markup {
        let count = self.matrix.count(actual, predicted);
        let [x, y] = layout.cell_at(actual, predicted);
        let colour = if support == 0 { WHITE } else { of_share(thousandths(count, support)) };
        let ink = if count == 0 { FAINT } else { colour.text_on_it() };
        let is_right = actual == predicted;
        let inset = if is_right { 2.5 } else { 0.5 };
        let side = layout.cell - 2.0 * inset;
        let (cell, middle) = (layout.cell, x + layout.cell / 2.0);
        let number = count.to_string();
        let largest = (cell * 0.3).clamp(9.0, 20.0);
        let style = if count == 0 { Style::regular(largest) } else { Style::bold(largest) };
        let style = style.that_fits(&number, cell - 6.0);
        let has_share = cell >= CELL_WITH_SHARE && count > 0;
        let small = Style::regular((cell * 0.22).clamp(10.0, 14.0));
        let baseline = y + cell / 2.0 + if has_share { -1.0 } else { style.size * 0.36 };
        html! {
            rect x=(px(x)) y=(px(y)) width=(px(cell)) height=(px(cell)) fill=(colour)
                shape-rendering="crispEdges" {}
            rect x=(px(x + inset)) y=(px(y + inset)) width=(px(side)) height=(px(side)) fill="none"
                stroke=(if is_right { INK } else { FRAME }) stroke-width=(if is_right { "3" } else { "1" }) {}
            (text([middle, baseline], Anchor::Middle, style, ink, &number))
            @if has_share {
                (text([middle, baseline + small.size + 4.0], Anchor::Middle, small, ink,
                    &percent(count, support)))
            }
        }
    }
}

impl Layout {
    fn of(classes: &ClassIndices) -> Self {
        let count = classes.len();
        let cell = (SIDE / count.max(1) as f64).floor().min(LARGEST_CELL);
        let style = column_style();
        let room = cell - 8.0;
        let fits = |lines: &Vec<String>| !lines.iter().any(|line| line.contains('…'));
        let upright = labels(classes, style, room, 3);
        let names = if upright.iter().all(fits) {
            Names::Upright(upright)
        } else {
            let lines = if cell * DIAGONAL >= 2.0 * LEADING { 2 } else { 1 };
            Names::Slanted(labels(classes, style, NAMES, lines))
        };
        Self { classes: count, cell, left: LEFT + 30.0 + NAMES, names }
    }

    fn side(&self) -> f64 {
        self.cell * self.classes as f64
    }

    fn right(&self) -> f64 {
        self.left + self.side()
    }

    fn bottom(&self) -> f64 {
        TOP + self.side()
    }

    fn cell_at(&self, actual: ClassIndex, predicted: ClassIndex) -> [f64; 2] {
        [self.left + self.cell * predicted.0 as f64, TOP + self.cell * actual.0 as f64]
    }

    fn row_style(&self) -> Style {
        Style::regular((self.cell * 0.6).clamp(9.0, 14.0))
    }

    fn row_lines(&self) -> usize {
        if self.cell >= CELL_WITH_SHARE { 2 } else { 1 }
    }

    /// Height of the names of the columns.
    fn names_height(&self) -> f64 {
        match &self.names {
            Names::Upright(names) => {
                names.iter().map(Vec::len).max().unwrap_or_default() as f64 * LEADING + 12.0
            }
            Names::Slanted(names) => {
                let widths = names.iter().flatten().map(|line| column_style().width(line));
                widths.fold(0.0, f64::max) * DIAGONAL + 32.0
            }
        }
    }

    fn size(&self) -> [u32; 2] {
        let width = (self.right() + SUMS + SCALE).max(800.0);
        let height = self.bottom() + self.names_height() + 70.0;
        [width as u32, height as u32]
    }

    fn column_names(&self) -> Markup {
        let place = |column: usize| self.left + self.cell * (column as f64 + 0.5);
        let style = column_style();
        html! {
            @match &self.names {
                Names::Upright(names) => {
                    @for (column, name) in names.iter().enumerate() {
                        @for (number, line) in name.iter().enumerate() {
                            @let y = self.bottom() + 20.0 + LEADING * number as f64;
                            (text([place(column), y], Anchor::Middle, style, INK, line))
                        }
                    }
                }
                Names::Slanted(names) => {
                    @for (column, name) in names.iter().enumerate() {
                        g transform={ "matrix(" (DIAGONAL) " -" (DIAGONAL) " " (DIAGONAL) " "
                            (DIAGONAL) " " (px(place(column) + 4.0)) " " (px(self.bottom() + 14.0)) ")" } {
                            @for (number, line) in name.iter().enumerate() {
                                @let y = LEADING * (number as f64 - (name.len() as f64 - 1.0) / 2.0);
                                (text([0.0, y], Anchor::End, style, INK, line))
                            }
                        }
                    }
                }
            }
        }
    }

    fn axis_titles(&self) -> Markup {
        let style = Style::bold(14.0);
        let (middle, middle_y) = (self.left + self.side() / 2.0, TOP + self.side() / 2.0);
        let below = self.bottom() + self.names_height() + 16.0;
        let sums = self.right() + SUMS / 2.0;
        html! {
            (upward_text([LEFT + 14.0, middle_y], style, INK, "actual class"))
            (text([middle, below], Anchor::Middle, style, INK, "predicted class"))
            (text([sums, TOP - 12.0], Anchor::Middle, Style::regular(13.0), FAINT, "images"))
        }
    }

    fn colour_scale(&self) -> Markup {
        let x = self.right() + SUMS + 6.0;
        let height = self.side().min(260.0).floor();
        let style = Style::regular(12.0);
        let steps = height as u32;
        html! {
            (text([x, TOP - 28.0], Anchor::Start, style, FAINT, "share of"))
            (text([x, TOP - 12.0], Anchor::Start, style, FAINT, "the row"))
            @for step in 0..steps {
                @let colour = of_share(1000 - 1000 * step / (steps - 1).max(1));
                rect x=(px(x)) y=(px(TOP + f64::from(step))) width="18" height="1" fill=(colour)
                    shape-rendering="crispEdges" {}
            }
            rect x=(px(x)) y=(px(TOP)) width="18" height=(px(height)) fill="none" stroke=(FRAME) {}
            @for (share, label) in [(1.0, "100 %"), (0.5, "50 %"), (0.0, "0 %")] {
                @let y = TOP + (1.0 - share) * height;
                (text([x + 24.0, y + 4.5], Anchor::Start, style, FAINT, label))
            }
        }
    }
}

fn column_style() -> Style {
    Style::regular(14.0)
}

/// Lines around a middle.
fn lines([x, middle]: [f64; 2], anchor: Anchor, style: Style, lines: &[String]) -> Markup {
    let leading = style.size * 1.25;
    let first = middle + style.size * 0.36 - leading * (lines.len() as f64 - 1.0) / 2.0;
    html! {
        @for (number, line) in lines.iter().enumerate() {
            (text([x, first + leading * number as f64], anchor, style, INK, line))
        }
    }
}

fn thousandths(count: u64, support: u64) -> u32 {
    let share = u128::from(count) * 1000 / u128::from(support.max(1));
    u32::try_from(share).unwrap_or(1000)
}

/// The share in whole percent; a share above zero is never 0 %, and one below all is never 100 %.
fn percent(count: u64, support: u64) -> String {
    let (count, support) = (u128::from(count), u128::from(support.max(1)));
    let percent = (count * 200 + support) / (support * 2);
    match percent {
        0 if count > 0 => "<1 %".into(),
        100 if count < support => ">99 %".into(),
        _ => format!("{percent} %"),
    }
}

#[cfg(test)]
mod tests {
    use image::RgbImage;

    use super::*;

    const LONG: &str = "adenocarcinoma_left.lower.lobe_T2_N0_M0_Ib";

    fn matrix(classes: usize, counts: &[(usize, usize, usize)]) -> ConfusionMatrix {
        let pairs = counts.iter().flat_map(|(actual, predicted, count)| {
            std::iter::repeat_n((ClassIndex(*actual), ClassIndex(*predicted)), *count)
        });
        ConfusionMatrix::of(classes, pairs)
    }

    fn names(count: usize) -> ClassIndices {
        ClassIndices::of_names((0..count).map(|number| format!("{LONG}_{number:03}")))
    }

    fn draw(matrix: &ConfusionMatrix, classes: &ClassIndices) -> RgbImage {
        let confusion = Confusion { matrix, classes };
        let bytes = confusion.png().unwrap();
        assert_eq!(bytes, confusion.png().unwrap());
        image::load_from_memory(&bytes).unwrap().to_rgb8()
    }

    #[test]
    fn a_cell_has_the_colour_of_its_share_of_the_row() {
        let classes = ClassIndices::of_names(["adenocarcinoma", "normal"]);
        let layout = Layout::of(&classes);
        let counts = [(0, 0, 3), (0, 1, 1), (1, 1, 5)];
        let picture = draw(&matrix(2, &counts), &classes);
        for (actual, predicted, share) in [(0, 0, 750), (0, 1, 250), (1, 0, 0), (1, 1, 1000)] {
            let [x, y] = layout.cell_at(ClassIndex(actual), ClassIndex(predicted));
            let pixel = picture.get_pixel(x as u32 + 20, y as u32 + 20);
            assert_eq!(pixel.0, of_share(share).0, "{actual} {predicted}");
        }
    }

    #[test]
    fn a_count_shows_even_where_the_shares_stay() {
        let classes = ClassIndices::of_names(["a", "b"]);
        let once = draw(&matrix(2, &[(0, 0, 1), (1, 1, 1)]), &classes);
        let twice = draw(&matrix(2, &[(0, 0, 2), (1, 1, 2)]), &classes);
        assert!(once != twice);
    }

    #[test]
    fn any_number_of_classes_has_a_readable_size() {
        for count in [1, 3, 12, MOST_CLASSES] {
            let picture = draw(&matrix(count, &[(0, 0, 1_234_567)]), &names(count));
            assert!((800..=1200).contains(&picture.width()), "{count}: {}", picture.width());
            assert!(picture.height() <= 1200, "{count}: {}", picture.height());
        }
        draw(&matrix(2, &[]), &names(2));
    }

    #[test]
    fn long_names_of_many_classes_are_cut_and_stay_different() {
        let Names::Slanted(shown) = Layout::of(&names(20)).names else {
            panic!("such names have no room under their column")
        };
        let lines: Vec<String> = shown.iter().map(|lines| lines.concat()).collect();
        assert!(lines.iter().all(|line| line.ends_with('…')), "{lines:?}");
        assert!(lines[7].starts_with("7: adenocarcinoma"), "{lines:?}");
        let short = ClassIndices::of_names(["large_cell_carcinoma", "squamous_cell_carcinoma"]);
        let Names::Upright(shown) = Layout::of(&short).names else { panic!("there is room") };
        assert_eq!(shown[1].concat(), "squamous_cell_carcinoma");
    }

    #[test]
    fn names_of_other_classes_and_too_many_are_refused() {
        let error = Confusion { matrix: &matrix(2, &[]), classes: &names(3) }.png().unwrap_err();
        assert!(error.to_string().contains("2 rows, but 3 classes"), "{error}");
        let many = matrix(MOST_CLASSES + 1, &[]);
        let error = Confusion { matrix: &many, classes: &names(MOST_CLASSES + 1) }.png();
        assert!(matches!(error, Err(FigureError::TooManyClasses { .. })), "{error:?}");
    }

    #[test]
    fn some_is_never_nothing_and_not_all_is_never_all() {
        let texts = [(0, 9), (1, 1000), (1, 2), (999, 1000), (9, 9)].map(|(a, b)| percent(a, b));
        assert_eq!(texts, ["0 %", "<1 %", "50 %", ">99 %", "100 %"]);
    }
}
