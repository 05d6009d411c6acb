//! `report.html`: the scores for people, with the verdict first and the mistakes last.

use report::{Page, Section};

use crate::source::Source;

mod choice;
mod classes;
mod confusion;
mod evaluated;
mod examples;
mod explanations;
mod origin;
mod positive;
mod reliability;
mod roc;
mod scores;
mod summary;
mod to_do;
mod training;
mod words;
mod worth;

pub(crate) use evaluated::{Evaluated, ModelInWords};

impl Evaluated<'_> {
    /// The report.
    pub(crate) fn page(&self) -> Page {
        Page {
            title: "Evaluation".into(),
            subtitle: self.subtitle(),
            verdict: summary::verdict(&self.scores.worth),
            figures: summary::figures(&self.scores.worth, self.scores.images),
            to_do: to_do::items(self),
            sections: self.sections(),
        }
    }

    fn subtitle(&self) -> String {
        let images = match self.source {
            Source::TestSplit => "test images",
            Source::Folder => "images from outside the pipeline",
        };
        let classes = words::number(self.classes.len() as u64, "class", "classes");
        format!("{} · {} {images} · {classes}", self.model.description, self.scores.images)
    }

    fn sections(&self) -> Vec<Section> {
        let sections = [
            Some(worth::section(self)),
            origin::section(self),
            Some(scores::section(self)),
            Some(classes::section(self)),
            Some(confusion::section(self)),
            Some(roc::section(self)),
            Some(reliability::section(self)),
            positive::section(self),
            match &self.model.solved {
                Some(solved) => Some(choice::section(solved)),
                None => training::section(self.history, self.model.epochs.as_ref()),
            },
            Some(explanations::section(self)),
            Some(examples::mistakes(self)),
            Some(examples::right(self)),
        ];
        sections.into_iter().flatten().collect()
    }
}
