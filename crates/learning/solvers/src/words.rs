//! A choice and a search in words.

use std::fmt;

use crate::{Candidate, Choice, Search};

/// `C 3, width 1, at block3_pool, block4_pool`
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "C {}", self.strength)?;
        if let Some(width) = self.width {
            write!(f, ", width {width}")?;
        }
        write!(f, ", at {}", self.cuts.join(", "))
    }
}

impl Search {
    /// The candidate that was chosen.
    ///
    /// # Panics
    /// As [`choice`](Self::choice).
    pub fn best(&self) -> &Candidate {
        &self.candidates[self.chosen]
    }
}

/// `cross-validation of 27 candidates in 5 folds of 309 groups chooses C 3, …: log loss 0.42, …`
impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Candidate { choice, accuracy, standard_error, log_loss, .. } = self.best();
        write!(
            f,
            "cross-validation of {} candidates in {} folds of {} groups chooses {choice}: log loss \
             {log_loss:.4}, accuracy {accuracy:.4} ± {standard_error:.4} (standard error)",
            self.candidates.len(),
            self.folds,
            self.groups,
        )?;
        if self.folds < self.folds_asked {
            let asked = self.folds_asked;
            write!(f, "; {asked} folds were asked for, and a class has too few groups for more")?;
        }
        Ok(())
    }
}
