//! The real server on a free port, over a small model whose answers can be worked out.
#![cfg(test)]

mod acts;
mod connections;
mod guards;
mod life;
mod limits;
mod offline;
mod predictions;
mod project;
mod review;
mod swaps;
