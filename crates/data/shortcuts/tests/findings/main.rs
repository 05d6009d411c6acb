//! What is found in whole data sets, and what is not.

// Always true here; it tells clippy that the modules' helpers are test code too.
#![cfg(test)]

mod audit;
mod clean;
mod every_image;
mod few;
mod groups;
mod noise;
mod phantoms;
mod planted;
mod set;
