//! Stage 1: a source of labelled scans in, split folders and a manifest out.
