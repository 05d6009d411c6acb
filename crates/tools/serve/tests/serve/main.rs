//! The real server on a free port, with a small model whose answers can be computed.
#![cfg(test)]

mod acts;
mod connections;
mod guards;
mod life;
mod limits;
mod offline;
mod operate;
mod predictions;
mod project;
mod review;
mod shards;
mod swaps;
