//! What is found in whole data sets, and what is not.

// Always true here; it tells clippy that the modules' helpers are test code too.
#![cfg(test)]

mod clean;
mod few;
mod groups;
mod phantoms;
mod planted;
mod set;
