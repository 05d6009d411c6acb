//! Images that are worth looking at: the model's worst mistakes, and some that it got right.

use std::collections::BTreeMap;

use classifier::model::Model;
use dataset::ClassIndex;
use imaging::{Picture, Thumbnail};
use report::Picture as Shown;
use scoring::{InferenceError, Prediction, TestImage, overlay, read_picture};

/// Number of mistakes shown.
const MISTAKES: usize = 24;

/// Number of right images shown, for each class and for all classes together.
const RIGHT_OF_A_CLASS: usize = 3;
const RIGHT_OF_ALL: usize = 36;

/// Side of a picture in the report, in pixels: sharp if it is displayed at half the size.
const SIDE: u32 = 192;

/// The images shown.
#[derive(Debug, Clone)]
pub(crate) struct Examples {
    /// The most confident mistakes, the most confident first.
    pub(crate) mistakes: Vec<Example>,
    /// By class: the most confident, the typical and the least confident of the right ones.
    pub(crate) right: BTreeMap<ClassIndex, Vec<Example>>,
}

/// An image, the model's prediction, and where it looked.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    pub(crate) prediction: Prediction,
    /// The picture as the model saw it.
    pub(crate) picture: Shown,
    /// Where the model looked.
    pub(crate) map: ShownMap,
}

/// The Grad-CAM of the predicted class, as displayed.
#[derive(Debug, Clone)]
pub(crate) enum ShownMap {
    /// Laid over the picture.
    Overlay(Shown),
    /// It is 0 everywhere.
    Empty,
    /// Maps of this model are not shown.
    NotShown,
}

impl Examples {
    /// Chooses the images and, with maps, computes where the model looked.
    ///
    /// # Errors
    /// When an image cannot be used, or the network cannot run.
    pub(crate) fn of(
        model: &Model,
        images: &[TestImage],
        predictions: &[Prediction],
        with_maps: bool,
    ) -> Result<Self, InferenceError> {
        let mistakes = most_confident_mistakes(predictions);
        let right = right_ones(predictions, model.classes().len());
        let count = mistakes.len() + right.values().map(Vec::len).sum::<usize>();
        let bar = terminal::items_bar(count as u64, "examples");
        let show = |places: Vec<usize>| -> Result<Vec<Example>, InferenceError> {
            let shown = places.into_iter().map(|place| {
                bar.inc(1);
                Example::of(model, &images[place], &predictions[place], with_maps)
            });
            shown.collect()
        };
        let mistakes = show(mistakes)?;
        let right = right
            .into_iter()
            .map(|(class, places)| Ok((class, show(places)?)))
            .collect::<Result<_, InferenceError>>()?;
        bar.finish_and_clear();
        Ok(Self { mistakes, right })
    }
}

impl Example {
    fn of(
        model: &Model,
        image: &TestImage,
        prediction: &Prediction,
        with_map: bool,
    ) -> Result<Self, InferenceError> {
        let picture: Picture = read_picture(image)?;
        let small = Thumbnail::square(&picture, SIDE);
        let shown = |rgb: &[u8], what: &str| {
            Shown::new(rgb, [small.width, small.height], format!("{}{what}", image.name))
        };
        let map = if with_map {
            let seen = model.input().apply(&picture);
            let map = model.grad_cam(&seen, prediction.predicted)?;
            overlay(&small, &map).map_or(ShownMap::Empty, |rgb| {
                ShownMap::Overlay(shown(&rgb, ", where the model looked"))
            })
        } else {
            ShownMap::NotShown
        };
        Ok(Self { prediction: prediction.clone(), picture: shown(&small.rgb, ""), map })
    }
}

/// Positions of the most confident mistakes, the most confident first; of equal ones the first in
/// order.
pub(crate) fn most_confident_mistakes(predictions: &[Prediction]) -> Vec<usize> {
    let mut mistakes = surest_first(predictions, |image| !image.is_correct());
    mistakes.truncate(MISTAKES);
    mistakes
}

/// By class, positions of some right images: spread from the most to the least confident.
pub(crate) fn right_ones(
    predictions: &[Prediction],
    classes: usize,
) -> BTreeMap<ClassIndex, Vec<usize>> {
    let wanted = (RIGHT_OF_ALL / classes.max(1)).clamp(1, RIGHT_OF_A_CLASS);
    let of_class = |class| {
        let right = surest_first(predictions, |it| it.is_correct() && it.actual == class);
        let count = wanted.min(right.len());
        let last = right.len().saturating_sub(1);
        let spread = (0..count).map(|number| right[number * last / (count - 1).max(1)]);
        (class, spread.collect())
    };
    (0..classes).take(RIGHT_OF_ALL).map(ClassIndex).map(of_class).collect()
}

fn surest_first(predictions: &[Prediction], belongs: impl Fn(&Prediction) -> bool) -> Vec<usize> {
    let mut places: Vec<usize> =
        (0..predictions.len()).filter(|place| belongs(&predictions[*place])).collect();
    let confidence = |place: &usize| predictions[*place].confidence();
    places.sort_by(|a, b| confidence(b).total_cmp(&confidence(a)));
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of two classes: the class, the predicted class, and the confidence.
    fn prediction(actual: usize, predicted: usize, confidence: f64) -> Prediction {
        let mut probabilities = vec![1.0 - confidence; 2];
        probabilities[predicted] = confidence;
        Prediction {
            path: String::new(),
            actual: ClassIndex(actual),
            predicted: ClassIndex(predicted),
            probabilities,
            has_copy_in_training: false,
        }
    }

    #[test]
    fn mistakes_begin_with_the_one_it_was_surest_of() {
        let predictions = [
            prediction(0, 1, 0.6),
            prediction(0, 0, 0.99),
            prediction(1, 0, 0.9),
            prediction(1, 0, 0.6),
        ];
        assert_eq!(most_confident_mistakes(&predictions), [2, 0, 3]);
        let many: Vec<_> =
            (0..40).map(|it| prediction(0, 1, 0.5 + f64::from(it) / 100.0)).collect();
        let shown = most_confident_mistakes(&many);
        assert_eq!((shown.len(), shown[0], shown[23]), (24, 39, 16));
    }

    #[test]
    fn right_ones_are_spread_from_the_surest_to_the_least_sure() {
        let mut predictions: Vec<_> =
            (0..9).map(|it| prediction(0, 0, 0.9 - f64::from(it) / 50.0)).collect();
        predictions.push(prediction(1, 0, 0.99));
        predictions.push(prediction(1, 1, 0.7));
        let right = right_ones(&predictions, 2);
        assert_eq!(right[&ClassIndex(0)], [0, 4, 8]);
        assert_eq!(right[&ClassIndex(1)], [10]);
    }

    #[test]
    fn many_classes_share_the_room() {
        let predictions: Vec<_> = (0..2).map(|class| prediction(class, class, 0.9)).collect();
        assert_eq!(right_ones(&predictions, 100).len(), RIGHT_OF_ALL);
        assert!(right_ones(&predictions, 100)[&ClassIndex(5)].is_empty());
    }
}
