//! The first ten seconds: the verdict and three figures.

use report::{KeyFigure, Tone, Verdict};

use super::words;
use crate::leak::{Leak, LeakEffect};
use crate::worth::{Worth, WorthVerdict};

/// What the score is worth, in a banner.
pub(super) fn verdict(worth: &Worth) -> Verdict {
    let (tone, headline) = match worth.verdict {
        WorthVerdict::BeatsAllBaselines => (Tone::Good, "better than every baseline"),
        WorthVerdict::BeatsShortcutsOnly => {
            (Tone::Warn, "better than every shortcut, not shown to beat a coarse look")
        }
        WorthVerdict::NotBetterThanAShortcut => {
            (Tone::Bad, "a shortcut that knows no anatomy does as well")
        }
        WorthVerdict::NothingToCompare => (Tone::Warn, "a score with nothing to compare it with"),
    };
    let mut sentences = vec![worth.in_words.clone()];
    let leak = match &worth.leak {
        Leak::Measured(effect) if effect.is_shown() => Some(effect),
        _ => None,
    };
    sentences.extend(leak.map(|effect| effect.in_words.clone()));
    sentences.push(format!("Counted {}.", worth.unit));
    Verdict {
        tone: if leak.is_some() { tone.max(Tone::Warn) } else { tone },
        headline: headline.into(),
        sentences,
    }
}

impl LeakEffect {
    /// Whether copies make the score better by more than chance explains.
    pub(super) fn is_shown(&self) -> bool {
        self.effect.interval.is_some_and(|interval| interval.low > 0.0)
    }
}

/// The score, what it competes with, and by how much it wins.
pub(super) fn figures(worth: &Worth, images: u64) -> Vec<KeyFigure> {
    let figure = |value, label| KeyFigure { value, label };
    let accuracy = figure(
        words::score(worth.accuracy.value),
        format!(
            "accuracy on {}, {}",
            words::number(images, "image", "images"),
            words::interval(worth.accuracy.interval, words::score)
        ),
    );
    let Some(best) = &worth.best_baseline else {
        return vec![accuracy, figure("–".into(), "best baseline: there is none".into())];
    };
    let name = words::spoken(&best.name);
    let difference = &best.accuracy.difference;
    vec![
        accuracy,
        figure(
            words::score(best.accuracy.second),
            format!("best baseline: {name} ({})", words::kind(best.kind)),
        ),
        figure(
            words::signed(difference.value),
            format!("model minus {name}, {}", words::interval(difference.interval, words::signed)),
        ),
    ]
}
