//! Loss and accuracy by epoch.

use maud::{Markup, html};

use crate::FigureError;
use crate::canvas::{Anchor, heading, png, px, rasterise, text, upward_text};
use crate::colour::{BLUE, Colour, FAINT, FRAME, GRID, INK, VERMILION, WHITE};
use crate::scale::Scale;
use crate::text::Style;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 880.0;
const LEFT: f64 = 92.0;
const RIGHT: f64 = 970.0;
const PANEL_HEIGHT: f64 = 290.0;
/// Upper edges of the two panels.
const LOSS_TOP: f64 = 118.0;
const ACCURACY_TOP: f64 = 492.0;

/// With more epochs, a mark at each would hide the line.
const MARKED_EPOCHS: usize = 40;

/// The result of an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// From 1.
    pub number: u32,
    /// Mean training loss while learning, in nats.
    pub train_loss: f64,
    /// Share of the training images that were classified correctly while learning, 0 to 1.
    pub train_accuracy: f64,
    /// Mean cross-entropy on the validation images after the epoch, in nats.
    pub valid_loss: f64,
    /// Share of the validation images that were classified correctly after the epoch, 0 to 1.
    pub valid_accuracy: f64,
}

/// Loss and accuracy by epoch, on training and validation images.
#[derive(Debug, Clone, Copy)]
pub struct Curves<'a> {
    /// The epochs, in order.
    pub epochs: &'a [Epoch],
    /// The number of the epoch whose checkpoint is the best, which is marked.
    pub best: Option<u32>,
}

/// A curve of one panel.
struct Series {
    name: &'static str,
    colour: Colour,
    /// Lengths of dash and gap; none for a whole line.
    dashes: Option<&'static str>,
    mark: Mark,
    of: fn(&Epoch) -> f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Circle,
    Square,
}

/// One of the two diagrams.
struct Panel {
    title: &'static str,
    unit: &'static str,
    top: f64,
    y: Scale,
    series: [Series; 2],
}

impl Curves<'_> {
    /// The picture, 1000 × 880 pixels.
    ///
    /// # Errors
    /// When there is no epoch, or a value is not finite.
    pub fn png(&self) -> Result<Vec<u8>, FigureError> {
        let (Some(first), Some(last)) = (self.epochs.first(), self.epochs.last()) else {
            return Err(FigureError::NoEpoch);
        };
        if let Some(epoch) = self.epochs.iter().find(|epoch| !epoch.is_finite()) {
            return Err(FigureError::NotANumber { epoch: epoch.number });
        }
        let x = Scale::whole(first.number, last.number);
        let drawing = html! {
            (heading(LEFT, "Training and validation by epoch", &self.subtitle()))
            @for panel in [self.loss(), self.accuracy()] { (self.panel(&panel, &x)) }
        };
        png(&rasterise(&drawing, [WIDTH as u32, HEIGHT as u32])?)
    }

    fn has_marks(&self) -> bool {
        self.epochs.len() <= MARKED_EPOCHS
    }

    fn best(&self) -> Option<&Epoch> {
        self.epochs.iter().find(|epoch| Some(epoch.number) == self.best)
    }

    fn subtitle(&self) -> String {
        let count = self.epochs.len();
        let epochs = if count == 1 { "1 epoch".into() } else { format!("{count} epochs") };
        match self.best() {
            None => epochs,
            Some(best) => format!(
                "{epochs}; the best is {}: validation accuracy {:.1} %, loss {:.4}",
                best.number,
                100.0 * best.valid_accuracy,
                best.valid_loss
            ),
        }
    }

    fn loss(&self) -> Panel {
        let values = self.epochs.iter().flat_map(|epoch| [epoch.train_loss, epoch.valid_loss]);
        Panel {
            title: "Loss",
            unit: "cross-entropy (nats)",
            top: LOSS_TOP,
            y: Scale::from_zero(values),
            series: both(|epoch| epoch.train_loss, |epoch| epoch.valid_loss),
        }
    }

    fn accuracy(&self) -> Panel {
        let series: [Series; 2] =
            both(|epoch| 100.0 * epoch.train_accuracy, |epoch| 100.0 * epoch.valid_accuracy);
        let values =
            self.epochs.iter().flat_map(|epoch| series.each_ref().map(|it| (it.of)(epoch)));
        let y = Scale::percent(values);
        Panel {
            title: "Accuracy",
            unit: "images classified correctly (%)",
            top: ACCURACY_TOP,
            y,
            series,
        }
    }

    fn panel(&self, panel: &Panel, x: &Scale) -> Markup {
        let bottom = panel.top + PANEL_HEIGHT;
        let across = |epoch: f64| LEFT + x.place(epoch) * (RIGHT - LEFT);
        let small = Style::regular(13.0);
        html! {
            (text([LEFT, panel.top - 14.0], Anchor::Start, Style::bold(17.0), INK, panel.title))
            (panel.legend(self.has_marks()))
            @for (tick, label) in panel.y.ticks() {
                (line([LEFT, panel.height_of(tick)], [RIGHT, panel.height_of(tick)], GRID))
                (text([LEFT - 8.0, panel.height_of(tick) + 4.5], Anchor::End, small, FAINT, &label))
            }
            @for (tick, label) in x.ticks() {
                (line([across(tick), bottom], [across(tick), bottom + 5.0], FRAME))
                (text([across(tick), bottom + 20.0], Anchor::Middle, small, FAINT, &label))
            }
            rect x=(px(LEFT)) y=(px(panel.top)) width=(px(RIGHT - LEFT)) height=(px(PANEL_HEIGHT))
                fill="none" stroke=(FRAME) {}
            (text([(LEFT + RIGHT) / 2.0, bottom + 42.0], Anchor::Middle, small, INK, "epoch"))
            (upward_text([36.0, panel.top + PANEL_HEIGHT / 2.0], small, INK, panel.unit))
            @for series in &panel.series { (self.curve(panel, series, across)) }
            @if let Some(best) = self.best() {
                (panel.best(across(best.number.into()), best))
            }
        }
    }

    fn curve(&self, panel: &Panel, series: &Series, across: impl Fn(f64) -> f64) -> Markup {
        let place =
            |epoch: &Epoch| [across(epoch.number.into()), panel.height_of((series.of)(epoch))];
        let places: Vec<[f64; 2]> = self.epochs.iter().map(place).collect();
        let points: Vec<String> =
            places.iter().map(|[x, y]| format!("{},{}", px(*x), px(*y))).collect();
        html! {
            polyline points=(points.join(" ")) fill="none" stroke=(series.colour) stroke-width="2.2"
                stroke-linejoin="round" stroke-dasharray=[series.dashes] {}
            @if self.has_marks() {
                @for at in places { (series.mark.at(at, series.colour)) }
            }
        }
    }
}

