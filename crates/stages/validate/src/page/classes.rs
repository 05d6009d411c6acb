use dataset::Split;
use imaging::GREY_BINS;
use maud::html;
use report::chart::{Axis, BarChart, BarGroup, LineChart, Series, Stroke};
use report::{Cell, Column, Section, Table};

use super::content::Content;

/// The number of images of each class, and their brightness.
pub(super) fn section(content: &Content<'_>) -> Section {
    Section {
        id: "classes",
        title: "Classes".into(),
        lead: "Classes of similar size can be compared by accuracy. Classes whose histograms \
               differ may be distinguished by brightness alone, which depends on the window and \
               the scanner, not on the disease."
            .into(),
        body: html! {
            div.charts {
                (balance(content).markup())
                @for split in [Split::Train, Split::Test] { (histograms(content, split).markup()) }
            }
            h3 { "Brightness" }
            (brightness(content).markup())
        },
    }
}

fn balance(content: &Content<'_>) -> BarChart {
    let splits = &content.findings.balance.splits;
    let groups = content.classes.names().iter().enumerate().map(|(index, class)| BarGroup {
        name: class.clone(),
        values: splits.iter().map(|split| split.images_by_class[index] as f64).collect(),
    });
    BarChart {
        title: "Images of each class".into(),
        x_label: "class".into(),
        y_label: "images".into(),
        bars: splits.iter().map(|split| split.split.name().to_owned()).collect(),
        groups: groups.collect(),
    }
}

fn histograms(content: &Content<'_>, split: Split) -> LineChart {
    let of_split = || content.findings.intensity.iter().filter(|it| it.split == split);
    let series = of_split().map(|class| Series {
        name: content.classes.name(class.class).unwrap_or_default().to_owned(),
        points: steps(&class.mean_histogram),
        stroke: Stroke::Step,
    });
    // Air is black, and its bin would flatten all the others.
    let heights = of_split().flat_map(|class| class.mean_histogram[1..].iter().copied());
    LineChart {
        title: format!("Mean grey histogram, {split} images"),
        x: Axis { label: "grey (0 black, 255 white)".into(), from: 8.0, to: 256.0 },
        y: Axis::from_zero("share of the pixels", heights),
        series: series.collect(),
        diagonal: false,
        caption: "The darkest of the 32 bins is left out: it is the air around the body.".into(),
    }
}

/// The corners of a histogram without its first bin.
fn steps(histogram: &[f64]) -> Vec<(f64, f64)> {
    let width = 256.0 / GREY_BINS as f64;
    let starts =
        histogram.iter().enumerate().skip(1).map(|(bin, share)| (bin as f64 * width, *share));
    starts.chain(histogram.last().map(|share| (256.0, *share))).collect()
}

fn brightness(content: &Content<'_>) -> Table {
    let rows = content.findings.intensity.iter().map(|it| {
        vec![
            Cell::from(content.classes.name(it.class).unwrap_or_default()),
            it.split.name().into(),
            Cell::count(it.images as usize),
            Cell::sorted_by(format!("{:.1}", it.mean_grey.median), it.mean_grey.median),
            Cell::sorted_by(
                format!("{:.1}–{:.1}", it.mean_grey.tenth, it.mean_grey.ninetieth),
                it.mean_grey.tenth,
            ),
            Cell::sorted_by(format!("{:.1}", it.grey_deviation.median), it.grey_deviation.median),
            Cell::sorted_by(format!("{:.1} %", it.black_share * 100.0), it.black_share),
            Cell::sorted_by(format!("{:.1} %", it.white_share * 100.0), it.white_share),
        ]
    });
    Table {
        label: "Brightness by class and split".into(),
        columns: vec![
            Column::text("class"),
            Column::text("split"),
            Column::number("images"),
            Column::number("mean grey, median"),
            Column::number("10–90 %"),
            Column::number("contrast"),
            Column::number("black"),
            Column::number("white"),
        ],
        rows: rows.collect(),
    }
}
