use std::fmt;
use std::path::Path;

use crate::findings::CopyCounts;
use crate::level::Level;
use crate::verdict::Conclusion;

/// The findings, for the terminal.
pub(crate) struct Summary<'a> {
    pub(crate) conclusion: &'a Conclusion,
    pub(crate) copies: &'a CopyCounts,
    /// Number of images in use.
    pub(crate) included: usize,
    pub(crate) page: &'a Path,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { conclusion, copies, included, page } = self;
        let word = match conclusion.level {
            Level::Sound => "sound",
            Level::Caution => "caution",
            Level::NotToBeBelieved => "not reliable as it is",
        };
        writeln!(f, "{word}: {}", conclusion.headline)?;
        for sentence in &conclusion.sentences {
            writeln!(f, "  {sentence}")?;
        }
        writeln!(
            f,
            "{} images, {} distinct by their bytes, {} by their pixels, {} as pictures; {included} \
             take part",
            copies.images, copies.distinct_files, copies.distinct_pixels, copies.distinct_pictures,
        )?;
        writeln!(f, "{}", page.display())
    }
}
