#![cfg(test)]
//! The store against real databases and a real bucket.

mod audit;
mod children;
mod concurrency;
mod dashboard;
mod databases;
mod feedback;
mod images;
mod kills;
mod listing;
mod postgres;
mod postgres_faults;
mod retention;
mod s3;
mod samples;
mod schema;
mod sqlite_faults;
mod trainings;
