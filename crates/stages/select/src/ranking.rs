use std::cmp::Ordering;
use std::fmt;
use std::path::PathBuf;

/// A checkpoint that may become the model.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Candidate {
    /// Its `Checkpoint_<run>` folder's name.
    pub(crate) folder: String,
    /// Its own name in that folder.
    pub(crate) file_name: String,
    /// Its path.
    pub(crate) path: PathBuf,
    /// Validation accuracy that the checkpoint records, in [0, 1].
    pub(crate) validation_accuracy: f64,
    /// Validation loss of its epoch in the run's `history.csv`.
    pub(crate) validation_loss: f64,
    /// The epoch it was written after, from 1.
    pub(crate) epoch: u32,
}

/// Why the first candidate is ranked before the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    /// There is no other candidate.
    OnlyCandidate,
    /// No other is as accurate.
    HigherAccuracy,
    /// As accurate as others, with a lower validation loss.
    LowerLoss,
    /// As accurate and with the same loss as others, and of an earlier epoch.
    EarlierEpoch,
    /// Equal in all criteria; its run's name, then its own, comes first.
    FirstName,
    /// The user named it.
    Named,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OnlyCandidate => "it is the only candidate",
            Self::HigherAccuracy => "it has the highest validation accuracy",
            Self::LowerLoss => {
                "of those with the highest validation accuracy it has the lowest loss"
            }
            Self::EarlierEpoch => {
                "of those with the highest validation accuracy and the same loss it is the earliest"
            }
            Self::FirstName => {
                "it equals others in accuracy, loss and epoch, and its name comes first"
            }
            Self::Named => "--checkpoint names it",
        })
    }
}

/// The order of two candidates, the better one first, and the criterion that decides.
fn compare(a: &Candidate, b: &Candidate) -> (Ordering, Reason) {
    let accuracy = b.validation_accuracy.total_cmp(&a.validation_accuracy);
    let loss = a.validation_loss.total_cmp(&b.validation_loss);
    let epoch = a.epoch.cmp(&b.epoch);
    let name = a.folder.cmp(&b.folder).then_with(|| a.file_name.cmp(&b.file_name));
    [(accuracy, Reason::HigherAccuracy), (loss, Reason::LowerLoss), (epoch, Reason::EarlierEpoch)]
        .into_iter()
        .find(|(order, _)| order.is_ne())
        .unwrap_or((name, Reason::FirstName))
}

/// Puts the best candidate first: highest validation accuracy, then lowest validation loss, then
/// the earliest epoch, then the names of folder and file. Returns why the first one won.
pub(crate) fn rank(candidates: &mut [Candidate]) -> Reason {
    candidates.sort_by(|a, b| compare(a, b).0);
    match candidates {
        [first, second, ..] => compare(first, second).1,
        _ => Reason::OnlyCandidate,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(folder: &str, epoch: u32, accuracy: f64, loss: f64) -> Candidate {
        let file_name = format!("model_e{epoch}_acc1.0000_vacc{accuracy:.4}.safetensors");
        Candidate {
            folder: folder.into(),
            path: PathBuf::from(folder).join(&file_name),
            file_name,
            validation_accuracy: accuracy,
            validation_loss: loss,
            epoch,
        }
    }

    #[track_caller]
    fn assert_wins(mut candidates: Vec<Candidate>, folder: &str, epoch: u32, reason: Reason) {
        for _ in 0..candidates.len() {
            candidates.rotate_left(1);
            let mut ranked = candidates.clone();
            assert_eq!(rank(&mut ranked), reason);
            assert_eq!((ranked[0].folder.as_str(), ranked[0].epoch), (folder, epoch));
        }
    }

    #[test]
    fn the_highest_accuracy_wins_whatever_the_loss() {
        let candidates = vec![
            candidate("a", 1, 0.90, 0.1),
            candidate("b", 2, 0.95, 9.0),
            candidate("c", 3, 0.94, 0.2),
        ];
        assert_wins(candidates, "b", 2, Reason::HigherAccuracy);
    }

    #[test]
    fn accuracy_is_compared_as_a_number_not_as_text() {
        let candidates = vec![candidate("a", 1, 10.0, 0.1), candidate("a", 2, 9.5, 0.1)];
        assert_wins(candidates, "a", 1, Reason::HigherAccuracy);
    }

    #[test]
    fn of_equal_accuracies_the_lower_loss_wins() {
        let candidates = vec![
            candidate("a", 1, 0.95, 0.3),
            candidate("a", 2, 0.95, 0.2),
            candidate("a", 3, 0.95, f64::NAN),
        ];
        assert_wins(candidates, "a", 2, Reason::LowerLoss);
    }

    #[test]
    fn of_equal_losses_the_earlier_epoch_wins() {
        let candidates = vec![
            candidate("a", 10, 0.95, 0.2),
            candidate("a", 9, 0.95, 0.2),
            candidate("a", 2, 0.90, 0.1),
        ];
        assert_wins(candidates, "a", 9, Reason::EarlierEpoch);
    }

    #[test]
    fn of_equal_epochs_the_first_folder_wins() {
        let candidates = vec![candidate("b", 1, 0.95, 0.2), candidate("a", 1, 0.95, 0.2)];
        assert_wins(candidates, "a", 1, Reason::FirstName);
    }

    #[test]
    fn a_candidate_without_others_wins() {
        assert_wins(vec![candidate("a", 1, 0.0, 9.0)], "a", 1, Reason::OnlyCandidate);
    }
}
