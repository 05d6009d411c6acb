//! How long an epoch took. Work that is done once is measured separately from work that every epoch
//! does.

use std::fmt;
use std::time::{Duration, Instant};

/// Runs during a pass.
#[derive(Debug)]
pub(crate) struct Clock {
    started: Instant,
    computed_before: u64,
    consuming: Duration,
}

impl Clock {
    /// Starts, with the number of activations computed so far.
    pub(crate) fn start(computed: u64) -> Self {
        Self { started: Instant::now(), computed_before: computed, consuming: Duration::ZERO }
    }

    /// Does the work of a pass on activations, as opposed to computing them.
    pub(crate) fn consume<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let outcome = work();
        self.consuming += started.elapsed();
        outcome
    }

    /// Stops, with the number of activations computed so far.
    pub(crate) fn stop(self, computed: u64, later_computing: Option<u32>) -> Pass {
        Pass {
            duration: self.started.elapsed(),
            consuming: self.consuming,
            computed: computed - self.computed_before,
            later_computing,
        }
    }
}

/// One split's part of an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Pass {
    /// The whole time.
    pub(crate) duration: Duration,
    /// The part of it for learning from activations or scoring them.
    pub(crate) consuming: Duration,
    /// Activations that were not in the store and had to be computed.
    pub(crate) computed: u64,
    /// How many later epochs compute as many; none if all do, so that computing is part of every
    /// epoch.
    pub(crate) later_computing: Option<u32>,
}

impl Pass {
    /// The computed features, if later epochs find them in the store.
    fn features(&self) -> FeaturePass {
        match self.later_computing {
            Some(_) if self.computed > 0 => FeaturePass {
                computed: self.computed,
                duration: self.duration.saturating_sub(self.consuming),
            },
            _ => FeaturePass::default(),
        }
    }

    /// The time that every epoch takes.
    pub(crate) fn repeated(&self) -> Duration {
        self.duration.saturating_sub(self.features().duration)
    }

    /// The time of `epochs` more passes.
    fn left(&self, epochs: u32) -> Duration {
        self.repeated() * epochs + self.features().duration * self.later_computing.unwrap_or(0)
    }
}

/// Features that were computed once, for all epochs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct FeaturePass {
    /// Their number.
    pub computed: u64,
    /// The time they took.
    pub duration: Duration,
}

/// How long an epoch took, and how long the remaining ones take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct EpochTimer {
    pub(crate) features: FeaturePass,
    pub(crate) left: Duration,
}

impl EpochTimer {
    /// For an epoch after which `epochs` are left.
    pub(crate) fn of([train, valid]: [Pass; 2], epochs: u32) -> Self {
        let [first, second] = [train.features(), valid.features()];
        let features = FeaturePass {
            computed: first.computed + second.computed,
            duration: first.duration + second.duration,
        };
        Self { features, left: train.left(epochs) + valid.left(epochs) }
    }
}

/// `685 features computed in 15.1 s, 45 a second; `, or nothing if none were computed.
impl fmt::Display for FeaturePass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.computed == 0 {
            return Ok(());
        }
        let seconds = self.duration.as_secs_f64();
        let rate = self.computed as f64 / seconds.max(f64::MIN_POSITIVE);
        write!(f, "{} features computed in {seconds:.1} s, {rate:.0} a second; ", self.computed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(seconds: u64, consuming: u64, computed: u64, later_computing: Option<u32>) -> Pass {
        let [duration, consuming] = [seconds, consuming].map(Duration::from_secs);
        Pass { duration, consuming, computed, later_computing }
    }

    #[test]
    fn a_pass_that_comes_once_is_told_and_not_expected_again() {
        let pace = EpochTimer::of([pass(32, 2, 613, Some(0)), pass(4, 1, 72, Some(0))], 19);
        assert_eq!(pace.features, FeaturePass { computed: 685, duration: Duration::from_secs(33) });
        assert_eq!(pace.left, Duration::from_secs(19 * 3));
        let text = pace.features.to_string();
        assert_eq!(text, "685 features computed in 33.0 s, 21 a second; ");
    }

    #[test]
    fn views_that_are_still_to_come_are_expected() {
        let pace = EpochTimer::of([pass(32, 2, 613, Some(3)), pass(1, 1, 0, Some(0))], 19);
        assert_eq!(pace.left, Duration::from_secs(19 * 3 + 3 * 30));
    }

    #[test]
    fn what_every_epoch_computes_is_part_of_the_epoch() {
        let train = pass(32, 2, 613, None);
        assert_eq!(train.repeated(), Duration::from_secs(32));
        let pace = EpochTimer::of([train, pass(4, 1, 72, Some(0))], 10);
        assert_eq!(pace.features.computed, 72);
        assert_eq!(pace.left, Duration::from_secs(10 * 33));
    }

    #[test]
    fn nothing_is_said_where_everything_was_found() {
        let pace = EpochTimer::of([pass(2, 1, 0, Some(0)), pass(1, 1, 0, Some(0))], 10);
        assert_eq!(pace.features.to_string(), "");
        assert_eq!(pace.left, Duration::from_secs(30));
    }
}
