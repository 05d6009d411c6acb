//! Stage 2: the VGG16 base and a fresh head.
