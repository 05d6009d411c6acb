use std::fmt;

use crate::ranking::Candidate;

/// Candidates for people, best first; those after the first `shown` are only counted.
#[derive(Debug)]
pub(crate) struct CandidateTable<'a> {
    /// Ranked, best first.
    pub(crate) candidates: &'a [Candidate],
    /// Number of rows.
    pub(crate) shown: usize,
}

impl fmt::Display for CandidateTable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rank  valid accuracy  valid loss  epoch  checkpoint")?;
        for (index, candidate) in self.candidates.iter().take(self.shown).enumerate() {
            let Candidate {
                folder, file_name, validation_accuracy, validation_loss, epoch, ..
            } = candidate;
            let rank = index + 1;
            write!(
                f,
                "\n{rank:4}  {validation_accuracy:14.4}  {validation_loss:10.4}  {epoch:5}  \
                 {folder}/{file_name}"
            )?;
        }
        match self.candidates.len().saturating_sub(self.shown) {
            0 => Ok(()),
            more => write!(f, "\n      and {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn the_table_lines_up_and_counts_what_it_leaves_out() {
        let candidates: Vec<Candidate> = (1..=3)
            .map(|epoch| Candidate {
                folder: "Checkpoint_a".into(),
                file_name: format!("e{epoch}.safetensors"),
                path: PathBuf::new(),
                validation_accuracy: 0.95,
                validation_loss: 0.125,
                epoch,
            })
            .collect();
        let text = CandidateTable { candidates: &candidates, shown: 2 }.to_string();
        let expected = "\
rank  valid accuracy  valid loss  epoch  checkpoint
   1          0.9500      0.1250      1  Checkpoint_a/e1.safetensors
   2          0.9500      0.1250      2  Checkpoint_a/e2.safetensors
      and 1 more";
        assert_eq!(text, expected);
    }
}
