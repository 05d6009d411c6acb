//! What a model sees of a picture.

use std::ops::Range;

use imaging::{Picture, Preprocessing};

use crate::bases::INPUT_CHANNELS;
use crate::description::ModelDescription;

/// What a model sees of a picture: one image `[3, S, S]`, or for an ensemble an image for each size,
/// normalisation or flip that its members want, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInput {
    images: Vec<Preprocessing>,
}

impl ModelInput {
    /// One image.
    pub fn of_one(preprocessing: Preprocessing) -> Self {
        Self { images: vec![preprocessing] }
    }

    /// What the members of an ensemble see, or the one model.
    pub fn of(description: &ModelDescription) -> Self {
        if description.ensemble.is_empty() {
            return Self::of_one(description.preprocessing);
        }
        let mut images = Vec::new();
        for member in &description.ensemble {
            let wanted = member.preprocessing();
            if !images.contains(&wanted) {
                images.push(wanted);
            }
        }
        Self { images }
    }

    /// The images of a picture, f32, normalised, one after the other.
    pub fn apply(&self, picture: &Picture) -> Vec<f32> {
        match &self.images[..] {
            [one] => one.apply(picture),
            all => all.iter().flat_map(|image| image.apply(picture)).collect(),
        }
    }

    /// How each of its images is made. There is at least one.
    pub fn images(&self) -> &[Preprocessing] {
        &self.images
    }

    /// The largest height and width of its images, in pixels.
    pub fn largest_side(&self) -> u32 {
        self.images.iter().map(|image| image.image_size).max().unwrap_or_default()
    }

    /// How many values it has.
    pub fn values(&self) -> usize {
        self.images.iter().map(values_of).sum()
    }

    /// Where one of its images is.
    pub fn range(&self, image: usize) -> Range<usize> {
        let start = self.images[..image].iter().map(values_of).sum();
        start..start + values_of(&self.images[image])
    }

    /// Which of its images is made so.
    pub(crate) fn place_of(&self, preprocessing: &Preprocessing) -> Option<usize> {
        self.images.iter().position(|image| image == preprocessing)
    }
}

fn values_of(image: &Preprocessing) -> usize {
    INPUT_CHANNELS * (image.image_size as usize).pow(2)
}
