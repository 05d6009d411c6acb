use std::fmt;
use std::path::Path;

use crate::Validation;
use crate::verdict::Level;

/// What was found, for people who look at the terminal.
pub(crate) struct Summary<'a> {
    pub(crate) validation: &'a Validation,
    pub(crate) page: &'a Path,
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Validation { conclusion, findings, manifest, .. } = self.validation;
        let word = match conclusion.level {
            Level::Sound => "sound",
            Level::Caution => "caution",
            Level::NotToBeBelieved => "not reliable as it is",
        };
        writeln!(f, "{word}: {}", conclusion.headline)?;
        for sentence in &conclusion.sentences {
            writeln!(f, "  {sentence}")?;
        }
        let copies = &findings.copies;
        writeln!(
            f,
            "{} images, {} distinct by their bytes, {} by their pixels, {} as pictures; {} take part",
            copies.images,
            copies.distinct_files,
            copies.distinct_pixels,
            copies.distinct_pictures,
            manifest.included().records().len()
        )?;
        writeln!(f, "{}", self.page.display())
    }
}
