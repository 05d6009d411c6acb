use maud::{Markup, html};

/// Values for every pair of rows and columns, shaded by size: a confusion matrix, for instance.
#[derive(Debug, Clone)]
pub struct Matrix {
    /// The title.
    pub title: String,
    /// The meaning of the rows.
    pub row_label: String,
    /// The meaning of the columns.
    pub column_label: String,
    /// Names of the rows.
    pub rows: Vec<String>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The text of each cell and its shade between 0 and 1; none for an empty cell.
    pub cells: Vec<Vec<Option<(String, f64)>>>,
    /// The caption; may be empty.
    pub caption: String,
}

impl Matrix {
    /// The matrix, as a table.
    pub fn markup(&self) -> Markup {
        html! {
            figure.chart {
                figcaption { (self.title) }
                div style="overflow-x:auto" {
                    table.heat aria-label=(self.title) {
                        thead {
                            tr {
                                th scope="col" { (self.row_label) " \\ " (self.column_label) }
                                @for column in &self.columns { th.cell scope="col" { (column) } }
                            }
                        }
                        tbody {
                            @for (row, cells) in self.rows.iter().zip(&self.cells) {
                                tr {
                                    th scope="row" { (row) }
                                    @for cell in cells { (cell_markup(cell.as_ref())) }
                                }
                            }
                        }
                    }
                }
                @if !self.caption.is_empty() { p.caption { (self.caption) } }
            }
        }
    }
}

fn cell_markup(cell: Option<&(String, f64)>) -> Markup {
    html! {
        @match cell {
            // At most half opaque, so that the text stays readable in light and dark.
            Some((text, shade)) => td.cell
                style={ "background:rgba(var(--heat)," (format!("{:.2}", shade.clamp(0.0, 1.0) * 0.5)) ")" }
                { (text) },
            None => td.cell { "" },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shade_follows_the_value_and_stays_readable() {
        let dark = cell_markup(Some(&("48".into(), 3.0))).into_string();
        assert!(dark.contains("rgba(var(--heat),0.50)") && dark.contains("48"), "{dark}");
        assert_eq!(cell_markup(None).into_string(), "<td class=\"cell\"></td>");
    }
}
