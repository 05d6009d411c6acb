use dataset::{ClassIndex, GroupNumber, Split};
use picture_checks::Facts;

/// The data of a picture that baselines may use, and that they are scored by.
#[derive(Debug, Clone, Copy)]
pub struct LabelledPicture<'a> {
    /// The measurements.
    pub facts: &'a Facts,
    /// Its class.
    pub class: ClassIndex,
    /// Its split: baselines are fitted on `train` and scored on the others.
    pub split: Split,
    /// The copies it belongs to, if any.
    pub duplicate_group: Option<GroupNumber>,
    /// The group that must count only once: images of one patient, slices of one scan, copies.
    pub group: GroupNumber,
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Cursor;

    use image::{DynamicImage, ImageBuffer, ImageFormat, Luma};
    use picture_checks::Facts;

    /// The facts of a grey picture, as a PNG.
    pub(crate) fn facts_of(width: u32, height: u32, grey: impl Fn(u32, u32) -> u8) -> Facts {
        let pixels = ImageBuffer::from_fn(width, height, |x, y| Luma([grey(x, y)]));
        let mut png = Cursor::new(Vec::new());
        DynamicImage::from(pixels).write_to(&mut png, ImageFormat::Png).unwrap();
        Facts::of(&imaging::decode(png.get_ref()).unwrap(), png.get_ref().len() as u64)
    }
}
