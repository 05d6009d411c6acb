use tch::Tensor;

use crate::Result;

/// Which rows of an optimizer step this process has: `first..first + count` of `of`. Whatever is drawn
/// at random is drawn for all of them, so that it does not matter how many processes share the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StepRows {
    pub(crate) first: i64,
    pub(crate) count: i64,
    pub(crate) of: i64,
}

impl StepRows {
    /// All rows of the step.
    pub(crate) fn all(count: i64) -> Self {
        Self { first: 0, count, of: count }
    }

    pub(crate) fn are_all(self) -> bool {
        self.count == self.of
    }

    /// Of a tensor `[of, …]`, the rows `[count, …]`.
    pub(crate) fn among(self, drawn: &Tensor) -> Result<Tensor> {
        Ok(drawn.f_narrow(0, self.first, self.count)?)
    }
}
