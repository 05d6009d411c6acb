use dataset::BaselineKind;
use serde::{Serialize, Serializer};

/// A classifier that cannot know anything about tumours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Baseline {
    /// Always predicts the most frequent class; its probabilities are the shares of the classes.
    MajorityClass,
    /// A classifier of the given kind, which sees only this part of a picture.
    Of(View, Learner),
}

/// The part of a picture that a baseline sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum View {
    /// Width, height, colour mode, format and bytes per pixel.
    Metadata,
    /// The shares of 32 bins of grey.
    GreyHistogram,
    /// The share of each of the 256 levels of grey.
    GreyHistogram256,
    /// The outermost eighth of the picture, at 16×16.
    Frame,
    /// Metadata, the histogram of 32 bins and the frame.
    Together,
    /// The picture at 32×32 for neighbours, else at 16×16.
    Thumbnail,
}

/// How a baseline learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Learner {
    /// A random forest.
    Forest,
    /// The nearest neighbour among the training images.
    Neighbour,
    /// The model's own kind of head: radial basis functions, solved to the optimum.
    Kernel,
}

impl View {
    /// Every view, in the order of reports.
    pub const ALL: [Self; 6] = [
        Self::Metadata,
        Self::GreyHistogram,
        Self::GreyHistogram256,
        Self::Frame,
        Self::Together,
        Self::Thumbnail,
    ];

    /// Its name in files.
    fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::GreyHistogram => "grey_histogram",
            Self::GreyHistogram256 => "grey_histogram_256",
            Self::Frame => "frame",
            Self::Together => "together",
            Self::Thumbnail => "thumbnail",
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Metadata => "the file: size, colour mode, format, bytes per pixel",
            Self::GreyHistogram => "brightness: a grey histogram of 32 bins",
            Self::GreyHistogram256 => "brightness: a grey histogram of 256 bins",
            Self::Frame => "the picture's edge: its outermost eighth",
            Self::Together => "file, brightness and edge together",
            Self::Thumbnail => "the picture at 16×16",
        }
    }
}

impl Learner {
    /// Every kind, in the order of reports.
    pub const ALL: [Self; 3] = [Self::Forest, Self::Neighbour, Self::Kernel];

    fn name(self) -> &'static str {
        match self {
            Self::Forest => "forest",
            Self::Neighbour => "neighbour",
            Self::Kernel => "kernel",
        }
    }

    /// Its description for people.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::Forest => "random forest",
            Self::Neighbour => "nearest neighbour",
            Self::Kernel => "kernel, as the model's head",
        }
    }
}

impl Baseline {
    /// A random forest on the file's metadata.
    pub const METADATA: Self = Self::Of(View::Metadata, Learner::Forest);
    /// A random forest on 32 bins of grey.
    pub const GREY_HISTOGRAM: Self = Self::Of(View::GreyHistogram, Learner::Forest);
    /// A random forest on the picture's edge.
    pub const FRAME: Self = Self::Of(View::Frame, Learner::Forest);
    /// The nearest neighbour of the picture at 32×32.
    pub const THUMBNAIL_NEIGHBOUR: Self = Self::Of(View::Thumbnail, Learner::Neighbour);

    /// The baselines that verdicts on pairs of classes are based on, one for each kind of shortcut.
    /// They were chosen before any data was seen and stay few: each further one would need one more
    /// test to correct for, and the others see nothing that these do not.
    pub const JUDGING: [Self; 3] = [Self::METADATA, Self::GREY_HISTOGRAM, Self::FRAME];

    /// Every baseline, in the order of reports.
    pub fn all() -> impl Iterator<Item = Self> {
        let of_view = |view| Learner::ALL.into_iter().map(move |learner| Self::Of(view, learner));
        std::iter::once(Self::MajorityClass).chain(View::ALL.into_iter().flat_map(of_view))
    }

    /// Its name in files: `grey_histogram_256_kernel`. The forests of the verdict are named only by
    /// their view: `grey_histogram`.
    pub fn name(self) -> String {
        match self {
            Self::MajorityClass => "majority_class".into(),
            Self::Of(view, _) if Self::JUDGING.contains(&self) => view.name().into(),
            Self::Of(view, learner) => format!("{}_{}", view.name(), learner.name()),
        }
    }

    /// Its input, for people: "brightness: a grey histogram of 32 bins (random forest)".
    pub fn looks_at(self) -> String {
        match self {
            Self::MajorityClass => "nothing".into(),
            Self::THUMBNAIL_NEIGHBOUR => "the picture at 32×32 (nearest neighbour)".into(),
            Self::Of(view, learner) => format!("{} ({})", view.in_words(), learner.in_words()),
        }
    }

    /// What a good score of it means.
    pub fn kind(self) -> BaselineKind {
        match self {
            Self::MajorityClass => BaselineKind::Majority,
            Self::Of(View::Thumbnail, _) => BaselineKind::CoarseLook,
            Self::Of(..) => BaselineKind::Shortcut,
        }
    }
}

impl Serialize for Baseline {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn baselines_that_were_there_before_keep_their_names_and_all_names_differ() {
        let names: BTreeSet<String> = Baseline::all().map(Baseline::name).collect();
        assert_eq!(names.len(), 1 + View::ALL.len() * Learner::ALL.len());
        for known in [
            "majority_class",
            "metadata",
            "grey_histogram",
            "frame",
            "thumbnail_neighbour",
            "thumbnail_forest",
            "grey_histogram_256_kernel",
        ] {
            assert!(names.contains(known), "{known} is not in {names:?}");
        }
    }

    #[test]
    fn a_thumbnail_is_a_coarse_look_and_nothing_else_is() {
        for baseline in Baseline::all() {
            let is_thumbnail = baseline.name().starts_with("thumbnail");
            assert_eq!(baseline.kind() == BaselineKind::CoarseLook, is_thumbnail, "{baseline:?}");
        }
    }
}
