use maud::{Markup, html};

/// A table that sorts by any of its columns.
#[derive(Debug, Clone)]
pub struct Table {
    /// Its content, for readers who cannot see it.
    pub label: String,
    /// The columns.
    pub columns: Vec<Column>,
    /// As many cells each as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// A column's heading.
#[derive(Debug, Clone)]
pub struct Column {
    /// The heading.
    pub title: String,
    /// The alignment of its cells.
    pub align: Align,
}

/// The alignment of cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// The content of a cell.
#[derive(Debug, Clone)]
pub struct Cell {
    text: Markup,
    sort_by: Option<f64>,
}

impl Column {
    /// A column of text.
    pub fn text(title: impl Into<String>) -> Self {
        Self { title: title.into(), align: Align::Left }
    }

    /// A column of numbers.
    pub fn number(title: impl Into<String>) -> Self {
        Self { title: title.into(), align: Align::Right }
    }
}

impl Cell {
    /// Markup; sorted by its text.
    pub fn markup(text: Markup) -> Self {
        Self { text, sort_by: None }
    }

    /// A formatted number, sorted by its value.
    pub fn sorted_by(text: impl AsRef<str>, value: f64) -> Self {
        Self { text: html! { (text.as_ref()) }, sort_by: Some(value) }
    }

    /// A share or score between 0 and 1, with three digits; a dash if there is none.
    pub fn score(value: Option<f64>) -> Self {
        match value {
            Some(value) => Self::sorted_by(format!("{value:.3}"), value),
            None => Self { text: html! { "–" }, sort_by: Some(f64::MIN) },
        }
    }

    /// A score with its interval, `0.664 (0.61–0.72)`.
    pub fn interval(value: Option<f64>, interval: Option<(f64, f64)>) -> Self {
        match (value, interval) {
            (Some(value), Some((low, high))) => {
                let ends = format!("({low:.2}–{high:.2})");
                let text = html! { (format!("{value:.3}")) " " span.ends { (ends) } };
                Self { text, sort_by: Some(value) }
            }
            (value, _) => Self::score(value),
        }
    }

    /// A count.
    pub fn count(value: usize) -> Self {
        Self::sorted_by(value.to_string(), value as f64)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::markup(html! { (text) })
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl Table {
    /// The table, in a box that scrolls sideways if it is too wide.
    pub fn markup(&self) -> Markup {
        let class = |column: usize| match self.columns.get(column).map(|column| column.align) {
            Some(Align::Right) => "number",
            _ => "path",
        };
        html! {
            div.scroll {
                table.sortable aria-label=(self.label) {
                    thead {
                        tr {
                            @for (index, column) in self.columns.iter().enumerate() {
                                th.(class(index)) scope="col" {
                                    button type="button" { (column.title) }
                                }
                            }
                        }
                    }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for (index, cell) in row.iter().enumerate() {
                                    td.(class(index)) data-value=[cell.sort_by] { (cell.text) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_sort_by_their_value() {
        let table = Table {
            label: "t".into(),
            columns: vec![Column::text("class"), Column::number("AUROC")],
            rows: vec![vec!["a & b".into(), Cell::score(Some(0.99251))]],
        };
        let text = table.markup().into_string();
        assert!(text.contains("<td class=\"number\" data-value=\"0.99251\">0.993</td>"), "{text}");
        assert!(text.contains("a &amp; b"), "{text}");
    }

    #[test]
    fn what_is_not_there_is_a_dash_and_sorts_last() {
        let text = Cell::score(None);
        assert_eq!(text.text.into_string(), "–");
        assert!(text.sort_by.unwrap() < 0.0);
    }
}
