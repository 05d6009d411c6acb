use maud::{Markup, html};

use super::frame::{Axis, WIDTH};
use super::{colour, px};

const NAME_WIDTH: f64 = 190.0;
const ROW: f64 = 34.0;
const BOTTOM: f64 = 48.0;

/// Estimates with their intervals, one below the other.
#[derive(Debug, Clone)]
pub struct IntervalChart {
    /// The title.
    pub title: String,
    /// The common axis.
    pub axis: Axis,
    /// The rows, from the top.
    pub rows: Vec<Interval>,
    /// The caption; may be empty.
    pub caption: String,
}

/// An estimate.
#[derive(Debug, Clone)]
pub struct Interval {
    /// The estimated quantity.
    pub name: String,
    /// Its kind, in small print below the name; may be empty.
    pub note: String,
    /// The estimate.
    pub value: f64,
    /// Its interval, if there is one.
    pub interval: Option<(f64, f64)>,
    /// Whether it is the main one.
    pub is_main: bool,
}

impl IntervalChart {
    /// The chart.
    pub fn markup(&self) -> Markup {
        let height = ROW * self.rows.len() as f64 + BOTTOM;
        let bottom = height - BOTTOM + 6.0;
        html! {
            figure.chart {
                figcaption { (self.title) }
                svg viewBox={ "0 0 " (px(WIDTH)) " " (px(height)) } role="img" aria-label=(self.title) {
                    @for tick in self.ticks() {
                        @let x = px(self.x_of(tick));
                        path.axis d={ "M" (x) " 4V" (px(bottom)) } {}
                        text x=(x) y=(px(bottom + 16.0)) text-anchor="middle" { (px(tick)) }
                    }
                    text x=(px((NAME_WIDTH + WIDTH) / 2.0)) y=(px(height - 6.0)) text-anchor="middle" {
                        (self.axis.label)
                    }
                    @if self.axis.from < 0.0 && self.axis.to > 0.0 {
                        path.guide d={ "M" (px(self.x_of(0.0))) " 4V" (px(bottom)) } {}
                    }
                    @for (index, row) in self.rows.iter().enumerate() { (self.row(index, row)) }
                }
                @if !self.caption.is_empty() { p.caption { (self.caption) } }
            }
        }
    }

    fn row(&self, index: usize, row: &Interval) -> Markup {
        let y = ROW * (index as f64 + 0.5) + 2.0;
        let colour = colour(usize::from(!row.is_main));
        html! {
            @let lift = if row.note.is_empty() { 4.0 } else { -2.0 };
            text.strong x=(px(NAME_WIDTH - 14.0)) y=(px(y + lift)) text-anchor="end" { (row.name) }
            @if !row.note.is_empty() {
                text.small x=(px(NAME_WIDTH - 14.0)) y=(px(y + 11.0)) text-anchor="end" { (row.note) }
            }
            @if let Some((low, high)) = row.interval {
                path fill="none" stroke-width="3" stroke-linecap="round" opacity="0.45"
                    style={ "stroke:" (colour) }
                    d={ "M" (px(self.x_of(low))) " " (px(y)) "H" (px(self.x_of(high))) } {}
            }
            circle cx=(px(self.x_of(row.value))) cy=(px(y)) r="5" style={ "fill:" (colour) } {
                title { (row.name) ": " (format!("{:.3}", row.value)) }
            }
        }
    }

    fn x_of(&self, value: f64) -> f64 {
        let span = (self.axis.to - self.axis.from).max(f64::MIN_POSITIVE);
        let share = ((value - self.axis.from) / span).clamp(0.0, 1.0);
        NAME_WIDTH + share * (WIDTH - NAME_WIDTH - 16.0)
    }

    fn ticks(&self) -> Vec<f64> {
        let span = self.axis.to - self.axis.from;
        (0..=4).map(|quarter| self.axis.from + span * f64::from(quarter) / 4.0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_beyond_the_axis_stays_in_the_picture() {
        let chart = IntervalChart {
            title: String::new(),
            axis: Axis::share(""),
            rows: vec![],
            caption: String::new(),
        };
        assert!(!chart.markup().into_string().contains("guide"));
        assert!((chart.x_of(7.0) - (WIDTH - 16.0)).abs() < 1e-9);
        assert!((chart.x_of(0.0) - NAME_WIDTH).abs() < 1e-9);
    }

    #[test]
    fn differences_have_a_line_at_none_and_notes_stand_below_names() {
        let row = Interval {
            name: "grey histogram".into(),
            note: "shortcut".into(),
            value: 0.25,
            interval: Some((-0.5, 0.5)),
            is_main: true,
        };
        let chart = IntervalChart {
            title: String::new(),
            axis: Axis { label: String::new(), from: -1.0, to: 1.0 },
            rows: vec![row],
            caption: String::new(),
        };
        let text = chart.markup().into_string();
        assert!(text.contains("class=\"guide\" d=\"M327 4V"), "{text}");
        assert!(text.contains("y=\"17\"") && text.contains("y=\"30\""), "{text}");
    }
}
