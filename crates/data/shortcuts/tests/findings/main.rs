//! Which shortcuts are found in whole data sets, and which are not.

// Always true here; it marks the modules' helpers as test code for clippy.
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
