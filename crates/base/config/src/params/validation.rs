use serde::{Deserialize, Serialize};

/// Section `validation`, of the stage `validate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationParams {
    /// Seed of a new split, and of the random parts of the baselines.
    pub seed: u64,
    /// Splits the whole set anew, with the shares of `ingest.split` and no group in two splits. The
    /// original split stays as a column of the manifest.
    pub resplit: bool,
    /// What each kind of finding leads to.
    pub policy: ValidationPolicy,
}

/// What each kind of finding leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationPolicy {
    /// Training images with the same file or the same pixels.
    pub exact_copies: FindingPolicy,
    /// Training images that are turned, mirrored, cropped, resized, compressed or brightened
    /// versions of one another.
    pub near_copies: FindingPolicy,
    /// Copies, exact or near, in more than one split.
    pub leaks: FindingPolicy,
    /// One content with two labels.
    pub label_conflicts: FindingPolicy,
    /// Images that show nothing.
    pub blank: FindingPolicy,
    /// Images whose size, shape or brightness is unlike all others.
    pub outliers: FindingPolicy,
    /// Text or pen strokes in the picture.
    pub burnt_in_marks: FindingPolicy,
    /// Slices of what seems to be one scan, in more than one split.
    pub same_scan: NoticePolicy,
    /// Files that `ingest` left out because they could not be decoded.
    pub unreadable: NoticePolicy,
    /// Classes with many more images than others.
    pub class_imbalance: NoticePolicy,
    /// Classes that can be distinguished without looking at the anatomy.
    pub shortcuts: NoticePolicy,
}

/// The consequence of a finding about single images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingPolicy {
    /// It is in the report only.
    Ignore,
    /// It is logged as a warning.
    Warn,
    /// The training images concerned are not used; their files stay.
    Drop,
    /// The stage fails.
    Fail,
}

/// The consequence of a finding that leaving images out cannot fix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticePolicy {
    /// It is in the report only.
    Ignore,
    /// It is logged as a warning.
    Warn,
    /// The stage fails.
    Fail,
}
