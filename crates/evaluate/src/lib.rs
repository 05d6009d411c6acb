//! Stage 5: the selected model on the test split.
