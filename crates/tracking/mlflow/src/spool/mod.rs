//! What a run is told, kept on disk until the server has it.

mod event;
mod folder;
mod index;
mod journal;

pub(crate) use event::{Begin, Content, Event, Record};
pub(crate) use folder::{Place, Postponed, SpoolFolder, State, digest, lock};
pub(crate) use index::Index;
pub use index::Repeated;
pub(crate) use journal::{JournalWriter, Line, for_each, read};
