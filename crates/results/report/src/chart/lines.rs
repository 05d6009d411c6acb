use maud::{Markup, html};

use super::frame::{Axis, Frame};
use super::{colour, legend, px};

/// Lines over a common axis, such as histograms, ROC curves and reliability.
#[derive(Debug, Clone)]
pub struct LineChart {
    /// The title.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
    /// Whether to draw the diagonal of a random guess.
    pub diagonal: bool,
    /// The caption; may be empty.
    pub caption: String,
}

/// One line.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
    /// How they are joined.
    pub stroke: Stroke,
}

/// How points are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// Straight from one to the next.
    Line,
    /// Straight, with a mark on each point.
    Marked,
    /// Horizontal, then up or down at the next point.
    Step,
    /// Not at all: a mark on each point.
    Marks,
}

impl LineChart {
    /// The chart.
    pub fn markup(&self) -> Markup {
        let frame = Frame { x: &self.x, y: &self.y, height: 320.0 };
        let names: Vec<String> = self.series.iter().map(|series| series.name.clone()).collect();
        html! {
            figure.chart {
                figcaption { (self.title) }
                svg viewBox=(frame.view_box()) role="img" aria-label=(self.title) {
                    (frame.axes())
                    @if self.diagonal {
                        path.guide d={
                            "M" (px(frame.x_of(self.x.from))) " " (px(frame.y_of(self.y.from)))
                            "L" (px(frame.x_of(self.x.to))) " " (px(frame.y_of(self.y.to)))
                        } {}
                    }
                    @for (index, series) in self.series.iter().enumerate() {
                        (series.markup(&frame, index))
                    }
                }
                @if names.len() > 1 { (legend(&names)) }
                @if !self.caption.is_empty() { p.caption { (self.caption) } }
            }
        }
    }
}

impl Series {
    fn markup(&self, frame: &Frame<'_>, index: usize) -> Markup {
        html! {
            @if self.stroke != Stroke::Marks {
                path d=(self.path(frame)) fill="none" stroke-width="2" stroke-linejoin="round"
                    style={ "stroke:" (colour(index)) } {}
            }
            @if matches!(self.stroke, Stroke::Marked | Stroke::Marks) {
                @for (x, y) in &self.points {
                    circle cx=(px(frame.x_of(*x))) cy=(px(frame.y_of(*y))) r="4"
                        style={ "fill:" (colour(index)) } {}
                }
            }
        }
    }

    fn path(&self, frame: &Frame<'_>) -> String {
        let mut path = String::new();
        for (x, y) in &self.points {
            let (x, y) = (px(frame.x_of(*x)), px(frame.y_of(*y)));
            path.push_str(&match (path.is_empty(), self.stroke) {
                (true, _) => format!("M{x} {y}"),
                (false, Stroke::Step) => format!("H{x}V{y}"),
                (false, _) => format!("L{x} {y}"),
            });
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_runs_from_corner_to_corner() {
        let series =
            Series { name: "a".into(), points: vec![(0.0, 0.0), (1.0, 1.0)], stroke: Stroke::Line };
        let (x, y) = (Axis::share("x"), Axis::share("y"));
        let frame = Frame { x: &x, y: &y, height: 320.0 };
        assert_eq!(series.path(&frame), "M54 274L468 10");
        let step = Series { stroke: Stroke::Step, ..series };
        assert_eq!(step.path(&frame), "M54 274H468V10");
        let marks = Series { stroke: Stroke::Marks, ..step }.markup(&frame, 0).into_string();
        assert!(marks.matches("<circle").count() == 2 && !marks.contains("<path"), "{marks}");
    }
}
