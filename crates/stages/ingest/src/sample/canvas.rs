use super::draws::Draws;
use super::shape::{Point, Shape, point};

/// The position of the picture on the patient.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// Picture width in pixels.
    pub(super) width: usize,
    /// Picture height in pixels.
    pub(super) height: usize,
    /// Side of a pixel.
    pub(super) pixel_mm: f32,
    /// The point of the patient in the middle of the picture.
    pub(super) centre: Point,
    /// The direction in the picture of the patient's left.
    pub(super) axis: Point,
}

impl Frame {
    /// The patient's point under a pixel's middle.
    fn patient(&self, column: f32, row: f32) -> Point {
        let offset =
            point(column + 0.5 - self.width as f32 * 0.5, row + 0.5 - self.height as f32 * 0.5);
        self.centre + (offset * self.pixel_mm).seen_from(self.axis)
    }
}

/// A slice in Hounsfield units, painted shape over shape.
pub(super) struct Canvas {
    pub(super) frame: Frame,
    /// Hounsfield units, row by row.
    pub(super) hounsfield: Vec<f32>,
    /// How much of each pixel is lesion, 0 to 1.
    pub(super) lesion: Vec<f32>,
}

impl Canvas {
    /// A slice of air.
    pub(super) fn new(frame: Frame) -> Self {
        let pixels = frame.width * frame.height;
        Self { frame, hounsfield: vec![-1000.0; pixels], lesion: vec![0.0; pixels] }
    }

    /// Fills a shape with an even tissue.
    pub(super) fn paint(&mut self, shape: &impl Shape, hounsfield: f32) {
        self.paint_with(shape, |_| hounsfield);
    }

    /// Fills a shape with a tissue that varies by position.
    pub(super) fn paint_with(&mut self, shape: &impl Shape, tissue: impl Fn(Point) -> f32) {
        self.cover(shape, 0.0, |hounsfield, lesion, coverage, at| {
            *hounsfield += (tissue(at) - *hounsfield) * coverage;
            *lesion *= 1.0 - coverage;
        });
    }

    /// Fills a shape with a tissue and marks it as lesion; its border is `blur_mm` wide.
    pub(super) fn paint_lesion(
        &mut self,
        shape: &impl Shape,
        blur_mm: f32,
        tissue: impl Fn(Point) -> f32,
    ) {
        self.cover(shape, blur_mm, |hounsfield, lesion, coverage, at| {
            *hounsfield += (tissue(at) - *hounsfield) * coverage;
            *lesion += (1.0 - *lesion) * coverage;
        });
    }

    /// Calls `visit` for every pixel that a shape covers, with the share of it that is covered.
    fn cover(
        &mut self,
        shape: &impl Shape,
        blur_mm: f32,
        visit: impl Fn(&mut f32, &mut f32, f32, Point),
    ) {
        let (frame, edge_mm) = (self.frame, self.frame.pixel_mm.max(blur_mm));
        let mut tiles: Vec<Tile> = Tile::over(frame).collect();
        while let Some(tile) = tiles.pop() {
            let from_middle = shape.distance(tile.middle(frame));
            let reach_mm = tile.reach_mm(frame) + edge_mm;
            if from_middle > reach_mm {
                continue;
            }
            let is_full = from_middle < -reach_mm;
            if !is_full && tile.side > Tile::SMALLEST {
                tiles.extend(tile.quarters());
                continue;
            }
            for (column, row) in tile.pixels(frame) {
                let at = frame.patient(column as f32, row as f32);
                let coverage = if is_full {
                    1.0
                } else {
                    (0.5 - shape.distance(at) / edge_mm).clamp(0.0, 1.0)
                };
                if coverage > 0.0 {
                    let pixel = row * frame.width + column;
                    visit(&mut self.hounsfield[pixel], &mut self.lesion[pixel], coverage, at);
                }
            }
        }
    }
}

/// A square of pixels, filled or skipped as a whole if a shape's border is far away.
#[derive(Clone, Copy)]
struct Tile {
    left: usize,
    top: usize,
    side: usize,
}

impl Tile {
    const LARGEST: usize = 64;
    const SMALLEST: usize = 4;

    /// The largest tiles, over the whole picture.
    fn over(frame: Frame) -> impl Iterator<Item = Self> {
        let starts = |length: usize| (0..length).step_by(Self::LARGEST);
        starts(frame.height).flat_map(move |top| {
            starts(frame.width).map(move |left| Self { left, top, side: Self::LARGEST })
        })
    }

