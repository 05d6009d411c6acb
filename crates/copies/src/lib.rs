//! Finds copies among pictures.
