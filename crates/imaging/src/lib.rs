//! Pixels: decode, resize, normalise, augment.