    fn quarters(self) -> [Self; 4] {
        let side = self.side / 2;
        [(0, 0), (side, 0), (0, side), (side, side)].map(|(right, down)| Self {
            left: self.left + right,
            top: self.top + down,
            side,
        })
    }

    fn middle(self, frame: Frame) -> Point {
        let half = self.side as f32 * 0.5 - 0.5;
        frame.patient(self.left as f32 + half, self.top as f32 + half)
    }

    /// From the middle to a corner.
    fn reach_mm(self, frame: Frame) -> f32 {
        self.side as f32 * frame.pixel_mm * std::f32::consts::FRAC_1_SQRT_2
    }

    /// Column and row of each pixel within the picture.
    fn pixels(self, frame: Frame) -> impl Iterator<Item = (usize, usize)> {
        let right = (self.left + self.side).min(frame.width);
        let bottom = (self.top + self.side).min(frame.height);
        (self.top..bottom).flat_map(move |row| (self.left..right).map(move |column| (column, row)))
    }
}

/// A smooth random field over the patient, between −1 and 1, which makes a tissue uneven.
pub(super) struct Texture {
    lattice: Vec<f32>,
    grain_mm: f32,
}

/// Lattice points to a side; the field repeats after that many grains.
const LATTICE: usize = 64;

impl Texture {
    /// A field whose features are about `grain_mm` wide.
    pub(super) fn new(draws: &mut Draws, grain_mm: f32) -> Self {
        let lattice = (0..LATTICE * LATTICE).map(|_| draws.uniform(-1.0, 1.0)).collect();
        Self { lattice, grain_mm }
    }

    pub(super) fn at(&self, place: Point) -> f32 {
        let (x, y) = (place.x / self.grain_mm, place.y / self.grain_mm);
        let (column, row) = (x.floor(), y.floor());
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (across, down) = (ease(x - column), ease(y - row));
        let value = |right: i32, below: i32| {
            let wrap = |position: i32| position.rem_euclid(LATTICE as i32) as usize;
            self.lattice[wrap(row as i32 + below) * LATTICE + wrap(column as i32 + right)]
        };
        let upper = value(0, 0) + (value(1, 0) - value(0, 0)) * across;
        let lower = value(0, 1) + (value(1, 1) - value(0, 1)) * across;
        upper + (lower - upper) * down
    }
}

#[cfg(test)]
mod tests {
    use super::super::draws::Subject;
    use super::super::shape::Ellipse;
    use super::*;

    fn canvas() -> Canvas {
        let axis = point(1.0, 0.0);
        Canvas::new(Frame { width: 90, height: 70, pixel_mm: 0.5, centre: point(0.0, 0.0), axis })
    }

    #[test]
    fn a_painted_shape_has_its_area() {
        let mut canvas = canvas();
        canvas.paint_lesion(&Ellipse::circle(point(3.0, -2.0), 10.0), 0.0, |_| 40.0);
        let area_mm2 = canvas.lesion.iter().sum::<f32>() * 0.25;
        assert!((area_mm2 / (std::f32::consts::PI * 100.0) - 1.0).abs() < 0.005, "{area_mm2}");
        assert_eq!(canvas.hounsfield[31 * 90 + 51], 40.0);
        assert_eq!(canvas.hounsfield[0], -1000.0);
    }

    #[test]
    fn what_is_painted_over_a_lesion_hides_it() {
        let mut canvas = canvas();
        canvas.paint_lesion(&Ellipse::circle(point(0.0, 0.0), 5.0), 0.0, |_| 40.0);
        canvas.paint(&Ellipse::circle(point(0.0, 0.0), 8.0), -100.0);
        assert!(canvas.lesion.iter().all(|share| *share == 0.0));
    }

    #[test]
    fn a_turned_frame_shows_the_patient_turned() {
        let frame = Frame { axis: Point::direction(90.0), ..canvas().frame };
        let at = frame.patient(45.0 + 9.5, 34.5);
        assert!((at - point(0.0, -5.0)).length() < 1e-5, "{at:?}");
    }

    #[test]
    fn a_texture_is_smooth_and_stays_in_its_range() {
        let texture = Texture::new(&mut Draws::new(1, 2, Subject::Patient), 4.0);
        for step in 0..2000 {
            let at = point(step as f32 * 0.05 - 40.0, 3.0);
            let (here, beside) = (texture.at(at), texture.at(at + point(0.01, 0.0)));
            assert!((-1.0..=1.0).contains(&here) && (here - beside).abs() < 0.01);
        }
    }
}
