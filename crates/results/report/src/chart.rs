//! Charts as SVG within the page. Colours follow the page's light or dark mode; every chart has a
//! title, named axes and units.

mod bars;
mod frame;
mod interval_lines;
mod intervals;
mod lines;
mod matrix;
mod waterfall;

pub use bars::{BarChart, BarGroup};
pub use frame::Axis;
pub use interval_lines::{IntervalLines, IntervalPoint, IntervalSeries};
pub use intervals::{Interval, IntervalChart};
pub use lines::{LineChart, Series, Stroke};
pub use matrix::Matrix;
pub use waterfall::{WaterfallBar, WaterfallChart};

use maud::{Markup, html};

/// Number of distinguishable colours; further series start again from the first.
const COLOURS: usize = 8;

fn colour(index: usize) -> String {
    format!("var(--c{})", index % COLOURS)
}

fn legend(names: &[String]) -> Markup {
    html! {
        div.legend {
            @for (index, name) in names.iter().enumerate() {
                span { i style={ "border-color:" (colour(index)) } {} (name) }
            }
        }
    }
}

/// A number as written in the SVG: a hundredth of a pixel is enough, and keeps files small.
fn px(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}
