//! The table of layers, as Keras' `model.summary()` prints it.

use std::fmt::Write;

use crate::architecture::{Architecture, SummaryRow};

const HEADINGS: [&str; 4] = ["layer", "output shape", "parameters", "trainable"];

/// The layers of a network with shapes and parameters, one line each, and the totals below: as
/// Keras' `model.summary()` prints them.
pub fn summary_table(architecture: &Architecture) -> String {
    let rows = architecture.summary();
    let cells: Vec<[String; 4]> = rows.iter().map(cells).collect();
    let width = |column: usize| {
        let lengths = cells.iter().map(|row| row[column].len());
        lengths.chain([HEADINGS[column].len()]).max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2), width(3)];
    let line = |row: [&str; 4]| {
        let [a, b, c, d] = widths;
        let text = format!("{:<a$}   {:<b$}   {:>c$}   {:<d$}", row[0], row[1], row[2], row[3]);
        text.trim_end().to_owned() + "\n"
    };
    let rule = "─".repeat(widths.iter().sum::<usize>() + 9) + "\n";

    let (base, size) = (architecture.base.title, architecture.image_size);
    let classes = architecture.classes.join(", ");
    let mut table = format!("{base}, {size} × {size} pixels, classes: {classes}\n\n");
    table += &line(HEADINGS);
    table += &rule;
    for row in &cells {
        table += &line([&row[0], &row[1], &row[2], &row[3]]);
    }
    table += &rule;
    table += &totals(&rows);
    table
}

fn cells(row: &SummaryRow) -> [String; 4] {
    let trainable = match (row.parameters, row.is_trainable) {
        (0, _) => "",
        (_, true) => "yes",
        (_, false) => "no",
    };
    [row.layer.clone(), format!("{:?}", row.output), grouped(row.parameters), trainable.into()]
}

fn totals(rows: &[SummaryRow]) -> String {
    let total: usize = rows.iter().map(|row| row.parameters).sum();
    let trainable: usize =
        rows.iter().filter(|row| row.is_trainable).map(|row| row.parameters).sum();
    let width = grouped(total).len();
    let mut text = String::new();
    for (name, count) in [
        ("total parameters", total),
        ("trainable", trainable),
        ("not trainable", total - trainable),
    ] {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<17} {:>width$}", grouped(count));
    }
    text
}

/// `1234567` as `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use config::{Freeze, HeadKind};

    use super::*;
    use crate::architecture::tests::architecture;

    #[test]
    fn thousands_are_grouped() {
        let numbers = [0, 12, 999, 1_000, 14_714_688].map(grouped);
        assert_eq!(numbers, ["0", "12", "999", "1,000", "14,714,688"]);
    }

    #[test]
    fn the_table_shows_keras_numbers() {
        let freeze = Freeze::Until("block4_pool".into());
        let architecture =
            Architecture { image_size: 224, ..architecture(HeadKind::Flatten, 0, freeze) };
        let table = summary_table(&architecture);
        let has = |line: &str| table.lines().any(|found| found == line);
        // As keras.applications.VGG16(include_top=False) prints them, channels last there.
        assert!(has("block1_conv1   [64, 224, 224]         1,792   no"), "{table}");
        assert!(has("block4_pool    [512, 14, 14]              0"), "{table}");
        assert!(has("block5_conv3   [512, 14, 14]      2,359,808   yes"), "{table}");
        assert!(has("flatten        [25088]                    0"), "{table}");
        assert!(has("classifier.0   [2]                   50,178   yes"), "{table}");
        assert!(has("total parameters  14,764,866"), "{table}");
        assert!(has("trainable          7,129,602"), "{table}");
        assert!(has("not trainable      7,635,264"), "{table}");
    }
}
