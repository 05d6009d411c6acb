//! `report.html`.

use anyhow::Result;
use dataset::Split;
use report::{KeyFigure, Page, Verdict};

mod classes;
mod content;
mod copies;
mod findings;
mod pictures;
mod shortcuts;
mod split_audit;

pub(crate) use content::Content;

/// The file's name in the folder that `validate` writes.
pub(crate) const PAGE_FILE: &str = "report.html";

impl Content<'_> {
    /// The page's text.
    ///
    /// # Errors
    /// When a picture for a gallery cannot be read.
    pub(crate) fn page(&self) -> Result<String> {
        let conclusion = self.report.conclusion;
        let images = &self.report.images;
        let split = |split| images.included.get(&split).copied().unwrap_or(0);
        let page = Page {
            title: "What is in the data".into(),
            subtitle: format!(
                "{} images of {} classes: {} train, {} validation, {} test",
                images.all,
                self.classes.len(),
                split(Split::Train),
                split(Split::Valid),
                split(Split::Test),
            ),
            verdict: Verdict {
                tone: conclusion.level.tone(),
                headline: conclusion.headline.clone(),
                sentences: conclusion.sentences.clone(),
            },
            figures: self.figures(),
            to_do: conclusion.to_do.clone(),
            sections: vec![
                shortcuts::section(self),
                split_audit::section(self.split_audit),
                copies::section(self)?,
                copies::scans_section(self)?,
                classes::section(self),
                pictures::section(self)?,
                findings::section(self),
            ],
        };
        Ok(page.render())
    }

    fn figures(&self) -> Vec<KeyFigure> {
        let leaks = &self.findings.leaks.by_near_copies;
        let test = self.report.images.included.get(&Split::Test).copied().unwrap_or(0);
        let best = self.shortcuts.best();
        vec![
            KeyFigure {
                value: best
                    .as_ref()
                    .map_or("–".into(), |best| format!("{:.3}", best.scores.accuracy)),
                label: best.map_or("no test images to score a baseline on".into(), |best| {
                    format!(
                        "test accuracy without looking at the anatomy, by {}: what a model has to \
                         beat",
                        best.looks_at
                    )
                }),
            },
            KeyFigure {
                value: format!("{} of {test}", leaks.leaked_test_images()),
                label: "test images have a copy in training".into(),
            },
            KeyFigure {
                value: self.findings.label_conflicts.len().to_string(),
                label: "contents with more than one label".into(),
            },
        ]
    }
}
