//! Plane shapes as signed distances in millimetres: negative inside. `x` grows towards the
//! patient's left (the picture's right), `y` towards the back.

use std::ops::{Add, Mul, Sub};

/// A point or a vector, in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub(super) x: f32,
    pub(super) y: f32,
}

pub(super) const fn point(x: f32, y: f32) -> Point {
    Point { x, y }
}

impl Point {
    /// The unit vector at an angle in degrees: 0 is the patient's left, 90 the back.
    pub(super) fn direction(degrees: f32) -> Self {
        let (sin, cos) = libm::sincosf(degrees.to_radians());
        point(cos, sin)
    }

    pub(super) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// Scaled to length 1; the zero vector is unchanged.
    pub(super) fn unit(self) -> Self {
        self * (1.0 / self.length().max(f32::MIN_POSITIVE))
    }

    /// This vector in a frame whose first axis is the unit vector `axis`.
    pub(super) fn seen_from(self, axis: Self) -> Self {
        point(self.dot(axis), self.y * axis.x - self.x * axis.y)
    }

    fn dot(self, other: Self) -> f32 {
        self.x * other.x + self.y * other.y
    }
}

impl Add for Point {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        point(self.x + other.x, self.y + other.y)
    }
}

impl Sub for Point {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        point(self.x - other.x, self.y - other.y)
    }
}

impl Mul<f32> for Point {
    type Output = Self;
    fn mul(self, scale: f32) -> Self {
        point(self.x * scale, self.y * scale)
    }
}

/// A region of the plane.
pub(super) trait Shape {
    /// Signed distance to the border, negative inside. It never changes faster than the position,
    /// which lets the canvas skip whole tiles.
    fn distance(&self, at: Point) -> f32;
}

/// An ellipse; its distance is that to first order.
pub(super) struct Ellipse {
    centre: Point,
    radii: Point,
    axis: Point,
}

impl Ellipse {
    pub(super) fn circle(centre: Point, radius: f32) -> Self {
        Self::new(centre, radius, radius)
    }

    pub(super) fn new(centre: Point, radius_x: f32, radius_y: f32) -> Self {
        Self { centre, radii: point(radius_x, radius_y), axis: point(1.0, 0.0) }
    }

    pub(super) fn turned(self, degrees: f32) -> Self {
        Self { axis: Point::direction(degrees), ..self }
    }
}

impl Shape for Ellipse {
    fn distance(&self, at: Point) -> f32 {
        let p = (at - self.centre).seen_from(self.axis);
        let scaled = point(p.x / self.radii.x, p.y / self.radii.y);
        (scaled.length() - 1.0) * self.radii.x.min(self.radii.y)
    }
}

/// A line with round ends, from one radius to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tube {
    pub(super) from: Point,
    pub(super) to: Point,
    pub(super) radius_from: f32,
    pub(super) radius_to: f32,
}

impl Tube {
    pub(super) fn even(from: Point, to: Point, radius: f32) -> Self {
        Self { from, to, radius_from: radius, radius_to: radius }
    }
}

impl Shape for Tube {
    fn distance(&self, at: Point) -> f32 {
        let (way, axis) = (at - self.from, self.to - self.from);
        let along = (way.dot(axis) / axis.dot(axis).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
        let radius = self.radius_from + (self.radius_to - self.radius_from) * along;
        (way - axis * along).length() - radius
    }
}

/// Tubes end to end.
pub(super) struct Stroke(Vec<Tube>);

impl Stroke {
    /// Through `points`, pointed at both ends and `radius` thick between.
    pub(super) fn tapered(points: &[Point], radius: f32) -> Self {
        let last = points.len().saturating_sub(1) as f32;
        let radius_at = |position: usize| {
            let along = position as f32 / last.max(1.0);
            radius * (4.0 * along * (1.0 - along)).sqrt().max(0.35)
        };
        let tube = |(position, ends): (usize, &[Point])| Tube {
            from: ends[0],
            to: ends[1],
            radius_from: radius_at(position),
            radius_to: radius_at(position + 1),
        };
        Self(points.windows(2).enumerate().map(tube).collect())
    }

    /// Through `points`, `radius` thick all along.
    pub(super) fn even(points: &[Point], radius: f32) -> Self {
        Self(points.windows(2).map(|ends| Tube::even(ends[0], ends[1], radius)).collect())
    }
}

impl Shape for Stroke {
    fn distance(&self, at: Point) -> f32 {
        self.0.iter().map(|tube| tube.distance(at)).fold(f32::INFINITY, f32::min)
    }
}

/// A closed outline.
pub(super) struct Contour(Vec<Point>);

impl Contour {
    /// A polygon.
    pub(super) fn polygon(vertices: Vec<Point>) -> Self {
        Self(vertices)
    }

