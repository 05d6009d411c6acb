//! `report.html`: the scores for people, with what they are worth first and the mistakes last.

use classifier::checkpoint::EpochRow;
use classifier::model::ModelDescription;
use classifier::solved::Solved;
use config::HeadKind;
use dataset::{ClassIndex, ClassIndices};
use metrics::Predictions;
use report::{Page, Section};
use scoring::Unit;
use solvers::EpochSearch;

use crate::Source;
use crate::examples::Examples;
use crate::scores::Scores;

mod choice;
mod classes;
mod confusion;
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

/// Everything that the report shows.
pub(crate) struct Evaluated<'a> {
    pub(crate) scores: &'a Scores,
    pub(crate) classes: &'a ClassIndices,
    pub(crate) predictions: &'a Predictions,
    /// The training's epochs.
    pub(crate) history: &'a [EpochRow],
    pub(crate) examples: &'a Examples,
    pub(crate) model: ModelInWords,
    pub(crate) source: Source,
    pub(crate) unit: Unit,
}

/// What the report says of the model itself.
#[derive(Debug, Clone)]
pub(crate) struct ModelInWords {
    /// In one line.
    pub(crate) description: String,
    /// Its head, on which depends what a Grad-CAM shows.
    pub(crate) head: HeadKind,
    /// How its head was chosen and solved; none where it learnt by epochs.
    pub(crate) solved: Option<Solved>,
    /// The cross-validation that said how long it was trained; none where none was asked.
    pub(crate) epochs: Option<EpochSearch>,
    /// Whether its probabilities were calibrated.
    pub(crate) is_calibrated: bool,
}

impl ModelInWords {
    /// Says what a model is.
    pub(crate) fn of(model: &ModelDescription, is_calibrated: bool) -> Self {
        let ModelDescription { architecture, source, .. } = model;
        let head = architecture.head.kind;
        let solved = model.solved.clone();
        let how = match &solved {
            Some(solved) => format!("{} head, {}", words::head(head), solved.choice),
            None => format!("{} head, epoch {}", words::head(head), source.epoch),
        };
        let description = format!(
            "Model {} · {how} · {size} × {size} pixels",
            source.run,
            size = architecture.image_size
        );
        Self { description, head, solved, epochs: model.epochs.clone(), is_calibrated }
    }
}

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

    /// A class's name, to be read.
    fn class(&self, class: ClassIndex) -> String {
        words::spoken(self.classes.name(class).unwrap_or("?"))
    }

    /// All classes' names in index order, to be read.
    fn class_names(&self) -> Vec<String> {
        self.classes.names().iter().map(|name| words::spoken(name)).collect()
    }
}
