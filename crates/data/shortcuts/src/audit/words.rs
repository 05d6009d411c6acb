//! The audit in sentences.

use dataset::{AuditAmong, BaselineAudit, ScoreDifference};

use crate::words::listed;

/// "Among a and b: …" for the baseline whose score depends on the split most.
pub(super) fn among(audit: &AuditAmong) -> String {
    let size = |it: &BaselineAudit| it.random_flatters_by.value.abs();
    let Some(most) = audit.baselines.iter().reduce(|a, b| if size(b) > size(a) { b } else { a })
    else {
        return String::new();
    };
    let subject = if audit.is_every_class {
        "Among all classes".to_owned()
    } else {
        format!("Among {}", listed(&audit.classes))
    };
    format!(
        "{subject}, a classifier that sees only {} is right on {:.2} of the test images with the \
         split as it is, on {:.2} where groups are split at random, and on {:.2} where images are. \
         {}",
        most.looks_at,
        most.given,
        most.grouped.mean,
        most.random.mean,
        meaning(most.grouped_flatters_by, most.random_flatters_by)
    )
}

fn meaning(grouped: ScoreDifference, random: ScoreDifference) -> String {
    let value = random.value.abs();
    match (random.is_shown, random.value > 0.0) {
        (false, _) => "The split is about as hard as a random one.".into(),
        (true, false) => format!(
            "The split as it is flatters by {value:.2}: more of its test images look like training \
             images than chance would have it."
        ),
        (true, true) if grouped.is_shown && grouped.value > 0.0 => format!(
            "A random split would flatter by {value:.2}, and by {:.2} even where the groups that are \
             known are kept whole: images of one class and split have more in common than copies \
             and scans.",
            grouped.value
        ),
        (true, true) => {
            format!("A random split would flatter by {value:.2}; one that keeps groups whole, not.")
        }
    }
}
