//! The events of a run, kept on disk until the server has them.

mod event;
mod folder;
mod index;
mod journal;

pub(crate) use event::{Content, Event, Record, RunBeginning};
pub(crate) use folder::{PostponedArtifact, RunPlace, SpoolFolder, State, digest, lock};
pub(crate) use index::Index;
pub use index::RepeatedPoint;
pub(crate) use journal::{JournalWriter, Line, for_each, read};