impl Epoch {
    fn is_finite(&self) -> bool {
        [self.train_loss, self.train_accuracy, self.valid_loss, self.valid_accuracy]
            .iter()
            .all(|value| value.is_finite())
    }
}

impl Panel {
    fn height_of(&self, value: f64) -> f64 {
        self.top + (1.0 - self.y.place(value)) * PANEL_HEIGHT
    }

    /// A line through the panel at the best epoch, a ring around its validation value, and a label
    /// where there is room.
    fn best(&self, x: f64, best: &Epoch) -> Markup {
        let label = format!("best: epoch {}", best.number);
        let style = Style::bold(12.0);
        let is_at_right = x + style.width(&label) + 14.0 > RIGHT;
        let (anchor, at) =
            if is_at_right { (Anchor::End, x - 6.0) } else { (Anchor::Start, x + 6.0) };
        let value = (self.series[1].of)(best);
        let is_low = self.y.place(value) < 0.5;
        let baseline = self.top + if is_low { 18.0 } else { PANEL_HEIGHT - 8.0 };
        html! {
            path d={ "M" (px(x)) " " (px(self.top)) "v" (px(PANEL_HEIGHT)) } fill="none"
                stroke=(INK) stroke-width="1.2" stroke-dasharray="2 3" {}
            circle cx=(px(x)) cy=(px(self.height_of(value))) r="9" fill="none" stroke=(INK)
                stroke-width="2" {}
            (text([at, baseline], anchor, style, INK, &label))
        }
    }

    /// The legend, at the right of the title.
    fn legend(&self, has_marks: bool) -> Markup {
        let style = Style::regular(13.0);
        let y = self.top - 19.0;
        let mut right = RIGHT;
        let mut entries = Vec::new();
        for series in self.series.iter().rev() {
            let from = right - style.width(series.name) - 50.0;
            entries.push(html! {
                path d={ "M" (px(from)) " " (px(y)) "h42" } fill="none" stroke=(series.colour)
                    stroke-width="2.2" stroke-dasharray=[series.dashes] {}
                @if has_marks { (series.mark.at([from + 21.0, y], series.colour)) }
                (text([from + 50.0, y + 5.0], Anchor::Start, style, INK, series.name))
            });
            right = from - 28.0;
        }
        html! { @for entry in entries { (entry) } }
    }
}

