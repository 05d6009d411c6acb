//! What the prediction server remembers.
//!
//! [`PredictionStore`] holds predictions, the feedback on them, an audit of what administrators did,
//! and the trainings, in SQLite (the default: one file, nothing to install) or PostgreSQL.
//! [`ImageStore`] holds the images themselves, where they are kept at all, in a folder, S3 or Google
//! Cloud Storage.
//!
//! # What is promised
//! - **Acknowledged is kept.** When a `record_…` has returned, the row survives `kill -9` and, as far
//!   as the disk keeps its word, the loss of power.
//! - **Recording twice is recording once.** A prediction has its id before it is recorded, so a
//!   batch whose acknowledgement was lost can be sent again.
//! - **Never hangs.** A locked, full, vanished or unreachable database is an error within
//!   [`PATIENCE`], and [`Fault`] says which.
//! - **Clocks may jump.** Every time is given by the caller. Ids made by one process rise even when its
//!   clock falls back, so nothing is listed twice or skipped between pages. After a restart with an
//!   earlier clock, new ids sort below old ones: they are unique still, and listed among rows of
//!   that time. Of two feedbacks the one recorded last counts, whatever their clocks said.
//!
//! Times are kept to the microsecond.

mod audit;
mod corrections;
mod dashboard;
mod database;
mod database_url;
mod error;
mod feedback;
mod filter;
mod id;
mod image_location;
mod images;
mod page;
mod prediction;
mod predictions;
mod retention;
mod row;
mod schema;
mod store;
mod timestamp;
mod training;
mod values;

pub use audit::{AuditEntry, AuditFilter, AuditPage, AuditRow};
pub use corrections::{ClassChange, Correction, FeedbackSummary};
pub use dashboard::{
    ClassFeedback, ClassLatency, ClassShare, Dashboard, Day, FeedbackCounts, PredictionCounts,
};
pub use database_url::{DatabaseUrl, InvalidDatabaseUrl};
pub use error::{Fault, Result, StoreError};
pub use feedback::{Feedback, NewFeedback};
pub use filter::{FeedbackFilter, Filter, Page};
pub use id::{AuditId, FeedbackId, InvalidId, PredictionId, TrainingId};
pub use image_location::{ImageLocation, InvalidImageLocation};
pub use images::{ImageError, ImagePage, ImageStore, StoredImage};
pub use page::{Cursor, InvalidCursor, InvalidPageLimit, PageLimit};
pub use prediction::{
    ClassProbability, ImageFacts, IntensityWindow, ModelIdentity, Prediction, PredictionRow,
    TimingsMs,
};
pub use store::{PATIENCE, PredictionStore};
pub use training::{NewTraining, Training, TrainingOutcome, TrainingState};

// What the calls are made of.
pub use artifact::Digest;
pub use jiff::Timestamp;
