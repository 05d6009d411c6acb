//! The top of the page: the verdict and three figures.

use metrics::Difference;
use report::{KeyFigure, Tone, Verdict};

use super::words;
use crate::worth::leak::{Leak, LeakEffect};
use crate::worth::{Worth, WorthVerdict};

/// The worth of the score, in a banner.
pub(super) fn verdict(worth: &Worth) -> Verdict {
    let (tone, headline) = match worth.verdict {
        WorthVerdict::BeatsAllBaselines => (Tone::Good, "better than every baseline"),
        WorthVerdict::BaselinesSawFewer => {
            (Tone::Warn, "not comparable: baselines saw fewer training images than the model")
        }
        WorthVerdict::BeatsShortcutsOnly => {
            (Tone::Warn, "better than every shortcut, not shown to beat a coarse look")
        }
        WorthVerdict::NotBetterThanAShortcut => {
            (Tone::Bad, "not shown to beat a baseline that knows no anatomy")
        }
        WorthVerdict::Control => (Tone::Bad, "a control: trained on shuffled labels"),
        WorthVerdict::TooFewImages => (Tone::Bad, "too few test images for any conclusion"),
        WorthVerdict::NothingToCompare => (Tone::Warn, "a score with nothing to compare it with"),
    };
    let deeper = &worth.deeper;
    let is_shifted = deeper.shift.as_ref().is_some_and(|it| it.is_shown);
    let shortcut = deeper.finding.as_ref().filter(|it| it.is_as_good);
    let (least, headline) = match shortcut {
        _ if worth.verdict == WorthVerdict::Control => (Tone::Bad, headline.to_owned()),
        _ if is_shifted => (
            Tone::Bad,
            "the images are ranked rightly, but the classes' scores have shifted since validation"
                .into(),
        ),
        Some(finding) => (
            Tone::Warn,
            format!("{} alone is as good as the model", words::spoken(&finding.shortcut)),
        ),
        None => (Tone::Good, headline.to_owned()),
    };
    let tone = tone.max(least);
    let mut sentences = vec![worth.in_words.clone()];
    sentences.extend(deeper.waterfall.as_ref().map(|it| it.in_words.clone()));
    let leak = match &worth.leak {
        Leak::Measured(effect) if effect.is_shown() => Some(effect),
        _ => None,
    };
    sentences.extend(leak.map(|effect| effect.in_words.clone()));
    sentences.push(format!("Counted {}.", worth.unit));
    Verdict { tone: if leak.is_some() { tone.max(Tone::Warn) } else { tone }, headline, sentences }
}

impl LeakEffect {
    /// Whether copies improve the score by more than chance.
    pub(super) fn is_shown(&self) -> bool {
        self.effect.interval.is_some_and(|interval| interval.low > 0.0)
    }
}

/// The score, its distance from the best baseline, and the score without copies.
pub(super) fn figures(worth: &Worth, images: u64) -> Vec<KeyFigure> {
    let accuracy = KeyFigure {
        value: words::score(worth.accuracy.value),
        label: format!(
            "accuracy on {}, {}",
            words::number(images, "image", "images"),
            words::interval(worth.accuracy.interval, words::score)
        ),
    };
    let figures = [accuracy, against_best_baseline(worth), copies(worth)];
    figures.into_iter().chain(without_look_alikes(worth)).collect()
}

fn without_look_alikes(worth: &Worth) -> Option<KeyFigure> {
    let found = worth.deeper.look_alikes.as_ref()?;
    let without = found.without.as_ref()?;
    let model = without.accuracy.first()?;
    let others: Vec<String> = without.accuracy[1..]
        .iter()
        .map(|it| format!("{} {}", words::spoken(&it.name), words::score(it.accuracy.value)))
        .collect();
    let others =
        if others.is_empty() { String::new() } else { format!(" ({})", others.join(", ")) };
    Some(KeyFigure {
        value: words::score(model.accuracy.value),
        label: format!(
            "accuracy on the {} without a look-alike in training, {}{others}",
            words::number(without.images as u64, "image", "images"),
            words::interval(model.accuracy.interval, words::score)
        ),
    })
}

fn against_best_baseline(worth: &Worth) -> KeyFigure {
    let Some(best) = &worth.best_baseline else {
        let label = "against the best baseline: there is none on these images".into();
        return KeyFigure { value: "–".into(), label };
    };
    let Difference { second, difference, .. } = &best.accuracy;
    KeyFigure {
        value: words::signed(difference.value),
        label: format!(
            "against the best baseline, {} with {} ({}), paired {}",
            words::spoken(&best.name),
            words::score(*second),
            words::kind(best.kind),
            words::interval(difference.interval, words::signed)
        ),
    }
}

fn copies(worth: &Worth) -> KeyFigure {
    let effect = match &worth.leak {
        Leak::NoCopies => {
            let label = "images that training has a copy of".into();
            return KeyFigure { value: "0".into(), label };
        }
        Leak::NotMeasured { .. } => "the effect of the copies was not measured".into(),
        Leak::Measured(LeakEffect { effect, .. }) => format!(
            "the copies are worth {} on those, {}",
            words::signed(effect.value),
            words::interval(effect.interval, words::signed)
        ),
    };
    match &worth.without_copies {
        Some(rest) => KeyFigure {
            value: words::score(rest.accuracy.value),
            label: format!(
                "accuracy without the {} that training has a copy of; {effect}",
                words::number(rest.left_out as u64, "image", "images")
            ),
        },
        None => KeyFigure {
            value: "–".into(),
            label: format!("without copies: training has one of every image; {effect}"),
        },
    }
}
