use anyhow::Result;
use dataset::{ClassIndices, ImageRecord, Manifest, Split, SplitAudit};
use imaging::Thumbnail;
use maud::{Markup, html};
use report::{Picture, Section};

use crate::findings::Findings;
use crate::images;
use crate::shortcut::Shortcuts;
use crate::ties::Ties;
use crate::written::Report;

/// The longer side of the pictures in the galleries, in pixels.
const THUMBNAIL_SIDE: u32 = 168;

/// The inputs of the page.
pub(crate) struct Content<'a> {
    pub(crate) manifest: &'a Manifest,
    pub(crate) classes: &'a ClassIndices,
    /// The new split of each image.
    pub(crate) splits: &'a [Split],
    pub(crate) ties: &'a Ties,
    pub(crate) findings: &'a Findings,
    pub(crate) shortcuts: &'a Shortcuts,
    pub(crate) split_audit: &'a SplitAudit,
    pub(crate) report: &'a Report<'a>,
}

impl Content<'_> {
    pub(super) fn image(&self, place: usize) -> &ImageRecord {
        &self.manifest.records()[place]
    }

    /// The picture, with its split, class and path below it.
    pub(super) fn picture(&self, place: usize) -> Result<Markup> {
        let image = self.image(place);
        let (picture, _) = images::read(self.manifest, image)?;
        let thumbnail = Thumbnail::of(&picture, THUMBNAIL_SIDE);
        let size = [thumbnail.width, thumbnail.height];
        let picture = Picture::new(&thumbnail.rgb, size, image.path.as_str());
        let split = self.splits[place];
        Ok(html! {
            div {
                (picture.markup())
                span.badge.(split.name()) { (split.name()) }
                span.badge { (image.class) }
                div.path { (image.path) }
            }
        })
    }
}

/// A section with only a sentence.
pub(super) fn nothing(id: &'static str, title: &str, sentence: &str) -> Section {
    Section { id, title: title.into(), lead: sentence.into(), body: html! {} }
}
