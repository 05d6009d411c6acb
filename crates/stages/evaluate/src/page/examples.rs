//! Images to look at, each with the places that the model looked at.

use config::HeadKind;
use maud::{Markup, html};
use report::Section;

use super::evaluated::Evaluated;
use crate::examples::{Example, ShownMap};
use crate::explanations::Explanations;

/// The mistakes.
pub(super) fn mistakes(evaluated: &Evaluated<'_>) -> Section {
    let matrix = evaluated.predictions.confusion_matrix();
    let (all, shown) = (matrix.total() - matrix.correct(), &evaluated.examples.mistakes);
    let lead = match shown.len() as u64 {
        0 => "None.".into(),
        1 if all == 1 => "The only one.".into(),
        count if count == all => format!("All {all}, the most confident first."),
        count => format!("The {count} most confident of {all}, the most confident first."),
    };
    Section {
        id: "mistakes",
        title: "Mistakes".into(),
        lead,
        body: html! {
            @if !shown.is_empty() { (scale(evaluated)) (gallery(evaluated, shown)) }
        },
    }
}

/// Some that it got right.
pub(super) fn right(evaluated: &Evaluated<'_>) -> Section {
    Section {
        id: "right",
        title: "Right predictions".into(),
        lead: "Of the right predictions of each class, the most confident, a typical one and the \
               least confident. A map that marks other places than a radiologist would is a \
               warning, too."
            .into(),
        body: html! {
            (scale(evaluated))
            @for (class, shown) in &evaluated.examples.right {
                h3 { (evaluated.class(*class)) }
                @if shown.is_empty() {
                    p { "None was recognised." }
                } @else {
                    (gallery(evaluated, shown))
                }
            }
        },
    }
}

/// The meaning of the colours, or why there are none.
fn scale(evaluated: &Evaluated<'_>) -> Markup {
    let tested = match &evaluated.scores.explanations {
        Explanations::Tested(tested) if !tested.passes() => {
            return html! {
                p.scale { (tested.in_words) " See " a href="#explanations" { "the tests" } "." }
            };
        }
        Explanations::Tested(_) => "These maps were tested",
        Explanations::NotTested { .. } => "These maps were not tested",
    };
    let scope = match evaluated.model.head {
        HeadKind::MultiScale => {
            "block 5 only: what speaks for the predicted class in the last convolution. The head \
             also reads blocks 1 to 4, whose part no map shows"
        }
        HeadKind::Linear | HeadKind::Kernel => {
            "what speaks for the predicted class at all cut points that the head reads, against an \
             average training image"
        }
        HeadKind::Flatten | HeadKind::GlobalPool => {
            "what speaks for the predicted class, in the last convolution"
        }
    };
    html! {
        p.scale {
            "Grad-CAM, " (scope) ". " a href="#explanations" { (tested) }
            ". Each map is scaled to its own maximum: "
            span.nowrap { "little " i {} " most" }
        }
    }
}

fn gallery(evaluated: &Evaluated<'_>, shown: &[Example]) -> Markup {
    html! { div.gallery { @for example in shown { (card(evaluated, example)) } } }
}

fn card(evaluated: &Evaluated<'_>, example: &Example) -> Markup {
    let prediction = &example.prediction;
    let actual = evaluated.class(prediction.actual);
    html! {
        figure.pair {
            div.row {
                div { (example.picture.markup()) }
                @match &example.map {
                    ShownMap::Overlay(overlay) => div { (overlay.markup()) },
                    ShownMap::Empty => div {
                        div.blank { "Empty map: no place supports the prediction." }
                    },
                    ShownMap::NotShown => {},
                }
            }
            figcaption {
                @if prediction.is_correct() {
                    strong { (actual) } ", " (percent(prediction.confidence()))
                } @else {
                    strong { (evaluated.class(prediction.predicted)) }
                    ", " (percent(prediction.confidence())) "; it is "
                    strong { (actual) } ", " (percent(prediction.probabilities[prediction.actual.0]))
                }
                @if prediction.has_copy_in_training {
                    br; span.badge.warn { "copy in training" }
                }
            }
            div.path { (prediction.path) }
        }
    }
}

/// An uncertain probability is never displayed as 100 %.
fn percent(probability: f64) -> String {
    let digits = if (0.01..=0.99).contains(&probability) { 0 } else { 2 };
    format!("{:.digits$} %", probability * 100.0)
}
