//! Stage 4: the best checkpoint becomes the model.
