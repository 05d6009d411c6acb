use classifier::checkpoint::EpochRow;
use classifier::description::ModelDescription;
use classifier::ensemble::Member;
use classifier::solved::Solved;
use config::HeadKind;
use dataset::{ClassIndex, ClassIndices};
use metrics::Predictions;
use scoring::Unit;
use solvers::EpochSearch;

use super::words;
use crate::examples::Examples;
use crate::scores::Scores;
use crate::source::Source;

/// Everything that the report contains.
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

/// The report's description of the model.
#[derive(Debug, Clone)]
pub(crate) struct ModelInWords {
    /// In one line.
    pub(crate) description: String,
    /// Its head; the meaning of a Grad-CAM depends on it.
    pub(crate) head: HeadKind,
    /// How its head was chosen and solved; none if it learnt by epochs.
    pub(crate) solved: Option<Solved>,
    /// The cross-validation that decided how long it was trained; none if it was not requested.
    pub(crate) epochs: Option<EpochSearch>,
    /// Whether its probabilities were calibrated.
    pub(crate) is_calibrated: bool,
}

impl ModelInWords {
    /// Describes a model.
    pub(crate) fn of(model: &ModelDescription, is_calibrated: bool) -> Self {
        let ModelDescription { architecture, source, .. } = model;
        let head = architecture.head.kind;
        let solved = model.solved.clone();
        let how = match &solved {
            Some(solved) => format!("{} head, {}", words::head(head), solved.choice),
            None => format!("{} head, epoch {}", words::head(head), source.epoch),
        };
        let description = if model.ensemble.is_empty() {
            let size = architecture.image_size;
            format!("Model {} · {how} · {size} × {size} pixels", source.run)
        } else {
            let member = |it: &Member| format!("{} {:.2}", it.name, it.weight);
            let members: Vec<String> = model.ensemble.iter().map(member).collect();
            let count = members.len();
            format!("Ensemble of {count}, by weight: {} · below, the first", members.join(", "))
        };
        Self { description, head, solved, epochs: model.epochs.clone(), is_calibrated }
    }
}

impl Evaluated<'_> {
    /// A class's name, for display.
    pub(super) fn class(&self, class: ClassIndex) -> String {
        words::spoken(self.classes.name(class).unwrap_or("?"))
    }

    /// All classes' names in index order, for display.
    pub(super) fn class_names(&self) -> Vec<String> {
        self.classes.names().iter().map(|name| words::spoken(name)).collect()
    }
}
