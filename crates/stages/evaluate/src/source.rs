/// Where the images come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The test split.
    TestSplit,
    /// A folder outside the pipeline.
    Folder,
}
