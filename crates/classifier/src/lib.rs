//! The VGG16 classifier: devices, layers, heads, optimizers, checkpoints, prediction.
