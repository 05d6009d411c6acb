use report::Section;

use super::{Content, nothing};

pub(super) fn section(content: &Content<'_>) -> Section {
    nothing("shortcuts", "Shortcuts", &content.shortcuts.claims.join("; "))
}
