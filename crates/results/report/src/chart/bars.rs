use maud::{Markup, html};

use super::frame::{Axis, Frame, WIDTH};
use super::{colour, legend, px};

/// Counts or shares side by side, in groups.
#[derive(Debug, Clone)]
pub struct BarChart {
    /// The title.
    pub title: String,
    /// The meaning of the groups.
    pub x_label: String,
    /// The meaning of the bars, with the unit.
    pub y_label: String,
    /// Names of the bars of each group.
    pub bars: Vec<String>,
    /// The groups, from left to right.
    pub groups: Vec<BarGroup>,
}

/// Bars of one group.
#[derive(Debug, Clone)]
pub struct BarGroup {
    /// The group's name.
    pub name: String,
    /// One value per bar.
    pub values: Vec<f64>,
}

impl BarChart {
    /// The chart.
    pub fn markup(&self) -> Markup {
        let values = self.groups.iter().flat_map(|group| group.values.iter().copied());
        let y = Axis::from_zero(self.y_label.as_str(), values);
        let x = Axis { label: self.x_label.clone(), from: 0.0, to: self.groups.len() as f64 };
        let frame = Frame { x: &x, y: &y, height: 320.0 };
        html! {
            figure.chart {
                figcaption { (self.title) }
                svg viewBox=(frame.view_box()) role="img" aria-label=(self.title) {
                    (frame.y_axis())
                    (frame.x_label())
                    @for (index, group) in self.groups.iter().enumerate() {
                        (self.group(&frame, index, group))
                    }
                }
                @if self.bars.len() > 1 { (legend(&self.bars)) }
            }
        }
    }

    fn group(&self, frame: &Frame<'_>, index: usize, group: &BarGroup) -> Markup {
        let (left, right) = (frame.x_of(index as f64 + 0.12), frame.x_of(index as f64 + 0.88));
        let width = (right - left) / group.values.len().max(1) as f64;
        let base = frame.y_of(0.0);
        // This many characters fit below a group; the whole name is in the tooltip.
        let room = (WIDTH / self.groups.len().max(1) as f64 / 6.4) as usize;
        html! {
            @for (bar, value) in group.values.iter().enumerate() {
                @let top = frame.y_of(*value);
                rect x=(px(left + width * bar as f64)) y=(px(top)) width=(px(width * 0.9))
                    height=(px(base - top)) rx="2" style={ "fill:" (colour(bar)) } {
                    title { (group.name) ", " (self.bars.get(bar).map_or("", String::as_str)) ": " (px(*value)) }
                }
            }
            text x=(px((left + right) / 2.0)) y=(px(base + 18.0)) text-anchor="middle" {
                title { (group.name) }
                (shortened(&group.name, room))
            }
        }
    }
}

fn shortened(name: &str, room: usize) -> String {
    if name.chars().count() <= room {
        return name.to_owned();
    }
    name.chars().take(room.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_and_short_ones_are_not() {
        assert_eq!(shortened("adenocarcinoma", 20), "adenocarcinoma");
        assert_eq!(shortened("squamous_cell_carcinoma", 10), "squamous_…");
    }

    #[test]
    fn a_bar_is_as_high_as_its_value() {
        let chart = BarChart {
            title: "t".into(),
            x_label: "class".into(),
            y_label: "images".into(),
            bars: vec!["train".into()],
            groups: vec![BarGroup { name: "a".into(), values: vec![100.0] }],
        };
        // From the top of the axis, which ends at 100, down to the bottom.
        let text = chart.markup().into_string();
        assert!(text.contains("y=\"10\"") && text.contains("height=\"264\""), "{text}");
    }
}
