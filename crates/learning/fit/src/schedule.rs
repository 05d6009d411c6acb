use std::f64::consts::PI;

use config::{DescentParams, ScheduleKind};

/// The learning rate of an epoch, counted from 1.
///
/// `cosine` is `η·½(1 + cos(π·e/E))` with `e` the epochs that are done (Loshchilov & Hutter 2017,
/// without restarts; PyTorch's `CosineAnnealingLR`); `step` is `η·γ^⌊e/step_epochs⌋` (`StepLR`). In
/// the `w` epochs of a warm-up, which come first and are not part of `e` and `E`, epoch `i` has
/// `η·i/(w + 1)`.
pub(crate) fn learning_rate(params: &DescentParams, epoch: u32) -> f64 {
    let full = params.learning_rate;
    let rising = params.warm_up_epochs;
    if epoch <= rising {
        return full * f64::from(epoch) / f64::from(rising + 1);
    }
    let done = epoch - rising - 1;
    match params.schedule.kind {
        ScheduleKind::Constant => full,
        ScheduleKind::Cosine => {
            let all = f64::from(params.epochs - rising);
            full * 0.5 * (1.0 + (PI * f64::from(done) / all).cos())
        }
        ScheduleKind::Step => {
            let changes = (done / params.schedule.step_epochs) as i32;
            full * params.schedule.gamma.powi(changes)
        }
    }
}

#[cfg(test)]
mod tests {
    use config::Schedule;

    use super::*;

    fn rates(kind: ScheduleKind, epochs: &[u32]) -> Vec<f64> {
        let params = DescentParams {
            epochs: 4,
            learning_rate: 0.8,
            schedule: Schedule { kind, step_epochs: 2, gamma: 0.5 },
            ..DescentParams::default()
        };
        epochs.iter().map(|epoch| learning_rate(&params, *epoch)).collect()
    }

    #[test]
    fn cosine_goes_from_full_towards_zero() {
        let rates = rates(ScheduleKind::Cosine, &[1, 3, 4]);
        assert_eq!(rates[0], 0.8);
        assert!((rates[1] - 0.4).abs() < 1e-12);
        assert!((rates[2] - 0.8 * 0.5 * (1.0 - 0.5_f64.sqrt())).abs() < 1e-12);
    }

    #[test]
    fn a_warm_up_rises_to_the_full_rate_from_which_the_schedule_goes_on() {
        let mut params = DescentParams {
            epochs: 6,
            learning_rate: 0.9,
            warm_up_epochs: 2,
            ..DescentParams::default()
        };
        params.schedule.kind = ScheduleKind::Cosine;
        let rates = [1, 2, 3, 5].map(|epoch| learning_rate(&params, epoch));
        for (found, expected) in rates.into_iter().zip([0.3, 0.6, 0.9, 0.45]) {
            assert!((found - expected).abs() < 1e-12, "{rates:?}");
        }
    }

    #[test]
    fn step_changes_after_every_so_many_epochs() {
        assert_eq!(rates(ScheduleKind::Step, &[1, 2, 3, 4]), [0.8, 0.8, 0.4, 0.4]);
        assert_eq!(rates(ScheduleKind::Constant, &[1, 4]), [0.8, 0.8]);
    }
}
