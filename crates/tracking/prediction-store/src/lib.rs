//! The records of the prediction server.
//!
//! [`PredictionStore`] holds predictions, the feedback on them, an audit of the acts of
//! administrators, and the trainings, in SQLite (the default: one file, nothing to install) or
//! PostgreSQL. [`ImageStore`] holds the images themselves, if they are kept at all, in a folder, S3
//! or Google Cloud Storage.
//!
//! # Guarantees
//! - **Acknowledged data is kept.** When a `record_…` has returned, the row survives `kill -9` and,
//!   if the disk syncs as it should, a power cut.
//! - **Recording twice has no effect.** A prediction has its id before it is recorded, so a batch
//!   whose acknowledgement was lost can be sent again.
//! - **Never hangs.** A locked, full, vanished or unreachable database is an error within
//!   [`PATIENCE`], and [`Fault`] names the kind.
//! - **Clocks may jump.** The caller gives every time. Ids made by one process increase even when
//!   its clock goes back, so nothing is listed twice or skipped between pages. After a restart with
//!   an earlier clock, new ids sort below old ones: they are still unique, and listed among rows of
//!   that time. Of two feedbacks the one recorded last counts, whatever their times.
//!
//! Times have microsecond precision.

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
mod window;

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
pub use window::SeenImage;

// Types used in the calls.
pub use artifact::Digest;
pub use jiff::Timestamp;