    /// A smooth outline through `knots` (a closed Catmull-Rom spline).
    pub(super) fn smooth(knots: &[Point]) -> Self {
        const STEPS: usize = 5;
        let count = knots.len();
        let knot = |position: usize| knots[position % count];
        let vertex = |step: usize| {
            let (span, t) = (step / STEPS, (step % STEPS) as f32 / STEPS as f32);
            let [a, b, c, d] = [count - 1, 0, 1, 2].map(|offset| knot(span + offset));
            let linear = (c - a) * t;
            let square = (a * 2.0 - b * 5.0 + c * 4.0 - d) * (t * t);
            let cube = (b * 3.0 - a - c * 3.0 + d) * (t * t * t);
            (b * 2.0 + linear + square + cube) * 0.5
        };
        Self((0..count * STEPS).map(vertex).collect())
    }

    /// A round outline whose radius is `radius(degrees)`.
    pub(super) fn around(centre: Point, radius: impl Fn(f32) -> f32) -> Self {
        const VERTICES: usize = 72;
        let vertex = |step: usize| {
            let degrees = 360.0 * step as f32 / VERTICES as f32;
            centre + Point::direction(degrees) * radius(degrees)
        };
        Self((0..VERTICES).map(vertex).collect())
    }
}

impl Shape for Contour {
    fn distance(&self, at: Point) -> f32 {
        let mut nearest = f32::INFINITY;
        let mut inside = false;
        let mut from = self.0[self.0.len() - 1];
        for &to in &self.0 {
            let (way, edge) = (at - from, to - from);
            let along = (way.dot(edge) / edge.dot(edge).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
            let gap = way - edge * along;
            nearest = nearest.min(gap.dot(gap));
            if (from.y > at.y) != (to.y > at.y)
                && way.x < edge.x * (at.y - from.y) / (to.y - from.y)
            {
                inside = !inside;
            }
            from = to;
        }
        if inside { -nearest.sqrt() } else { nearest.sqrt() }
    }
}

/// A shape whose border is moved outwards by millimetres; inwards where negative.
pub(super) struct Grown<'a, S>(pub(super) &'a S, pub(super) f32);

impl<S: Shape> Shape for Grown<'_, S> {
    fn distance(&self, at: Point) -> f32 {
        self.0.distance(at) - self.1
    }
}

/// The overlap of two shapes. Far from the first the second is not computed.
pub(super) struct Overlap<'a, A, B>(pub(super) &'a A, pub(super) &'a B);

impl<A: Shape, B: Shape> Shape for Overlap<'_, A, B> {
    fn distance(&self, at: Point) -> f32 {
        const FAR_MM: f32 = 20.0;
        let first = self.0.distance(at);
        if first > FAR_MM { first } else { first.max(self.1.distance(at)) }
    }
}

/// Shapes as one.
pub(super) struct Union<S>(pub(super) Vec<S>);

impl<S: Shape> Shape for Union<S> {
    fn distance(&self, at: Point) -> f32 {
        self.0.iter().map(|shape| shape.distance(at)).fold(f32::INFINITY, f32::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square() -> Contour {
        Contour::polygon(vec![point(0.0, 0.0), point(4.0, 0.0), point(4.0, 4.0), point(0.0, 4.0)])
    }

    #[test]
    fn distance_is_negative_inside_and_straight_to_the_border_outside() {
        assert_eq!(square().distance(point(1.0, 2.0)), -1.0);
        assert_eq!(square().distance(point(7.0, 8.0)), 5.0);
        let tube =
            Tube { from: point(0.0, 0.0), to: point(10.0, 0.0), radius_from: 1.0, radius_to: 3.0 };
        assert_eq!(tube.distance(point(5.0, 6.0)), 4.0);
        assert_eq!(tube.distance(point(13.0, 4.0)), 2.0);
    }

    #[test]
    fn a_turned_ellipse_has_its_long_axis_where_it_points() {
        let ellipse = Ellipse::new(point(1.0, 1.0), 5.0, 2.0).turned(90.0);
        assert!(ellipse.distance(point(1.0, 6.0)).abs() < 1e-5);
        assert!(ellipse.distance(point(3.0, 1.0)).abs() < 1e-5);
        assert!(ellipse.distance(point(5.0, 1.0)) > 0.0);
    }

    #[test]
    fn a_smooth_outline_goes_through_its_knots() {
        let knots = [point(0.0, 0.0), point(8.0, 1.0), point(9.0, 7.0), point(1.0, 6.0)];
        let outline = Contour::smooth(&knots);
        assert!(knots.iter().all(|knot| outline.distance(*knot).abs() < 1e-5));
    }

    #[test]
    fn shapes_combine() {
        let circle = Ellipse::circle(point(4.0, 2.0), 2.0);
        let overlap = Overlap(&circle, &square());
        assert!(overlap.distance(point(3.0, 2.0)) < 0.0);
        assert!(overlap.distance(point(5.0, 2.0)) > 0.0);
        assert_eq!(Grown(&square(), 1.5).distance(point(5.0, 2.0)), -0.5);
    }
}
