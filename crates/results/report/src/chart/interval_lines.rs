use maud::{Markup, html};

use super::frame::{Axis, Frame};
use super::{colour, legend, px};

/// Lines whose points have intervals, such as a score by the similarity of images.
#[derive(Debug, Clone)]
pub struct IntervalLines {
    /// The title.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines.
    pub series: Vec<IntervalSeries>,
    /// A marked position on the horizontal axis, with its name.
    pub mark: Option<(f64, String)>,
    /// The caption; may be empty.
    pub caption: String,
}

/// One line.
#[derive(Debug, Clone)]
pub struct IntervalSeries {
    /// Its name in the legend.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<IntervalPoint>,
}

/// One point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct IntervalPoint {
    /// Horizontal position.
    pub x: f64,
    /// Vertical position.
    pub y: f64,
    /// The ends of its interval, if there is one.
    pub interval: Option<(f64, f64)>,
}

impl IntervalLines {
    /// The chart. If several lines have intervals at one position, they are drawn side by side.
    pub fn markup(&self) -> Markup {
        let frame = Frame { x: &self.x, y: &self.y, height: 320.0 };
        let names: Vec<String> = self.series.iter().map(|series| series.name.clone()).collect();
        html! {
            figure.chart {
                figcaption { (self.title) }
                svg viewBox=(frame.view_box()) role="img" aria-label=(self.title) {
                    (frame.axes())
                    @if let Some((x, name)) = &self.mark {
                        @let at = px(frame.x_of(*x));
                        path.guide d={
                            "M" (at) " " (px(frame.y_of(self.y.from))) "V" (px(frame.y_of(self.y.to)))
                        } { title { (name) } }
                        text.small x=(px(frame.x_of(*x) + 4.0)) y=(px(frame.y_of(self.y.to) + 10.0)) {
                            (name)
                        }
                    }
                    @for (index, series) in self.series.iter().enumerate() {
                        (self.line(&frame, index, series))
                    }
                }
                @if names.len() > 1 { (legend(&names)) }
                @if !self.caption.is_empty() { p.caption { (self.caption) } }
            }
        }
    }

    fn line(&self, frame: &Frame<'_>, index: usize, series: &IntervalSeries) -> Markup {
        const APART: f64 = 5.0;
        let middle = (self.series.len().saturating_sub(1)) as f64 / 2.0;
        let x_of = |point: &IntervalPoint| frame.x_of(point.x) + (index as f64 - middle) * APART;
        let mut path = String::new();
        for point in &series.points {
            let start = if path.is_empty() { 'M' } else { 'L' };
            path.push_str(&format!("{start}{} {}", px(x_of(point)), px(frame.y_of(point.y))));
        }
        let colour = colour(index);
        html! {
            path d=(path) fill="none" stroke-width="2" stroke-linejoin="round"
                style={ "stroke:" (colour) } {}
            @for point in &series.points {
                @if let Some((low, high)) = point.interval {
                    path fill="none" stroke-width="3" stroke-linecap="round" opacity="0.4"
                        style={ "stroke:" (colour) }
                        d={
                            "M" (px(x_of(point))) " " (px(frame.y_of(low)))
                            "V" (px(frame.y_of(high)))
                        } {}
                }
                circle cx=(px(x_of(point))) cy=(px(frame.y_of(point.y))) r="4"
                    style={ "fill:" (colour) } {
                    title { (series.name) ": " (format!("{:.3}", point.y)) }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_has_its_interval_and_lines_stand_side_by_side() {
        let point = |x, y| IntervalPoint { x, y, interval: Some((y - 0.1, y + 0.1)) };
        let series = |name: &str| IntervalSeries {
            name: name.into(),
            points: vec![point(0.0, 0.5), point(1.0, 0.5)],
        };
        let chart = IntervalLines {
            title: "t".into(),
            x: Axis::share("x"),
            y: Axis::share("y"),
            series: vec![series("a"), series("b")],
            mark: Some((0.5, "here".into())),
            caption: String::new(),
        };
        let text = chart.markup().into_string();
        assert_eq!(text.matches("<circle").count(), 4);
        assert_eq!(text.matches("opacity").count(), 4);
        assert!(text.contains("M51.5 142L465.5 142") && text.contains("M56.5 142"), "{text}");
        assert!(text.contains("<title>here</title>"));
    }
}
