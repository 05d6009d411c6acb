//! Self-contained HTML reports: one file that contains its styles, its script and its pictures. It
//! opens without a network, in light and dark mode, and can be printed.
//!
//! A [`Page`] consists of sections; a section of tables ([`Table`]), charts ([`chart`]) and
//! pictures ([`Picture`]). All text is escaped. The same content gives the same bytes.
//!
//! ```
//! use maud::html;
//! use report::{Page, Tone, Verdict};
//!
//! let page = Page {
//!     title: "Data report".into(),
//!     subtitle: "944 images".into(),
//!     verdict: Verdict {
//!         tone: Tone::Warn,
//!         headline: "Usable with care".into(),
//!         sentences: vec!["Ten images stand in more than one split.".into()],
//!     },
//!     figures: vec![],
//!     to_do: vec!["Look at <them>.".into()],
//!     sections: vec![],
//! };
//! assert!(page.render().contains("Look at &lt;them&gt;."));
//! ```

pub mod chart;
mod page;
mod picture;
mod table;

pub use page::{KeyFigure, Page, Section, Tone, Verdict};
pub use picture::Picture;
pub use table::{Align, Cell, Column, Table};
