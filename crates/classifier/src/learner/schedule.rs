use std::f64::consts::PI;

use config::{DescentParams, ScheduleKind};

/// The learning rate of an epoch, counted from 1.
///
/// `cosine` is `η·½(1 + cos(π·e/E))` with `e` the epochs that are done (Loshchilov & Hutter 2017,
/// without restarts; PyTorch's `CosineAnnealingLR`); `step` is `η·γ^⌊e/step_epochs⌋` (`StepLR`).
pub fn learning_rate(params: &DescentParams, epoch: u32) -> f64 {
    let done = f64::from(epoch.saturating_sub(1));
    let full = params.learning_rate;
    match params.schedule.kind {
        ScheduleKind::Constant => full,
        ScheduleKind::Cosine => full * 0.5 * (1.0 + (PI * done / f64::from(params.epochs)).cos()),
        ScheduleKind::Step => {
            let changes = (epoch.saturating_sub(1) / params.schedule.step_epochs) as i32;
            full * params.schedule.gamma.powi(changes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learner::optimizer::tests::params;
    use config::Optimizer;

    fn rates(kind: ScheduleKind, epochs: &[u32]) -> Vec<f64> {
        let mut params = params(Optimizer::Sgd);
        params.epochs = 4;
        params.learning_rate = 0.8;
        params.schedule = config::Schedule { kind, step_epochs: 2, gamma: 0.5 };
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
    fn step_changes_after_every_so_many_epochs() {
        assert_eq!(rates(ScheduleKind::Step, &[1, 2, 3, 4]), [0.8, 0.8, 0.4, 0.4]);
        assert_eq!(rates(ScheduleKind::Constant, &[1, 4]), [0.8, 0.8]);
    }
}
