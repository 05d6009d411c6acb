use maud::{Markup, html};

use super::px;

/// The drawing's size in the units of its own coordinates.
pub(super) const WIDTH: f64 = 480.0;
const LEFT: f64 = 54.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 46.0;

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// Its meaning, with the unit.
    pub label: String,
    /// The value at its beginning.
    pub from: f64,
    /// The value at its end.
    pub to: f64,
}

impl Axis {
    /// From 0 to 1.
    pub fn share(label: impl Into<String>) -> Self {
        Self { label: label.into(), from: 0.0, to: 1.0 }
    }

    /// From 0 to a round number that is not below any of the values.
    pub fn from_zero(label: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let largest = values.into_iter().filter(|it| it.is_finite()).fold(0.0, f64::max);
        Self { label: label.into(), from: 0.0, to: round_up(largest) }
    }

    fn place(&self, value: f64) -> f64 {
        let span = self.to - self.from;
        if span > 0.0 { (value - self.from) / span } else { 0.0 }
    }

    /// Five or so round values from beginning to end.
    fn ticks(&self) -> Vec<f64> {
        let step = self.step();
        let first = (self.from / step).ceil() as i64;
        let last = (self.to / step + 1e-9).floor() as i64;
        (first..=last).map(|number| number as f64 * step).collect()
    }

    fn step(&self) -> f64 {
        round_up((self.to - self.from) / 5.0)
    }

    /// With as many digits as are needed to distinguish the ticks.
    fn tick_text(&self, value: f64) -> String {
        let step = self.step();
        let is_exact = |digits: &usize| {
            let scaled = step * 10_f64.powi(*digits as i32);
            (scaled - scaled.round()).abs() < 1e-6
        };
        let digits = (0..9).find(is_exact).unwrap_or(9);
        format!("{value:.digits$}")
    }
}

/// 1, 2, 2.5 or 5 times a power of ten; not below `value`.
fn round_up(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let leading = value / power;
    let rounded = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|it| leading <= it + 1e-9);
    rounded.unwrap_or(10.0) * power
}

/// Axes, their labels, and the position of a value between them.
#[derive(Debug, Clone)]
pub(super) struct Frame<'a> {
    pub(super) x: &'a Axis,
    pub(super) y: &'a Axis,
    pub(super) height: f64,
}

impl Frame<'_> {
    pub(super) fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.place(value) * (WIDTH - LEFT - RIGHT)
    }

    pub(super) fn y_of(&self, value: f64) -> f64 {
        self.height - BOTTOM - self.y.place(value) * (self.height - TOP - BOTTOM)
    }

    pub(super) fn view_box(&self) -> String {
        format!("0 0 {} {}", px(WIDTH), px(self.height))
    }

    /// Both axes with their ticks.
    pub(super) fn axes(&self) -> Markup {
        html! { (self.y_axis()) (self.x_axis()) }
    }

    pub(super) fn y_axis(&self) -> Markup {
        let (left, right) = (LEFT, WIDTH - RIGHT);
        let middle = (TOP + self.height - BOTTOM) / 2.0;
        html! {
            @for tick in self.y.ticks() {
                @let y = self.y_of(tick);
                path.axis d={ "M" (px(left)) " " (px(y)) "H" (px(right)) } {}
                text x=(px(left - 8.0)) y=(px(y + 4.0)) text-anchor="end" {
                    (self.y.tick_text(tick))
                }
            }
            text x="0" y="0" text-anchor="middle"
                transform={ "translate(12 " (px(middle)) ") rotate(-90)" } { (self.y.label) }
        }
    }

    fn x_axis(&self) -> Markup {
        let bottom = self.height - BOTTOM;
        html! {
            path.axis d={ "M" (px(LEFT)) " " (px(bottom)) "H" (px(WIDTH - RIGHT)) } {}
            @for tick in self.x.ticks() {
                @let x = self.x_of(tick);
                path.axis d={ "M" (px(x)) " " (px(bottom)) "v5" } {}
                text x=(px(x)) y=(px(bottom + 18.0)) text-anchor="middle" {
                    (self.x.tick_text(tick))
                }
            }
            (self.x_label())
        }
    }

    pub(super) fn x_label(&self) -> Markup {
        html! {
            text x=(px((LEFT + WIDTH - RIGHT) / 2.0)) y=(px(self.height - 8.0))
                text-anchor="middle" { (self.x.label) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (largest, end) in [(0.43, 0.5), (1.0, 1.0), (613.0, 1000.0), (24.0, 25.0), (0.0, 1.0)] {
            assert!((Axis::from_zero("", [largest]).to - end).abs() < 1e-9, "{largest}");
        }
    }

    #[test]
    fn ticks_lie_on_the_axis_and_count_in_round_steps() {
        let ticks = Axis::share("").ticks();
        let texts: Vec<_> = ticks.iter().map(|it| Axis::share("").tick_text(*it)).collect();
        assert_eq!(texts, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        let counts = Axis { label: String::new(), from: 0.0, to: 12.0 };
        let texts: Vec<_> = counts.ticks().iter().map(|it| counts.tick_text(*it)).collect();
        assert_eq!(texts, ["0.0", "2.5", "5.0", "7.5", "10.0"]);
        let flat = Axis { label: String::new(), from: 3.0, to: 3.0 };
        assert!(!flat.ticks().is_empty());
    }
}
