//! Stage 3: trains the head (and unfrozen layers), one checkpoint an epoch, resumable.
