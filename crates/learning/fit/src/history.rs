//! The result of each epoch.

use classifier::checkpoint::EpochRow;
use config::DescentParams;
use serde::{Deserialize, Serialize};

/// The epochs so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(Vec<EpochRow>);

impl History {
    /// The epochs, in order.
    pub fn rows(&self) -> &[EpochRow] {
        &self.0
    }

    /// Adds the next epoch.
    pub fn push(&mut self, row: EpochRow) {
        self.0.push(row);
    }

    /// The next epoch's number, or `None` if training is finished.
    pub fn next_epoch(&self, params: &DescentParams) -> Option<u32> {
        let done = self.0.len() as u32;
        (done < params.epochs && self.stopped_early(params).is_none()).then_some(done + 1)
    }

    /// Why training stopped before the last epoch, if it did.
    pub fn stopped_early(&self, params: &DescentParams) -> Option<String> {
        let stopping = params.early_stopping;
        if stopping.patience == 0 || self.0.len() as u32 >= params.epochs {
            return None;
        }
        let mut best = f64::INFINITY;
        let mut waited = 0;
        for row in &self.0 {
            if row.valid_loss < best - stopping.min_delta {
                best = row.valid_loss;
                waited = 0;
            } else {
                waited += 1;
            }
        }
        (waited >= stopping.patience).then(|| {
            format!("stopped early: the validation loss has not fallen below {best:.4} for {waited} epochs")
        })
    }

    /// The epoch that `select` would choose: highest validation accuracy, then lowest validation
    /// loss, then the earliest.
    pub fn best(&self) -> Option<&EpochRow> {
        self.0.iter().reduce(|best, row| {
            let is_better = row
                .valid_accuracy
                .total_cmp(&best.valid_accuracy)
                .then(best.valid_loss.total_cmp(&row.valid_loss));
            if is_better.is_gt() { row } else { best }
        })
    }

    /// The file's content.
    ///
    /// # Errors
    /// When a row cannot be written as CSV.
    pub fn to_csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for row in &self.0 {
            writer.serialize(row)?;
        }
        writer.into_inner().map_err(|error| error.into_error().into())
    }
}

#[cfg(test)]
mod tests {
    use config::EarlyStopping;

    use super::*;

    fn history(valid: &[(f64, f64)]) -> History {
        let row = |(index, (valid_loss, valid_accuracy)): (usize, &(f64, f64))| EpochRow {
            epoch: index as u32 + 1,
            learning_rate: 0.1,
            train_loss: 1.0,
            train_accuracy: 0.5,
            valid_loss: *valid_loss,
            valid_accuracy: *valid_accuracy,
        };
        History(valid.iter().enumerate().map(row).collect())
    }

    fn params(epochs: u32, patience: u32) -> DescentParams {
        let early_stopping = EarlyStopping { patience, min_delta: 0.01 };
        DescentParams { epochs, early_stopping, ..DescentParams::default() }
    }

    #[test]
    fn the_best_epoch_breaks_ties_by_loss_then_by_being_earlier() {
        let history = history(&[(0.5, 0.8), (0.4, 0.9), (0.3, 0.9), (0.3, 0.9)]);
        assert_eq!(history.best().unwrap().epoch, 3);
    }

    #[test]
    fn early_stopping_waits_for_its_patience() {
        let falling = history(&[(0.5, 0.5), (0.4, 0.5), (0.395, 0.5)]);
        assert_eq!(falling.next_epoch(&params(9, 2)), Some(4));
        let flat = history(&[(0.5, 0.5), (0.4, 0.5), (0.395, 0.5), (0.41, 0.5)]);
        assert_eq!(flat.next_epoch(&params(9, 2)), None);
        assert!(flat.stopped_early(&params(9, 2)).unwrap().contains("0.4000 for 2 epochs"));
        assert_eq!(flat.next_epoch(&params(9, 0)), Some(5));
    }

    #[test]
    fn csv_has_the_documented_header_and_full_precision() {
        let text = String::from_utf8(history(&[(0.1 + 0.2, 1.0 / 3.0)]).to_csv().unwrap()).unwrap();
        assert_eq!(
            text,
            "epoch,learning_rate,train_loss,train_accuracy,valid_loss,valid_accuracy\n\
             1,0.1,1.0,0.5,0.30000000000000004,0.3333333333333333\n"
        );
    }
}