impl Mark {
    fn at(self, [x, y]: [f64; 2], colour: Colour) -> Markup {
        html! {
            @match self {
                Self::Circle => circle cx=(px(x)) cy=(px(y)) r="3.5" fill=(colour) {},
                Self::Square => rect x=(px(x - 3.5)) y=(px(y - 3.5)) width="7" height="7"
                    fill=(WHITE) stroke=(colour) stroke-width="2" {},
            }
        }
    }
}

fn both(train: fn(&Epoch) -> f64, valid: fn(&Epoch) -> f64) -> [Series; 2] {
    [
        Series {
            name: "training, while learning",
            colour: BLUE,
            dashes: Some("7 4"),
            mark: Mark::Square,
            of: train,
        },
        Series {
            name: "validation, after the epoch",
            colour: VERMILION,
            dashes: None,
            mark: Mark::Circle,
            of: valid,
        },
    ]
}

fn line([from_x, from_y]: [f64; 2], [to_x, to_y]: [f64; 2], colour: Colour) -> Markup {
    html! {
        path d={ "M" (px(from_x)) " " (px(from_y)) "L" (px(to_x)) " " (px(to_y)) }
            fill="none" stroke=(colour) {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(count: u32) -> Vec<Epoch> {
        let epoch = |number: u32| Epoch {
            number,
            train_loss: 1.0 / f64::from(number),
            train_accuracy: 1.0 - 0.6 / f64::from(number),
            valid_loss: 1.2 / f64::from(number) + 0.1,
            valid_accuracy: 0.9 - 0.6 / f64::from(number),
        };
        (1..=count).map(epoch).collect()
    }

    fn draw(epochs: &[Epoch], best: Option<u32>) -> Vec<u8> {
        Curves { epochs, best }.png().unwrap()
    }

    #[test]
    fn the_same_epochs_make_the_same_bytes_on_every_thread() {
        let epochs = epochs(12);
        let here = draw(&epochs, Some(7));
        let there = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..3).map(|_| scope.spawn(|| draw(&epochs, Some(7)))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        assert!(there.iter().all(|bytes| *bytes == here));
        let image = image::load_from_memory(&here).unwrap();
        assert_eq!((image.width(), image.height()), (1000, 880));
    }

    #[test]
    fn every_value_and_the_best_epoch_show() {
        let original = epochs(5);
        let mut pictures =
            vec![draw(&original, Some(3)), draw(&original, Some(4)), draw(&original, None)];
        let changes: [fn(&mut Epoch); 4] = [
            |epoch| epoch.train_loss += 0.1,
            |epoch| epoch.train_accuracy -= 0.05,
            |epoch| epoch.valid_loss += 0.1,
            |epoch| epoch.valid_accuracy -= 0.05,
        ];
        for change in changes {
            let mut changed = original.clone();
            change(&mut changed[1]);
            pictures.push(draw(&changed, Some(3)));
        }
        let different: std::collections::BTreeSet<_> = pictures.iter().collect();
        assert_eq!(different.len(), pictures.len());
    }

    #[test]
    fn one_epoch_many_and_constant_ones_have_a_place() {
        draw(&epochs(1), Some(1));
        draw(&epochs(200), Some(200));
        for constant in [0.0, 0.5, 1.0] {
            let flat: Vec<Epoch> = (1..=3)
                .map(|number| Epoch {
                    number,
                    train_loss: constant,
                    train_accuracy: constant,
                    valid_loss: constant,
                    valid_accuracy: constant,
                })
                .collect();
            // An epoch that does not exist is not marked.
            draw(&flat, Some(9));
        }
    }

    #[test]
    fn nothing_and_what_is_no_number_are_refused() {
        let empty = Curves { epochs: &[], best: None }.png();
        assert!(matches!(empty, Err(FigureError::NoEpoch)), "{empty:?}");
        let mut epochs = epochs(4);
        epochs[2].valid_loss = f64::NAN;
        let error = Curves { epochs: &epochs, best: None }.png().unwrap_err();
        assert!(error.to_string().contains("epoch 3 is not a number"), "{error}");
    }
}
