//! Contact sheets: the most confident mistakes, and a selection of images that the model got right.

use anyhow::Result;
use dataset::ClassIndices;
use figures::{Sheet, SheetImage};
use imaging::Picture;
use scoring::{Prediction, TestImage, read_picture};

use crate::examples::{most_confident_mistakes, right_ones};

/// The content of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SheetContent {
    title: &'static str,
    subtitle: String,
    /// Positions of its images among all.
    places: Vec<usize>,
}

impl SheetContent {
    /// Chooses the images that the report also shows: first the mistakes, the most confident first,
    /// then some right images of each class.
    pub(crate) fn choose(predictions: &[Prediction], classes: usize) -> Vec<Self> {
        let all = predictions.len();
        let wrong = predictions.iter().filter(|image| !image.is_correct()).count();
        let mistakes = most_confident_mistakes(predictions);
        let mistakes = mistakes.chunks(Sheet::CAPACITY).enumerate().map(|(index, places)| {
            let first = index * Sheet::CAPACITY + 1;
            let last = first + places.len() - 1;
            let subtitle = format!(
                "mistakes {first} to {last} of {wrong}, among {all} test images; the surest first"
            );
            Self { title: "The surest mistakes", subtitle, places: places.to_vec() }
        });
        let right: Vec<usize> = right_ones(predictions, classes).into_values().flatten().collect();
        let right = right.chunks(Sheet::CAPACITY).map(|places| {
            let subtitle = format!(
                "{} of {all} test images; of each class from the surest to the least sure",
                all - wrong
            );
            Self { title: "Classified correctly", subtitle, places: places.to_vec() }
        });
        mistakes.chain(right).collect()
    }

    /// Reads the images again and draws the sheet.
    ///
    /// # Errors
    /// When an image cannot be read any more, or the sheet cannot be drawn.
    pub(crate) fn png(
        &self,
        images: &[TestImage],
        predictions: &[Prediction],
        classes: &ClassIndices,
    ) -> Result<Vec<u8>> {
        let scans = self.places.iter().map(|place| read_picture(&images[*place]));
        let scans: Vec<Picture> = scans.collect::<Result<_, _>>()?;
        let shown = self.places.iter().map(|place| &predictions[*place]).zip(&scans);
        let images: Vec<SheetImage<'_>> = shown
            .map(|(prediction, scan)| SheetImage {
                name: &prediction.path,
                scan,
                actual: prediction.actual,
                predicted: prediction.predicted,
                probabilities: &prediction.probabilities,
            })
            .collect();
        let Self { title, subtitle, .. } = self;
        Ok(Sheet { title, subtitle, classes, images: &images }.png()?)
    }
}

#[cfg(test)]
mod tests {
    use dataset::ClassIndex;

    use super::*;

    /// One of two classes: whether the prediction is right, and its confidence.
    fn prediction(is_right: bool, confidence: f64) -> Prediction {
        let predicted = ClassIndex(usize::from(!is_right));
        let mut probabilities = vec![1.0 - confidence; 2];
        probabilities[predicted.0] = confidence;
        Prediction {
            path: String::new(),
            actual: ClassIndex(0),
            predicted,
            probabilities,
            has_copy_in_training: false,
        }
    }

    #[test]
    fn mistakes_fill_the_first_sheets_and_right_ones_the_last() {
        let wrong = (0..30).map(|it| prediction(false, 0.9 - f64::from(it) / 100.0));
        let predictions: Vec<_> =
            wrong.chain([prediction(true, 0.8), prediction(true, 0.7)]).collect();
        let sheets = SheetContent::choose(&predictions, 2);
        let places: Vec<Vec<usize>> = sheets.iter().map(|sheet| sheet.places.clone()).collect();
        assert_eq!(places, [(0..12).collect(), (12..24).collect(), vec![30, 31]]);
        assert_eq!(
            sheets[1].subtitle,
            "mistakes 13 to 24 of 30, among 32 test images; the surest first"
        );
        assert!(sheets[2].subtitle.starts_with("2 of 32 test images"), "{sheets:?}");
    }

    #[test]
    fn a_model_without_mistakes_has_no_sheet_of_them() {
        let sheets = SheetContent::choose(&[prediction(true, 0.8)], 2);
        assert_eq!(sheets.len(), 1);
        assert_eq!(sheets[0].title, "Classified correctly");
        assert!(SheetContent::choose(&[], 2).is_empty());
    }
}
