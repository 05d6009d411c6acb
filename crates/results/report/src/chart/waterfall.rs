use maud::{Markup, html};

use super::frame::WIDTH;
use super::{colour, px};

const NAME_WIDTH: f64 = 130.0;
const VALUE_WIDTH: f64 = 84.0;
const ROW: f64 = 40.0;

/// A number from which others are subtracted, one below the other, and the remainder.
#[derive(Debug, Clone)]
pub struct WaterfallChart {
    /// The title.
    pub title: String,
    /// The starting value.
    pub whole: WaterfallBar,
    /// The subtracted values, from the top.
    pub steps: Vec<WaterfallBar>,
    /// The remainder.
    pub left: WaterfallBar,
    /// The caption; may be empty.
    pub caption: String,
}

/// One bar.
#[derive(Debug, Clone)]
pub struct WaterfallBar {
    /// Its name.
    pub name: String,
    /// Its length, 1 at most; `None` if it is not known, and then it has no length.
    pub value: Option<f64>,
    /// Its interval, in words; may be empty.
    pub note: String,
}

impl WaterfallChart {
    /// The chart.
    pub fn markup(&self) -> Markup {
        let height = ROW * (self.steps.len() + 2) as f64 + 8.0;
        let mut at = self.whole.value.unwrap_or(0.0);
        let whole = at;
        let steps = self.steps.iter().map(|step| {
            let from = at;
            at -= step.value.unwrap_or(0.0);
            (step, from, at)
        });
        let steps: Vec<_> = steps.collect();
        let left = self.left.value.unwrap_or(0.0);
        html! {
            figure.chart {
                figcaption { (self.title) }
                svg viewBox={ "0 0 " (px(WIDTH)) " " (px(height)) } role="img" aria-label=(self.title) {
                    (axis(height))
                    (bar(0, &self.whole, 0.0, whole, 1))
                    @for (index, (step, from, to)) in steps.iter().enumerate() {
                        (bar(index + 1, step, *to, *from, 7))
                    }
                    (bar(self.steps.len() + 1, &self.left, 0.0, left, 0))
                }
                @if !self.caption.is_empty() { p.caption { (self.caption) } }
            }
        }
    }
}

fn x_of(value: f64) -> f64 {
    NAME_WIDTH + value.clamp(-0.05, 1.0) * (WIDTH - NAME_WIDTH - VALUE_WIDTH)
}

fn axis(height: f64) -> Markup {
    html! { path.guide d={ "M" (px(x_of(0.0))) " 2V" (px(height - 4.0)) } {} }
}

fn bar(row: usize, bar: &WaterfallBar, from: f64, to: f64, number: usize) -> Markup {
    let y = ROW * row as f64 + 8.0;
    let (left, right) = (x_of(from.min(to)), x_of(from.max(to)));
    let value =
        bar.value.map_or("not measured".into(), |value| format!("{value:.3}").replace('-', "−"));
    let middle = px(y + ROW / 2.0 - 6.0);
    html! {
        text.strong x=(px(NAME_WIDTH - 20.0)) y=(middle) text-anchor="end" { (bar.name) }
        rect x=(px(left)) y=(px(y)) width=(px((right - left).max(1.5))) height=(px(ROW - 20.0))
            rx="2" style={ "fill:" (colour(number)) } { title { (bar.name) ": " (value) } }
        text.strong x=(px(right + 7.0)) y=(middle) { (value) }
        @if !bar.note.is_empty() {
            text.small x=(px(right + 7.0)) y=(px(y + ROW / 2.0 + 6.0)) { (bar.note) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_begins_where_the_last_ended() {
        let bar =
            |name: &str, value| WaterfallBar { name: name.into(), value, note: String::new() };
        let chart = WaterfallChart {
            title: "t".into(),
            whole: bar("accuracy", Some(1.0)),
            steps: vec![bar("copies", Some(0.25)), bar("chance", Some(0.5)), bar("rest", None)],
            left: bar("left", Some(0.25)),
            caption: String::new(),
        };
        let text = chart.markup().into_string();
        // 266 pixels are 1: from 130 to 396.
        let rects: Vec<&str> = text.split("<rect ").skip(1).collect();
        let expected = [
            ("130", "266"),
            ("329.5", "66.5"),
            ("196.5", "133"),
            ("196.5", "1.5"),
            ("130", "66.5"),
        ];
        for (rect, (x, width)) in rects.iter().zip(expected) {
            assert!(rect.starts_with(&format!("x=\"{x}\"")), "{rect}");
            assert!(rect.contains(&format!("width=\"{width}\"")), "{rect}");
        }
        assert!(text.contains("not measured"));
    }
}
