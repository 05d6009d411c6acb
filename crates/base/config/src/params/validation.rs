use serde::{Deserialize, Serialize};

/// Section `validation`, of the stage `validate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationParams {
    /// Decides a new split, and the random parts of the baselines.
    pub seed: u64,
    /// Splits the whole set anew, with the shares of `ingest.split`, no group in two splits. The
    /// split that the images had stays as a column of the manifest.
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
    /// Classes with many times the images of others.
    pub class_imbalance: NoticePolicy,
    /// Classes that can be told apart without looking at the anatomy.
    pub shortcuts: NoticePolicy,
}

/// What a finding about single images leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingPolicy {
    /// It is in the report, and that is all.
    Ignore,
    /// It is told.
    Warn,
    /// The training images concerned take no part; their files stay.
    Drop,
    /// The stage fails.
    Fail,
}

/// What a finding leads to that leaving images out could not mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoticePolicy {
    /// It is in the report, and that is all.
    Ignore,
    /// It is told.
    Warn,
    /// The stage fails.
    Fail,
}
